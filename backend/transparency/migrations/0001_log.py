"""The log's leaves, its complete subtrees, its checkpoints, and what was handed to whom.

Leaves, subtrees and checkpoints are only ever added to. Subtrees are kept for every eighth level: with at most 256
hashes of each, any proof is made. Events recorded before this migration get their leaves from the sequencer.
"""

from django.db import migrations

CREATE = """
CREATE TABLE log_leaf (
    index bigint NOT NULL CONSTRAINT log_leaf_pkey PRIMARY KEY,
    position bigint NOT NULL CONSTRAINT log_leaf_position UNIQUE,
    hash bytea NOT NULL CONSTRAINT log_leaf_hash_is_sha256 CHECK (octet_length(hash) = 32)
);
CREATE TABLE log_subtree (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hash bytea NOT NULL CONSTRAINT log_subtree_hash_is_sha256 CHECK (octet_length(hash) = 32),
    CONSTRAINT log_subtree_pkey PRIMARY KEY (level, index)
);
CREATE TABLE log_checkpoint (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT log_checkpoint_pkey PRIMARY KEY,
    size bigint NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL
);
CREATE INDEX log_checkpoint_size ON log_checkpoint (size, id);
CREATE TABLE log_delivery (
    outlet text NOT NULL CONSTRAINT log_delivery_pkey PRIMARY KEY,
    checkpoint_id bigint NOT NULL,
    at timestamptz NOT NULL,
    error text NOT NULL DEFAULT ''
);

CREATE FUNCTION refuse_change_of_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The transparency log is only added to: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER log_leaf_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log();
CREATE TRIGGER log_subtree_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_subtree
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log();
CREATE TRIGGER log_checkpoint_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log();
ALTER TABLE log_leaf ENABLE ALWAYS TRIGGER log_leaf_refuse_change;
ALTER TABLE log_subtree ENABLE ALWAYS TRIGGER log_subtree_refuse_change;
ALTER TABLE log_checkpoint ENABLE ALWAYS TRIGGER log_checkpoint_refuse_change;
"""

DROP = """
DROP TABLE log_delivery;
DROP TABLE log_checkpoint;
DROP TABLE log_subtree;
DROP TABLE log_leaf;
DROP FUNCTION refuse_change_of_log();
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("event_store", "0001_events")]
    operations = [migrations.RunSQL(CREATE, DROP)]
