"""What the tests of the log share: a key, a time, and events in large numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from backend.audit.leaves import leaf_data
from backend.audit.merkle import Growing, leaf_hash
from backend.audit.notes import Signer
from backend.event_store.recorder import APPEND_LOCK
from backend.transparency.hashes import Connection
from backend.transparency.signing import LogKeys

KEYS = LogKeys(Signer("example.com/log", bytes(range(32))))
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

_INSERT = (
    "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, %s, 'Said.v1', %s)"
)


def fill(connection: Connection, events: int) -> None:
    """So many events in one commit, all of one stream, in the order that the recorder's lock gives to all who append."""
    stream = uuid4()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        cursor.executemany(_INSERT, [(stream, number + 1, b'{"n":%d}' % number) for number in range(events)])


def tree_over_events(connection: Connection) -> Growing:
    tree = Growing()
    for stream, version, topic, state in connection.execute(
        "SELECT originator_id, originator_version, topic, state FROM events ORDER BY notification_id"
    ):
        tree.add(leaf_hash(leaf_data(stream, version, topic, bytes(state))))
    return tree
