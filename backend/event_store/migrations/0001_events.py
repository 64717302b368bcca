"""The events table, the library's composite types, the guard against changes, and receipts.

The table is what eventsourcing 9.5 expects of its application recorder, and no more. The triggers
make the database itself refuse what immutable events must never see.
"""

from django.db import migrations

CREATE = """
CREATE TABLE events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX events_notification_id_idx ON events (notification_id ASC);
CREATE INDEX events_topic_idx ON events (topic, notification_id);
CREATE TYPE stored_event_uuid AS (originator_id uuid, originator_version bigint, topic text, state bytea);

CREATE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Events are immutable: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Append a new event instead.';
END;
$$;
CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_events();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_refuse_change;

CREATE TABLE append_receipt (
    user_id uuid NOT NULL,
    key text NOT NULL,
    path text NOT NULL,
    body_sha256 text NOT NULL,
    status integer NOT NULL,
    body jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT append_receipt_pkey PRIMARY KEY (user_id, key)
);
CREATE INDEX append_receipt_at_idx ON append_receipt (at);
"""

DROP = """
DROP TABLE append_receipt;
DROP TABLE events;
DROP FUNCTION refuse_change_of_events();
DROP TYPE stored_event_uuid;
"""


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.RunSQL(CREATE, DROP)]
