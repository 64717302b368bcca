"""Handler of readings through the audit: on record before anything is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date
from uuid import UUID

from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import Answer
from backend.domain import commands as c
from backend.domain.audit_trail import ONE_READING, AuditTrail, trail_id
from backend.domain.envelope import Envelope


@handler_of.register
def _(command: c.RecordAuditRead) -> Handle:
    def record_audit_read(handling: Handling) -> Answer:
        # One moment decides about the day and the ten minutes, and is the one that is stored.
        now = handling.services.clock.now()
        today = now.astimezone(UTC).date()

        def stamp() -> Envelope:
            return replace(handling.stamp(), at=now)

        yesterday = (now - ONE_READING).astimezone(UTC).date()
        trail = _trail(handling, command.owner_id, today)
        day_before = _trail(handling, command.owner_id, yesterday) if yesterday != today else None
        if trail is None:
            trail = AuditTrail.begin(owner_id=command.owner_id, day=today, stamp=stamp)
        recorded = trail.record_read(
            reader_id=command.reader_id,
            conversation_id=command.conversation_id,
            call_id=command.call_id,
            what=command.what,
            day_before=day_before,
            stamp=stamp,
        )
        # A trail that was opened for nothing is not kept.
        changed = [trail] if recorded else []
        return handling.save(*changed, status=200, body={"recorded": recorded})

    return record_audit_read


def _trail(handling: Handling, owner_id: UUID, day: date) -> AuditTrail | None:
    return AuditTrail.from_events(handling.store.read_events(trail_id(owner_id, day)))
