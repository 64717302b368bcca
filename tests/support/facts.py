"""Events written by hand for tests, with clocks and ids that give the same values every time.

A fact is an event class with its own fields; stream, version, time and ids are filled in here.
May not touch a store: what happened is data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from backend.domain import events as e
from backend.domain.audit_trail import AuditTrail
from backend.domain.conversation import Conversation
from backend.domain.envelope import Envelope, Stamp
from backend.domain.model_call import ModelCall

OWNER = UUID("0a000000-0000-4000-8000-000000000001")
STRANGER = UUID("0a000000-0000-4000-8000-000000000002")
AUDITOR = UUID("0a000000-0000-4000-8000-000000000003")
CONVERSATION = UUID("c0000000-0000-4000-8000-000000000001")
CALL = UUID("ca000000-0000-4000-8000-000000000001")
CORRELATION = UUID("c0220000-0000-4000-8000-000000000001")
BEGINNING = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

_ENVELOPE_FIELDS = frozenset(
    {
        "originator_id",
        "originator_version",
        "originator_topic",
        "timestamp",
        "event_id",
        "actor",
        "correlation_id",
        "causation_id",
    }
)


class TickingClock:
    """Begins at a fixed moment; every look at it is 1.000001 seconds later than the one before."""

    def __init__(self, beginning: datetime = BEGINNING) -> None:
        self._next = beginning

    def now(self) -> datetime:
        found = self._next
        self._next += timedelta(seconds=1, microseconds=1)
        return found


class CountedIds:
    """Ids in the order 1, 2, 3…, in the shape of random ones."""

    def __init__(self, family: int = 0xE) -> None:
        self._family = family
        self._last = 0

    def new(self) -> UUID:
        self._last += 1
        return UUID(int=(self._family << 120) | (0x4 << 76) | (0x8 << 60) | self._last)


def message_id(number: int) -> UUID:
    """The id of the test's message with this number."""
    return UUID(f"3e55a9e0-0000-4000-8000-{number:012d}")


def call_id(number: int) -> UUID:
    """The id of the test's model call with this number."""
    return UUID(f"ca110000-0000-4000-8000-{number:012d}")


def stamper(actor: str = f"user:{OWNER}", *, causation_id: UUID | None = None) -> Stamp:
    """A stamp with a clock and ids of its own, the same on every run."""
    clock, ids = TickingClock(), CountedIds()

    def stamp() -> Envelope:
        return Envelope(ids.new(), clock.now(), actor, CORRELATION, causation_id)

    return stamp


@dataclass(frozen=True)
class Fact:
    """One thing that happened: an event class with its own fields, and no envelope."""

    event_class: type[e.VerbatimEvent]
    fields: dict[str, Any]


def fact(event_class: type[e.VerbatimEvent], **fields: Any) -> Fact:
    return Fact(event_class, fields)


def fact_of(event: Any) -> Fact:
    """An event without its envelope."""
    fields = {
        field.name: getattr(event, field.name)
        for field in dataclasses.fields(event)
        if field.name not in _ENVELOPE_FIELDS
    }
    return Fact(type(event), fields)


def as_events(
    stream_id: UUID, facts: Iterable[Fact], *, stamp: Stamp | None = None, first_version: int = 1
) -> list[e.VerbatimEvent]:
    """The facts as events of one stream, versions without gaps."""
    stamp = stamp or stamper()
    found = []
    for version, item in enumerate(facts, start=first_version):
        extra: dict[str, Any] = {}
        if issubclass(item.event_class, AggregateCreated):
            extra["originator_topic"] = next(
                aggregate.TOPIC
                for aggregate in (Conversation, ModelCall, AuditTrail)
                if issubclass(item.event_class, aggregate.Event)
            )
        event: Any = item.event_class
        found.append(
            event(
                originator_id=stream_id,
                originator_version=version,
                **extra,
                **stamp().as_event_fields(),
                **item.fields,
            )
        )
    return found
