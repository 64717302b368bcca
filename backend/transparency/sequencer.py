"""Gives each event its place in the log, in the order of positions, some time after its commit.

Whoever wants the log up to date calls `sequence`; a lock in the database lets one at a time do it. Positions become
visible in their order (the recorder's lock sees to it), so that going on after the last leaf misses nothing.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from backend.audit.leaves import leaf_data
from backend.audit.merkle import Growing, leaf_hash, parts
from backend.transparency.hashes import STEP, Connection, StoredHashes

LOG_LOCK: Final = 0x7665726261746C6F
"""Any fixed number: whoever writes to the log holds this advisory lock until its commit."""
BATCH: Final = 5000

_LAST = "SELECT index, position FROM log_leaf ORDER BY index DESC LIMIT 1"
_NEXT = (
    "SELECT notification_id, originator_id::text, originator_version, topic, state FROM events"
    " WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
)
_ADD_LEAVES = "COPY log_leaf (index, position, hash) FROM STDIN (FORMAT BINARY)"
_ADD_SUBTREES = "COPY log_subtree (level, index, hash) FROM STDIN (FORMAT BINARY)"


def sequence(connection: Connection, batch: int = BATCH) -> int:
    """Add all events that are not in the log yet; returns its size. One commit per batch. Raises LogIncomplete.

    connection: in autocommit mode.
    """
    while True:
        with connection.transaction():
            lock(connection)
            size, added = _add_batch(connection, batch)
        if added < batch:
            return size


def lock(connection: Connection) -> None:
    """Be the only one who writes to the log until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))


def size_of(connection: Connection) -> int:
    """How many leaves the log has."""
    row = connection.execute(_LAST).fetchone()
    return 0 if row is None else int(row[0]) + 1


def _add_batch(connection: Connection, batch: int) -> tuple[int, int]:
    """The log's size after it, and how many events were added."""
    last = connection.execute(_LAST).fetchone()
    size, position = (0, 0) if last is None else (int(last[0]) + 1, int(last[1]))
    # Raw bytes instead of text: a payload may be a megabyte.
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_NEXT, (position, batch)).fetchall()
    if not rows:
        return size, 0
    completed: list[tuple[int, int, bytes]] = []

    def keep(level: int, index: int, found: bytes) -> None:
        if level % STEP == 0:
            completed.append((level, index, found))

    hashes = StoredHashes(connection)
    tree = Growing(size, [hashes.subtree(level, index) for level, index in parts(size)], keep)
    leaves: list[tuple[int, int, bytes]] = []
    for place, stream, version, topic, state in rows:
        found = leaf_hash(leaf_data(stream, version, topic, bytes(state)))
        leaves.append((tree.size, place, found))
        tree.add(found)
    _copy(connection, _ADD_LEAVES, ["int8", "int8", "bytea"], leaves)
    _copy(connection, _ADD_SUBTREES, ["int2", "int8", "bytea"], completed)
    return tree.size, len(rows)


def _copy(
    connection: psycopg.Connection[Any], into: str, types: list[str], rows: list[tuple[int, int, bytes]]
) -> None:
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
