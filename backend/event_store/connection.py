"""How the event store reaches PostgreSQL: a pool of its own, apart from Django's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import dict_row

from backend.event_store.pool import checked_pool
from backend.event_store.recorder import LOCK_TIMEOUT_S

POOL_SIZE = 2
POOL_OVERFLOW = 14
WAIT_FOR_CONNECTION_S = 5.0
CONNECTION_LIFETIME_S = 60 * 60.0


def open_datastore(database_url: str) -> PostgresDatastore:
    """A datastore for `postgresql://…`, with every option that the address gives, such as sslmode."""
    datastore = PostgresDatastore(
        dbname="", host="", port="", user="", password="", lock_timeout=LOCK_TIMEOUT_S
    )
    # The library's own pool takes only the five parts above and drops the rest of the address. It was never
    # opened, so ours simply takes its place.
    datastore.pool = cast(
        "Any",
        checked_pool(
            database_url,
            connection_class=psycopg.Connection[Any],
            kwargs={"row_factory": dict_row},
            min_size=POOL_SIZE,
            max_size=POOL_SIZE + POOL_OVERFLOW,
            configure=_configure(datastore.after_connect_func()),
            timeout=WAIT_FOR_CONNECTION_S,
            max_lifetime=CONNECTION_LIFETIME_S,
        ),
    )
    return datastore


def _configure(library_does: Callable[[Any], None]) -> Callable[[Any], None]:
    def configure(connection: psycopg.Connection[Any]) -> None:
        library_does(connection)
        # For the connection's whole life, so that an append need not say it each time.
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")

    return configure
