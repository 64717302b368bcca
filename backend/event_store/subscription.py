"""Reading all events in the order of their positions, and hearing of new ones.

For projections. Positions become visible in order (the recorder's lock sees to it), so reading on
from the last one misses nothing. A notification only shortens the wait: whoever reads must also look
by itself now and then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent

from backend.application.ports import RecordedEvent
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.recorder import EVENTS_TABLE

_READ_AFTER = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM events"
    " WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
)


class Listener:
    """Hears of appends on one connection of its own."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as something was appended, or False after `timeout_s` seconds.

        Raises psycopg.OperationalError when the connection is lost.
        """
        heard = False
        for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            heard = True
        return heard


class EventReader:
    """Reads recorded events by position, on one connection of its own that it opens when first needed."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._mapper = VerbatimMapper()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def read_after(self, position: int, limit: int) -> list[RecordedEvent]:
        """Up to `limit` events beyond `position`, ascending.

        Raises psycopg.OperationalError when the database is away, and UnreadableEvent for an event
        that no class of this release can read.
        """
        rows = self._connect().execute(_READ_AFTER, (position, limit)).fetchall()
        return [
            RecordedEvent(
                found,
                self._mapper.to_domain_event(StoredEvent(stream_id, version, topic, bytes(state))),
                topic,
            )
            for found, stream_id, version, topic, state in rows
        ]

    def end(self) -> int:
        """The highest position; 0 for an empty store."""
        row = self._connect().execute(f"SELECT max(notification_id) FROM {EVENTS_TABLE}").fetchone()
        return int(row[0]) if row is not None and row[0] is not None else 0

    def count_after(self, position: int) -> int:
        """How many events there are beyond `position`."""
        query = f"SELECT count(*) FROM {EVENTS_TABLE} WHERE notification_id > %s"
        row = self._connect().execute(query, (position,)).fetchone()
        return int(row[0]) if row is not None else 0

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """A listener that hears of every append from the moment the context is entered."""
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            connection.execute(f"LISTEN {EVENTS_TABLE}")
            yield Listener(connection)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = psycopg.connect(self._database_url, autocommit=True)
        return self._connection
