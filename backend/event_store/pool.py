"""Connection pools that get over a lost database at once, and ask it nothing where all is well.

psycopg's pool can ask the database before it hands a connection out, which is one statement more for each use, and
throws stale ones away one by one and waits longer after each. After a restart of the database every pooled
connection is stale, so requests would be refused for up to a minute. Here a connection that was used a moment ago
is only looked at: a server that has gone leaves the end of its stream behind. And the first stale one empties
the pool.
"""

from __future__ import annotations

import select
import time
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[Any]

TRUSTED_S = 5.0
"""After this long, a connection may have been lost without a sign: a machine or a network that vanished."""


def checked_pool(conninfo: str = "", **options: Any) -> ConnectionPool[Connection]:
    """A pool, not opened yet, that checks each connection before use. options: those of psycopg's ConnectionPool."""

    asked_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    def check(connection: Connection) -> None:
        now = time.monotonic()
        if now - asked_at.get(connection, 0.0) < TRUSTED_S and not _has_something_to_read(connection):
            return
        try:
            ConnectionPool.check_connection(connection)
            asked_at[connection] = now
        except psycopg.Error:
            pool.drain()
            raise

    pool: ConnectionPool[Connection] = ConnectionPool(conninfo, open=False, check=check, **options)
    return pool


def _has_something_to_read(connection: Connection) -> bool:
    """Whether a word of the server waits, which for a connection at rest is mostly its last one."""
    try:
        watched = select.poll()
        watched.register(connection.fileno(), select.POLLIN)
        return bool(watched.poll(0))
    except (OSError, psycopg.Error):
        return True
