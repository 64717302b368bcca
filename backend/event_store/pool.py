"""Connection pools that get over a lost database at once.

psycopg's pool checks a connection before it hands it out, but throws stale ones away one by one and
waits longer after each. After a restart of the database every pooled connection is stale, so requests
would be refused for up to a minute. Here the first stale one empties the pool.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[Any]


def checked_pool(conninfo: str = "", **options: Any) -> ConnectionPool[Connection]:
    """A pool, not opened yet, that checks each connection before use. options: those of psycopg's ConnectionPool."""

    def check(connection: Connection) -> None:
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.Error:
            pool.drain()
            raise

    pool: ConnectionPool[Connection] = ConnectionPool(conninfo, open=False, check=check, **options)
    return pool
