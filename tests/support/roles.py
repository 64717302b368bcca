"""A database with two roles, as an installation on a server of its own has it: an owner, and one to run as."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier


@dataclass(frozen=True)
class TwoRoles:
    """Addresses of one database: as its owner, as the running product, and as an administrator of the server."""

    owner_url: str
    runtime_url: str
    admin_url: str
    owner: str
    runtime: str


@contextmanager
def two_roles(empty_database: str) -> Iterator[TwoRoles]:
    """Both roles, freshly made; the database belongs to the owner, and has no tables yet."""
    mark = uuid4().hex[:8]
    owner, runtime = f"owner_{mark}", f"runtime_{mark}"
    database = str(conninfo_to_dict(empty_database)["dbname"])
    with psycopg.connect(empty_database, autocommit=True) as admin:
        for role in (owner, runtime):
            admin.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'for tests only'").format(Identifier(role)))
        admin.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(database), Identifier(owner)))
    try:
        yield TwoRoles(
            _as(empty_database, owner), _as(empty_database, runtime), empty_database, owner, runtime
        )
    finally:
        with psycopg.connect(empty_database, autocommit=True) as admin:
            admin.execute(SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(Identifier(owner)))
            for role in (owner, runtime):
                admin.execute(SQL("DROP OWNED BY {}").format(Identifier(role)))
                admin.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def _as(url: str, role: str) -> str:
    """The same address for another role."""
    scheme, _, rest = url.partition("://")
    who, at, where = rest.partition("@")
    return f"{scheme}://{role}:for%20tests%20only@{where if at else who}"
