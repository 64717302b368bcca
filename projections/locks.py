"""Advisory locks: one projection worker at work at a time, and one rebuild of each read model.

A lock lives as long as the database session that took it, so a process that dies leaves none behind.
They only spare wasted work; that nothing is applied twice is seen to by the compare in batches.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

WORKER_KEYS: Final = (0x56525042, 1)
_REBUILD_CLASS: Final = 0x56525043


def rebuild_keys(read_model: str) -> tuple[int, int]:
    """The pair of numbers that the rebuild lock of this read model goes by."""
    return _REBUILD_CLASS, zlib.crc32(read_model.encode()) & 0x7FFFFFFF


class LockSession:
    """Takes advisory locks on a connection of its own and holds them as long as that lives."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def try_take(self, keys: tuple[int, int]) -> bool:
        """Take a lock if nobody has it; False otherwise. Raises psycopg.OperationalError."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", keys).fetchone()
        return row is not None and bool(row[0])

    def release(self, keys: tuple[int, int]) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", keys)

    def check(self) -> None:
        """Raises psycopg.OperationalError when the session, and with it every lock, is gone."""
        self._connection.execute("SELECT 1")


@contextmanager
def lock_session(database_url: str) -> Iterator[LockSession]:
    """A session without locks; leaving the context lets go of all that were taken."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield LockSession(connection)
