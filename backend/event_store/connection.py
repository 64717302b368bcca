"""How the event store reaches PostgreSQL: a pool of its own, apart from Django's."""

from __future__ import annotations

from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from backend.event_store.recorder import LOCK_TIMEOUT_S

POOL_SIZE = 2
POOL_OVERFLOW = 14


def open_datastore(database_url: str) -> PostgresDatastore:
    """A datastore for `postgresql://…`; a socket folder may stand in place of the host."""
    parts = conninfo_to_dict(database_url)
    known = {name: str(parts.get(name) or "") for name in ("dbname", "host", "port", "user", "password")}
    return PostgresDatastore(
        dbname=known["dbname"],
        host=known["host"],
        port=known["port"] or "5432",
        user=known["user"],
        password=known["password"],
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        lock_timeout=LOCK_TIMEOUT_S,
        # A connection that died while it lay idle is noticed before an append is sent on it.
        pre_ping=True,
    )
