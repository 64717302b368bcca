"""One asynchronous database connection that is opened again after it was lost.

Each statement is a transaction of its own. Whoever uses a link decides what a loss means; the link
only says that it happened and counts its connections, so that lost work can be told from kept work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.abc import QueryNoTemplate
from psycopg.rows import DictRow, dict_row

# A peer that vanished without a word is noticed within about ten seconds.
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 15_000

T = TypeVar("T")


class DatabaseAway(Exception):
    """A statement could not be carried out now; whether it was is unknown. Worth trying again."""


class Link:
    """Runs statements one at a time on one connection."""

    def __init__(
        self,
        database_url: str,
        purpose: str,
        *,
        durable: bool = True,
        statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    ) -> None:
        """durable False: a commit does not wait for the disk (synchronous_commit off)."""
        self._database_url = database_url
        self._purpose = purpose
        self._durable = durable
        self._statement_timeout_ms = statement_timeout_ms
        self._connection: psycopg.AsyncConnection[DictRow] | None = None
        self._lock = asyncio.Lock()
        self.connections = 0

    async def run(
        self, query: QueryNoTemplate, parameters: Mapping[str, Any] | None = None, *, lock: int | None = None
    ) -> list[dict[str, Any]]:
        """Carry out one statement and return its rows. Raises DatabaseAway; other errors pass unchanged.

        lock: an advisory lock that is taken before the statement looks at anything, and given back with its commit.
        """
        async with self._lock:
            try:
                connection = await self._open()
                if lock is None:
                    return await _rows(await connection.execute(query, parameters))
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock,))
                    return await _rows(await connection.execute(query, parameters))
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                await self._drop_if_lost()
                raise DatabaseAway(f"{self._purpose}: {error}") from error

    async def connection(self) -> psycopg.AsyncConnection[DictRow]:
        """The connection itself, for listening. Raises DatabaseAway."""
        async with self._lock:
            try:
                return await self._open()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise DatabaseAway(f"{self._purpose}: {error}") from error

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> psycopg.AsyncConnection[DictRow]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        connection = await psycopg.AsyncConnection.connect(
            self._database_url,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"verbatim model-calls {self._purpose}",
            **_CONNECT,
        )
        try:
            await connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            await connection.execute(f"SET statement_timeout = {self._statement_timeout_ms}")
            await connection.execute(f"SET synchronous_commit = {'on' if self._durable else 'off'}")
        except BaseException:
            await connection.close()  # also when cancelled: nobody else knows of this connection
            raise
        self._connection = connection
        self.connections += 1
        return connection

    async def _drop_if_lost(self) -> None:
        if self._connection is not None and self._connection.closed:
            await self.close()


async def _rows(cursor: psycopg.AsyncCursor[DictRow]) -> list[dict[str, Any]]:
    return await cursor.fetchall() if cursor.description is not None else []


class Pauses:
    """Growing waits between tries: reset once a try worked."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    async def wait(self) -> None:
        pause, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        await asyncio.sleep(pause)

    def reset(self) -> None:
        self._next_s = self._first_s


async def until_back(step: Callable[[], Awaitable[T]], pauses: Pauses) -> T:
    """Carry out a step that may be repeated, again and again while the database is away."""
    while True:
        try:
            return await step()
        except DatabaseAway:
            await pauses.wait()
