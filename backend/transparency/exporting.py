"""What an export takes out of the store and the log: one moment of the database, in the order of the log.

A filter picks calls; with them come all events of their streams, of their conversations, and of those that these go
on from, since only with all of them a prompt can be rebuilt. Which those are is kept in tables that live as long as
the transaction, so that memory does not grow with an export.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self
from uuid import UUID

import psycopg

from backend.audit.export import EarlierCheckpoint, ExportedEvent, ExportedStream
from backend.audit.merkle import consistency_proof, inclusion_proof, node_hash
from backend.domain.events import ConversationStarted
from backend.transparency.hashes import STEP, Connection, StoredHashes
from backend.transparency.signing import LogKeys, SignedCheckpoint, newest

EARLIER_CHECKPOINTS: Final = 1000
"""How many of the newest ones a bundle brings a consistency proof for."""
_PAGE: Final = 200
_KEPT_SUBTREES: Final = 1 << 14

_TABLES = """
CREATE TEMPORARY TABLE export_call (
    id uuid PRIMARY KEY, conversation_id uuid, owner_id uuid NOT NULL, pending boolean NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE export_stream (
    stream uuid PRIMARY KEY, pending boolean NOT NULL, round integer NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE export_event (
    index bigint PRIMARY KEY, position bigint NOT NULL, stream uuid NOT NULL
) ON COMMIT DROP;
"""
_ADD_CALLS = (
    "INSERT INTO export_stream SELECT id, pending, 0 FROM export_call",
    "INSERT INTO export_stream SELECT DISTINCT conversation_id, false, 1 FROM export_call"
    " WHERE conversation_id IS NOT NULL ON CONFLICT DO NOTHING",
)
_STARTS = (
    "SELECT e.state FROM export_stream s JOIN events e ON e.originator_id = s.stream AND e.originator_version = 1"
    " WHERE s.round = %s AND e.topic = %s"
)
_ADD_SOURCES = (
    "INSERT INTO export_stream SELECT DISTINCT unnest(%s::uuid[]), false, %s ON CONFLICT DO NOTHING"
)
_ADD_EVENTS = (
    "INSERT INTO export_event SELECT l.index, l.position, s.stream FROM export_stream s"
    " JOIN events e ON e.originator_id = s.stream JOIN log_leaf l ON l.position = e.notification_id"
    " WHERE l.index < %s ORDER BY l.index"
)
_EVENTS = (
    "SELECT x.position, x.index, x.stream::text, e.originator_version, e.topic, e.state"
    " FROM export_event x JOIN events e ON e.notification_id = x.position ORDER BY x.index"
)
_INDEXES = "SELECT index FROM export_event ORDER BY index"
# What was recorded after the checkpoint is not exported, so that a call may have ended since.
_STREAMS = (
    "SELECT s.stream::text, count(*), s.pending OR count(*) < ("
    "SELECT count(*) FROM events e WHERE e.originator_id = s.stream)"
    " FROM export_stream s JOIN export_event x ON x.stream = s.stream"
    " GROUP BY s.stream, s.pending ORDER BY min(x.index)"
)
_EARLIER = "SELECT DISTINCT ON (size) size, note FROM log_checkpoint WHERE id < %s AND size > 0 ORDER BY size DESC, id DESC LIMIT %s"


class NothingToExport(Exception):
    """Nothing has been recorded, so that there is no log yet."""


@dataclass(frozen=True)
class PickedCalls:
    """A query for calls, giving id, conversation_id, owner_id, and whether the call has not ended yet."""

    sql: str
    parameters: Sequence[Any]


class ExportSnapshot:
    """Implements backend.audit.export.ExportSource and LogProofs.

    each: called for every event and every proof that is given out.
    """

    def __init__(
        self,
        connection: Connection,
        keys: LogKeys,
        signed: SignedCheckpoint,
        kept_sizes: Iterable[int],
        each: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._signed = signed
        self._kept_sizes = sorted({size for size in kept_sizes if 0 < size <= signed.size})
        self._each = each
        self._stored = StoredHashes(connection)
        # Neighbours share most of their way to the root.
        self._subtree = lru_cache(maxsize=_KEPT_SUBTREES)(self._made_subtree)
        self.origin = keys.origin
        self.verifier_keys = [str(verifier) for verifier in keys.verifiers]

    @classmethod
    @contextmanager
    def open(
        cls,
        database_url: str,
        keys: LogKeys,
        picked: PickedCalls,
        kept_sizes: Iterable[int] = (),
        each: Callable[[], None] = lambda: None,
    ) -> Iterator[Self]:
        """One moment of the database, with the calls picked. Raises NothingToExport.

        kept_sizes: of checkpoints that somebody has kept and will ask to see a consistency proof for.
        """
        with psycopg.connect(database_url, autocommit=True) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            signed = newest(connection)
            if signed is None:
                raise NothingToExport("Nothing has been recorded yet, so that there is nothing to export.")
            _pick(connection, picked, signed.size)
            yield cls(connection, keys, signed, kept_sizes, each)

    # ---- what was picked --------------------------------------------------------------------

    def owner_ids(self) -> list[UUID]:
        """Whose calls were picked."""
        rows = self._connection.execute("SELECT DISTINCT owner_id FROM export_call ORDER BY owner_id")
        return [row[0] for row in rows]

    def count_events(self) -> int:
        return self._count("export_event")

    def count_calls(self) -> int:
        return self._count("export_call")

    def events(self) -> Iterator[ExportedEvent]:
        for position, index, stream, version, topic, state in self._rows("export_events", _EVENTS):
            self._each()
            yield ExportedEvent(position, index, stream, version, topic, bytes(state))

    def indexes(self) -> Iterator[int]:
        for (index,) in self._rows("export_indexes", _INDEXES):
            self._each()
            yield index

    def streams(self) -> Iterator[ExportedStream]:
        for row in self._rows("export_streams", _STREAMS):
            yield ExportedStream(*row)

    # ---- the log ----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return self._signed.size

    @property
    def checkpoint(self) -> str:
        return self._signed.note

    def earlier(self) -> Iterator[EarlierCheckpoint]:
        rows = self._connection.execute(_EARLIER, (self._signed.id, EARLIER_CHECKPOINTS)).fetchall()
        known = {row[0]: row[1] for row in rows}
        for size in sorted({*known, *self._kept_sizes}):
            yield EarlierCheckpoint(size, known.get(size))

    def inclusion(self, index: int) -> list[bytes]:
        return inclusion_proof(index, self.size, self._subtree)

    def consistency(self, old: int) -> list[bytes]:
        return consistency_proof(old, self.size, self._subtree)

    def _made_subtree(self, level: int, index: int) -> bytes:
        if level % STEP == 0:
            return self._stored.subtree(level, index)
        return node_hash(self._subtree(level - 1, 2 * index), self._subtree(level - 1, 2 * index + 1))

    # ---- inside -----------------------------------------------------------------------------

    def _count(self, table: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return 0 if row is None else int(row[0])

    def _rows(self, name: str, query: str) -> Iterator[Any]:
        with self._connection.cursor(name, binary=True) as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_PAGE):
                yield from rows


def _pick(connection: Connection, picked: PickedCalls, size: int) -> None:
    connection.execute(_TABLES)
    connection.execute(f"INSERT INTO export_call {picked.sql}", picked.parameters)
    for statement in _ADD_CALLS:
        connection.execute(statement)
    # From fork to source, one step for all of them at a time, until a step finds nothing new.
    step = 1
    while True:
        rows = connection.execute(_STARTS, (step, ConversationStarted.TOPIC))
        sources = {source for (state,) in rows if (source := _source_of(bytes(state))) is not None}
        step += 1
        if not sources or connection.execute(_ADD_SOURCES, (list(sources), step)).rowcount == 0:
            break
    connection.execute("ANALYZE export_stream")
    connection.execute(_ADD_EVENTS, (size,))
    connection.execute("ANALYZE export_event")


def _source_of(state: bytes) -> UUID | None:
    """The conversation that a fork goes on from. None for any other, and for what was erased or changed."""
    try:
        origin = json.loads(state)["forked_from"]
        return None if origin is None else UUID(origin["conversation_id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
