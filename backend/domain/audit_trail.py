"""The AuditTrail aggregate: who looked at one person's content through the audit, on one day.

Keeps one promise: whoever looks is recorded, and looking again at the same thing within ten minutes is the same
reading. It holds no content, and it does not decide who may look; whoever asks it has decided that.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import singledispatchmethod
from typing import Any, Final
from uuid import UUID, uuid5

from eventsourcing.domain import BaseAggregate

from backend.domain import events as e
from backend.domain.envelope import Stamp
from backend.domain.errors import InvalidInput

ONE_READING: Final = timedelta(minutes=10)
"""So long after it was recorded, looking at the same thing again is the same reading."""

PROMPT, REPLY, RAW, EVENTS, EXPORT = "prompt", "reply", "raw", "events", "export"
PASSWORD_LINK, SECOND_FACTOR = "password_link", "second_factor"
WAYS_IN: Final = (PASSWORD_LINK, SECOND_FACTOR)
"""An administrator opened a way into the account, and so to all of it. Each time is told, also within ten minutes."""
WHAT_IS_READ: Final = (PROMPT, REPLY, RAW, EVENTS, EXPORT, *WAYS_IN)

Reading = tuple[UUID, UUID | None]
"""Who looked, and at which call; for a conversation as such at which conversation, and None for everything."""


def trail_id(owner_id: UUID, day: date) -> UUID:
    """The stream in which the readings of this person's content on this day (UTC) stand."""
    return uuid5(owner_id, day.isoformat())


class AuditTrail(BaseAggregate[UUID]):
    """Decides which looks at one person's content are readings to record."""

    TOPIC = "AuditTrail.v1"
    Event = e.AuditTrailEvent
    Opened = e.AuditTrailOpened

    def __init__(self, owner_id: UUID, day: str) -> None:
        """The state right after AuditTrailOpened; the library calls this when that event is applied."""
        self.owner_id = owner_id
        self.day = day
        self.last_recorded: dict[Reading, datetime] = {}

    @classmethod
    def begin(cls, *, owner_id: UUID, day: date, stamp: Stamp) -> AuditTrail:
        """A trail without readings."""
        return cls._create(
            e.AuditTrailOpened,
            id=trail_id(owner_id, day),
            owner_id=owner_id,
            day=day.isoformat(),
            **stamp().as_event_fields(),
        )

    @classmethod
    def from_events(cls, stream: Iterable[e.VerbatimEvent]) -> AuditTrail | None:
        """The trail as its events tell it, or None when there are none."""
        trail: Any = None
        for event in stream:
            trail = event.mutate(trail)
        return trail if isinstance(trail, cls) else None

    def copy(self) -> AuditTrail:
        """The same trail, free to go on by itself. Only without pending events."""
        assert not self.pending_events
        twin = copy.copy(self)
        twin._pending_events = []
        twin.last_recorded = dict(self.last_recorded)
        return twin

    def was_read_lately(self, reading: Reading, at: datetime) -> bool:
        """Whether this reading was recorded here less than ten minutes before or, by another clock, after `at`."""
        last = self.last_recorded.get(reading)
        return last is not None and abs(at - last) < ONE_READING

    def record_read(
        self,
        *,
        reader_id: UUID,
        conversation_id: UUID | None,
        call_id: UUID | None,
        what: str,
        stamp: Stamp,
        day_before: AuditTrail | None = None,
    ) -> bool:
        """Record that somebody looks, or can from now on. False, and nothing stored, for the owner and within the same reading.

        day_before: the same owner's trail of yesterday, in which a reading may have begun. Raises InvalidInput.
        """
        if what not in WHAT_IS_READ:
            raise InvalidInput(
                f"{what!r} is nothing that is read through the audit. Choose one of {', '.join(WHAT_IS_READ)}.",
                field="what",
            )
        if reader_id == self.owner_id:
            return False
        envelope = stamp()
        reading = _reading(reader_id, conversation_id, call_id)
        trails = (self, day_before) if day_before is not None else (self,)
        if what not in WAYS_IN and any(trail.was_read_lately(reading, envelope.at) for trail in trails):
            return False
        self.trigger_event(
            e.AuditRead,
            reader_id=reader_id,
            conversation_id=conversation_id,
            call_id=call_id,
            what=what,
            **envelope.as_event_fields(),
        )
        return True

    @singledispatchmethod
    def apply_event(self, event: e.VerbatimEvent) -> None:
        raise TypeError(f"AuditTrail does not know the event {type(event).__name__}. Add its apply method.")

    @apply_event.register
    def _(self, event: e.AuditTrailOpened) -> None:
        """The event's own fields were taken by `__init__`."""

    @apply_event.register
    def _(self, event: e.AuditRead) -> None:
        if event.what not in WAYS_IN:
            reading = _reading(event.reader_id, event.conversation_id, event.call_id)
            self.last_recorded[reading] = event.timestamp


def _reading(reader_id: UUID, conversation_id: UUID | None, call_id: UUID | None) -> Reading:
    return reader_id, call_id or conversation_id
