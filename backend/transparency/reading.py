"""The whole store and the whole log, row by row, from one moment: for those who check or export everything.

And how far the log has come, for those who only watch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple, Self

import psycopg

from backend.audit.log_check import EventRow, LeafRow
from backend.transparency.hashes import Connection

_PAGE: Final = 2000
# Whoever changed rows may have changed the tables too: where there is nothing, something is read that was never recorded.
_EVENT = (
    "SELECT coalesce(notification_id, 9223372036854775807), coalesce(originator_id::text, ''),"
    " coalesce(originator_version, 0), coalesce(topic::text, ''), coalesce(state::bytea, '') FROM events"
)
_EVENTS = f"{_EVENT} ORDER BY notification_id"
_STREAMS = f"{_EVENT} WHERE topic ~ %s ORDER BY originator_id, originator_version"
_LEAVES = "SELECT coalesce(index, -1)::bigint, coalesce(position, -1)::bigint, coalesce(hash, '') FROM log_leaf ORDER BY index"
_BROKEN = (
    "SELECT coalesce(originator_id::text, ''), count(*), coalesce(max(originator_version), 0) FROM events"
    " GROUP BY originator_id HAVING count(*) <> max(originator_version) OR min(originator_version) <> 1"
    " OR count(DISTINCT originator_version) <> count(*) ORDER BY min(notification_id)"
)
_CHECKPOINTS = "SELECT id, coalesce(size, -1), coalesce(note, '') FROM log_checkpoint ORDER BY id"
_STANDING = (
    "SELECT coalesce((SELECT position FROM log_leaf ORDER BY index DESC LIMIT 1), 0),"
    " (SELECT signed_at FROM log_checkpoint ORDER BY id DESC LIMIT 1)"
)


class LogStanding(NamedTuple):
    """position: of the last event in the log; 0 without one. checkpoint_at: when the newest was signed."""

    position: int
    checkpoint_at: datetime | None


def log_standing(connection: Connection) -> LogStanding:
    """How far the log has come. Two looks at an index, however long the log is; no key is needed."""
    [row] = connection.execute(_STANDING).fetchall()
    return LogStanding._make(row)


class Snapshot:
    """One state of the database. Memory does not grow with it, but for the subtrees: one hash per 256 events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> Connection:
        """For other questions to the same moment."""
        return self._connection

    @classmethod
    @contextmanager
    def open(cls, database_url: str) -> Iterator[Self]:
        with psycopg.connect(database_url, autocommit=True) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield cls(connection)

    def events(self) -> Iterator[EventRow]:
        """By position."""
        for row in self._rows("verbatim_events", _EVENTS):
            yield EventRow._make(row)

    def leaves(self) -> Iterator[LeafRow]:
        """By index."""
        for row in self._rows("verbatim_leaves", _LEAVES):
            yield LeafRow._make(row)

    def streams_of(self, names: Sequence[str]) -> Iterator[list[EventRow]]:
        """The events of these kinds, those of one stream together and by version. names: topics without version."""
        rows = self._rows("verbatim_streams", _STREAMS, (_pattern(names),))
        for _, events in groupby((EventRow._make(row) for row in rows), key=lambda event: event.stream):
            yield list(events)

    def count_events_of(self, names: Sequence[str]) -> int:
        row = self._connection.execute(
            "SELECT count(*) FROM events WHERE topic ~ %s", (_pattern(names),)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def count_events(self) -> int:
        return self._number("SELECT count(*) FROM events")

    def subtrees(self) -> dict[tuple[int, int], bytes]:
        rows = self._connection.execute("SELECT level, index, hash FROM log_subtree").fetchall()
        return {(level, index): bytes(found) for level, index, found in rows}

    def checkpoints(self) -> Iterator[tuple[int, int, str]]:
        """Number, size and note of each as they are stored, the oldest first."""
        yield from self._rows("verbatim_checkpoints", _CHECKPOINTS)

    def broken_streams(self) -> Iterator[tuple[str, int, int]]:
        """Streams whose versions are not 1, 2, 3 …: the stream, how many events it has, and the highest version."""
        yield from self._rows("verbatim_broken", _BROKEN)

    def _number(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        return 0 if row is None else int(row[0])

    def _rows(self, name: str, query: str, parameters: Sequence[str] | None = None) -> Iterator[Any]:
        with self._connection.cursor(name, binary=True) as cursor:
            cursor.execute(query, parameters)
            while rows := cursor.fetchmany(_PAGE):
                yield from rows


def _pattern(names: Sequence[str]) -> str:
    """A regular expression for topics of these names, whatever their version."""
    return rf"^({'|'.join(names)})\.v[0-9]+$"
