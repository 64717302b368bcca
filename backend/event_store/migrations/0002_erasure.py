"""Lets one change of stored events through, and no other: a payload replaced by its own digest.

A transaction must also say that it erases. What must outlive every erasure can never be erased: who erased what, and who
read what through the audit.
"""

from django.db import migrations

ALLOW = """
CREATE OR REPLACE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('verbatim.erasing', true) = 'payloads' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Events are immutable: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Append a new event instead.';
END;
$$;

CREATE FUNCTION refuse_all_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.originator_id, NEW.originator_version, NEW.topic, NEW.notification_id)
            IS NOT DISTINCT FROM (OLD.originator_id, OLD.originator_version, OLD.topic, OLD.notification_id)
        AND NEW.state = convert_to('{"erased":{"sha256":"' || encode(sha256(OLD.state), 'hex') || '"}}', 'UTF8')
        AND OLD.topic !~ '^(ConversationErased|AuditTrailOpened|AuditRead)[.]'
        AND substring(OLD.state FROM 1 FOR 10) <> '{"erased":'::bytea
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Events are immutable: all that an erasure may do is replace a payload by its own digest, once.'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Use manage.py erase_conversation.';
END;
$$;
CREATE TRIGGER events_refuse_all_but_erasure BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_all_but_erasure();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_refuse_all_but_erasure;
"""

REFUSE = """
DROP TRIGGER events_refuse_all_but_erasure ON events;
DROP FUNCTION refuse_all_but_erasure();
CREATE OR REPLACE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Events are immutable: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Append a new event instead.';
END;
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("event_store", "0001_events")]
    operations = [migrations.RunSQL(ALLOW, REFUSE)]
