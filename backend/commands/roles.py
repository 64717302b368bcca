"""Two database roles: the owner of the tables, and the one that Verbatim runs as, which cannot change what was recorded.

Grants what the running product needs, and nothing that would let it change events or the log; then looks whether that
is so. Run as the owner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final, LiteralString

import psycopg
from django.conf import settings
from psycopg.sql import SQL, Composed, Identifier

from backend.event_store.recorder import EVENTS_TABLE

logger = logging.getLogger(__name__)

ADDED_TO_ONLY: Final = (EVENTS_TABLE, "log_leaf", "log_subtree", "log_checkpoint")
"""The tables of what was recorded: the running product reads them and adds to them."""
READ_ONLY: Final = ("django_migrations",)
_NEVER: Final = ("UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

Connection = psycopg.Connection[tuple[object, ...]]

_ROLE = "SELECT rolsuper, rolcanlogin, pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s"
_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " ORDER BY relname"
)
_SEQUENCES = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'"
    " ORDER BY relname"
)
_OWNED = (
    "SELECT relname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S') AND rolname = %s ORDER BY 1"
)
_MAY = "SELECT has_table_privilege(%s, %s::regclass, %s)"
_MAY_SET = (
    "SELECT has_sequence_privilege(%s, pg_get_serial_sequence(%s, 'notification_id')::regclass, 'UPDATE')"
)
_MAY_CREATE = "SELECT has_schema_privilege(%s, current_schema(), 'CREATE')"
_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass"
_WHERE = "SELECT current_user, current_database(), current_schema()"


class RolesRefused(Exception):
    """Why the roles cannot be set up, and what to do."""


def grant(connection: Connection, role: str, report: Callable[[str], None]) -> None:
    """Give the role what the running product needs, in one transaction. Raises RolesRefused."""
    with connection.transaction():
        owner, database, schema = (str(part) for part in _one(connection, _WHERE))
        _check_role(connection, role, owner)
        names = {"role": role, "database": database, "schema": schema}
        for statement in _statements(_names(connection, _TABLES), _names(connection, _SEQUENCES)):
            connection.execute(_composed(statement, names))
    report(f"{role} may use database {database}: add to {', '.join(ADDED_TO_ONLY)}; change the other tables.")


def problems(connection: Connection, role: str) -> list[str]:
    """What the role may do that it must not: one line each, none where all is well."""
    found: list[str] = []
    if owned := _names(connection, _OWNED, role):
        found.append(f"{role} owns {', '.join(owned)}, and an owner may do everything.")
    for table in ADDED_TO_ONLY:
        allowed = [kind for kind in _NEVER if _one(connection, _MAY, role, table, kind)[0]]
        if allowed:
            found.append(f"{role} has {', '.join(allowed)} on {table}.")
    if _one(connection, _MAY_SET, role, EVENTS_TABLE)[0]:
        found.append(f"{role} may set the sequence of positions back.")
    if _one(connection, _MAY_CREATE, role)[0]:
        found.append(f"{role} may create tables and functions in the schema.")
    return found


def warn_of_rights(database_url: str) -> None:
    """Say in the log when the product runs with rights that the two roles were set up to keep from it."""
    if not settings.DATABASE_ROLES.runtime_role:
        return
    with psycopg.connect(database_url, autocommit=True) as connection:
        role = str(_one(connection, "SELECT current_user")[0])
        if found := problems(connection, role):
            logger.warning(
                "Verbatim runs as a database role that can change what was recorded: %s Let DATABASE_URL name the role "
                "of DATABASE_RUNTIME_ROLE, and run `manage.py database_roles`.",
                " ".join(found),
            )


def _check_role(connection: Connection, role: str, owner: str) -> None:
    row = connection.execute(_ROLE, (role,)).fetchone()
    if row is None:
        raise RolesRefused(
            f"There is no database role {role}. Make it first, as an administrator of the database: "
            f"CREATE ROLE {role} LOGIN PASSWORD '…';"
        )
    is_superuser, can_log_in, is_member = row
    if not _one(connection, _IS_OWNER, EVENTS_TABLE)[0]:
        raise RolesRefused(
            f"{owner} does not own the tables, so it cannot say who may use them. Set DATABASE_OWNER_URL to the role that "
            "does, the one that `migrate` used."
        )
    if role == owner:
        raise RolesRefused(
            f"{role} is also the role that this command uses. Name another one in DATABASE_RUNTIME_ROLE, and the tables' "
            "owner in DATABASE_OWNER_URL."
        )
    if is_superuser or is_member:
        why = "is a superuser" if is_superuser else f"is a member of {owner}, the tables' owner"
        raise RolesRefused(f"{role} {why}, so nothing can be kept from it. Make an ordinary role for it.")
    if not can_log_in:
        raise RolesRefused(f"{role} may not log in: ALTER ROLE {role} LOGIN PASSWORD '…';")


def _statements(tables: list[str], sequences: list[str]) -> Iterator[tuple[LiteralString, str]]:
    """Statements with what they are about. Whatever was granted before is taken back first."""
    yield "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}", ""
    yield "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}", ""
    yield "GRANT USAGE ON SCHEMA {schema} TO {role}", ""
    # For tables that are made between two runs of this; what is in ADDED_TO_ONLY is made by migrations, which run it.
    yield (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "",
    )
    yield "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}", ""
    for table in tables:
        yield "REVOKE ALL ON TABLE {schema}.{name} FROM PUBLIC, {role}", table
        if table in ADDED_TO_ONLY:
            yield "GRANT SELECT, INSERT ON TABLE {schema}.{name} TO {role}", table
        elif table in READ_ONLY:
            yield "GRANT SELECT ON TABLE {schema}.{name} TO {role}", table
        else:
            yield "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {schema}.{name} TO {role}", table
    for sequence in sequences:
        yield "REVOKE ALL ON SEQUENCE {schema}.{name} FROM PUBLIC, {role}", sequence
        yield "GRANT USAGE, SELECT ON SEQUENCE {schema}.{name} TO {role}", sequence


def _composed(statement: tuple[LiteralString, str], names: dict[str, str]) -> Composed:
    text, name = statement
    return SQL(text).format(
        **{key: Identifier(value) for key, value in {**names, "name": name}.items() if value}
    )


def _names(connection: Connection, sql: LiteralString, *parameters: str) -> list[str]:
    return [str(name) for (name,) in connection.execute(sql, parameters).fetchall()]


def _one(connection: Connection, sql: LiteralString, *parameters: str) -> tuple[object, ...]:
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row
