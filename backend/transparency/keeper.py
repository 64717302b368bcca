"""Keeps the log: adds events soon after their commit, signs every minute in which something happened, hands it out.

A thread of the projection worker. Several may run: locks in the database let one at a time write, and the others find
that there is nothing to do. What went wrong is tried again; nothing here may stop the worker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from backend.transparency.hashes import LogIncomplete
from backend.transparency.outlets import Outlet, deliver
from backend.transparency.sequencer import sequence
from backend.transparency.signing import LogContradicted, LogKeys, newest, sign

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
SIGN_EVERY: Final = timedelta(minutes=1)
_PAUSE_AFTER_FAILURE_S: Final = 5.0
_PAUSE_WHEN_BROKEN_S: Final = 60.0
# One process at a time hands out checkpoints, or each would be delivered several times.
_DELIVERY_LOCK: Final = 0x7665726261746C64


def keep(
    stop: threading.Event,
    *,
    database_url: str,
    keys: LogKeys,
    outlets: Sequence[Outlet],
    now: Callable[[], datetime],
    every_s: float = EVERY_S,
) -> None:
    """Keep the log until `stop` is set. Outlives losing the database."""
    while not stop.is_set():
        try:
            with psycopg.connect(database_url, autocommit=True) as connection:
                while not stop.wait(every_s):
                    _round(connection, keys, outlets, now())
        except psycopg.Error as error:
            logger.warning("The transparency log cannot reach the database, trying again: %s", error)
            stop.wait(_PAUSE_AFTER_FAILURE_S)
        except (LogContradicted, LogIncomplete) as error:
            logger.error("%s", error)
            stop.wait(_PAUSE_WHEN_BROKEN_S)


def _round(
    connection: psycopg.Connection[Any], keys: LogKeys, outlets: Sequence[Outlet], now: datetime
) -> None:
    size = sequence(connection)
    last = newest(connection)
    if size and (last is None or (size > last.size and now - last.signed_at >= SIGN_EVERY)):
        sign(connection, keys, now)
    if outlets:
        [(ours,)] = connection.execute("SELECT pg_try_advisory_lock(%s)", (_DELIVERY_LOCK,)).fetchall()
        if ours:
            try:
                deliver(connection, outlets, now)
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_DELIVERY_LOCK,))
