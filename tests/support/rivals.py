"""A store in front of another one, at whose append somebody else can be faster.

Made for races that threads would only show by luck: what happens in between is decided by the test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from backend.application.ports import (
    Aggregate,
    AppendConflict,
    Companion,
    EventStore,
    Receipt,
    StoredEventRow,
)
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.prompting.build import StreamSlice

Interruption = Callable[[], object]


def conflict() -> None:
    """An interruption that is a version conflict by itself, without anybody having changed anything."""
    raise AppendConflict("injected")


class RivalStore:
    """Implements EventStore; before each append the next interruption is run, if one is left."""

    def __init__(self, inner: EventStore) -> None:
        self.inner = inner
        self.interruptions: list[Interruption] = []
        self.appended: list[tuple[UUID, ...]] = []

    def interrupt(self, *interruptions: Interruption) -> None:
        """Run these before the next appends, one each."""
        self.interruptions += interruptions

    def read_history(
        self, conversation_id: UUID, up_to_version: int | None = None
    ) -> tuple[StreamSlice, ...]:
        return self.inner.read_history(conversation_id, up_to_version)

    def read_events(self, stream_id: UUID, after_version: int = 0) -> Sequence[VerbatimEvent]:
        return self.inner.read_events(stream_id, after_version)

    def read_call(self, call_id: UUID) -> ModelCall:
        return self.inner.read_call(call_id)

    def read_stream(self, stream_id: UUID, after_version: int, limit: int) -> tuple[StoredEventRow, ...]:
        return self.inner.read_stream(stream_id, after_version, limit)

    def find_receipt(self, user_id: UUID, key: str) -> Receipt | None:
        return self.inner.find_receipt(user_id, key)

    def append(self, *aggregates: Aggregate, companions: Sequence[Companion] = ()) -> int:
        self.appended.append(tuple(aggregate.id for aggregate in aggregates))
        if self.interruptions:
            self.interruptions.pop(0)()
        return self.inner.append(*aggregates, companions=companions)
