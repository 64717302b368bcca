"""Two database roles: the owner of the tables, and the one that Verbatim runs as, which cannot change what was recorded.

Grants what the running product needs, and nothing that would let it change events or the log. Run as the owner. What the
role may do then is looked at by backend.bootstrap.database_rights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import LiteralString

from psycopg.sql import SQL, Composed, Identifier

from backend.bootstrap.database_rights import ADDED_TO_ONLY, READ_ONLY, Connection
from backend.event_store.recorder import EVENTS_TABLE

_ROLE = "SELECT rolsuper, rolcanlogin, pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s"
_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " ORDER BY relname"
)
_SEQUENCES = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'"
    " ORDER BY relname"
)
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
    yield "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT EXECUTE ON FUNCTIONS TO {role}", ""
    yield "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}", ""
    for table in tables:
        yield "REVOKE ALL ON TABLE {schema}.{name} FROM PUBLIC, {role}", table
        if table == EVENTS_TABLE:
            yield "GRANT SELECT ON TABLE {schema}.{name} TO {role}", table
            # Not the position, which the sequence gives: whoever chose one far ahead would have later events passed over.
            yield (
                "GRANT INSERT (originator_id, originator_version, topic, state) ON TABLE {schema}.{name} TO {role}",
                table,
            )
        elif table in ADDED_TO_ONLY:
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
