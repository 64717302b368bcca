"""Single events by their positions, for read models that keep places instead of texts.

On the caller's own connection, so that what is read belongs to the caller's moment.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from eventsourcing.persistence import StoredEvent

from backend.domain.events import VerbatimEvent
from backend.event_store.mapper import VerbatimMapper

_READ_AT = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM events"
    " WHERE notification_id = ANY(%s)"
)
_mapper = VerbatimMapper()


class Cursor(Protocol):
    """What is needed of a database cursor."""

    def execute(self, sql: str, params: Any, /) -> Any: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


def events_at(cursor: Cursor, positions: Collection[int]) -> dict[int, VerbatimEvent]:
    """The events at these positions; where there is none, the position is left out. Raises UnreadableEvent."""
    cursor.execute(_READ_AT, [list(positions)])
    return {
        position: _mapper.to_domain_event(StoredEvent(stream_id, version, topic, bytes(state)))
        for position, stream_id, version, topic, state in cursor.fetchall()
    }
