"""Looks at what a database role may do: too much, where it could change what was recorded, or too little to work.

Only looks, and so can be run as any role; granting is the business of `manage.py database_roles`. A role counts for all that
it can become: rights that it does not inherit are one `SET ROLE` away.
"""

from __future__ import annotations

import logging
from typing import Final, LiteralString

import psycopg
from django.conf import settings

from backend.event_store.recorder import EVENTS_TABLE

logger = logging.getLogger(__name__)

ADDED_TO_ONLY: Final = (EVENTS_TABLE, "log_leaf", "log_subtree", "log_checkpoint")
"""The tables of what was recorded: the running product reads them and adds to them."""
READ_ONLY: Final = ("django_migrations",)
"""Says which guards are there already: whoever could write it could have later ones left out."""
# What the running product does with all other tables.
_NEEDED: Final = ["SELECT", "INSERT", "UPDATE", "DELETE"]

_CHANGING: Final = ["UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
_CONNECT_TIMEOUT_S: Final = 2

Connection = psycopg.Connection[tuple[object, ...]]

_ROLE = "SELECT rolsuper FROM pg_roles WHERE rolname = %s"
# What makes an administrator of a role sooner or later, by the name that PostgreSQL gives it.
_POWERS = (
    "SELECT 'CREATEROLE' FROM pg_roles WHERE rolcreaterole AND pg_has_role(%(role)s, oid, 'MEMBER')"
    " UNION SELECT rolname FROM pg_roles WHERE pg_has_role(%(role)s, oid, 'MEMBER')"
    " AND rolname IN ('pg_execute_server_program', 'pg_write_server_files') ORDER BY 1"
)
_OWNED = """
SELECT pg_get_userbyid(owner), string_agg(DISTINCT kind, ', ' ORDER BY kind) FROM (
    SELECT relowner, 'tables' FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S')
    UNION SELECT proowner, 'functions' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION SELECT nspowner, 'the schema' FROM pg_namespace WHERE nspname = current_schema()
    UNION SELECT datdba, 'the database' FROM pg_database WHERE datname = current_database()
) AS owned (owner, kind) WHERE pg_has_role(%(role)s, owner, 'MEMBER') GROUP BY owner ORDER BY 1
"""
_ON_TABLE = """
SELECT kind FROM unnest(%(kinds)s::text[]) WITH ORDINALITY AS asked (kind, place) WHERE EXISTS (
    SELECT FROM pg_roles WHERE pg_has_role(%(role)s, oid, 'MEMBER') AND CASE
        WHEN kind IN ('INSERT', 'UPDATE', 'REFERENCES') THEN has_any_column_privilege(oid, %(table)s::regclass, kind)
        ELSE has_table_privilege(oid, %(table)s::regclass, kind) END
) ORDER BY place
"""
_ELSEWHERE = """
SELECT bool_or(has_sequence_privilege(oid, pg_get_serial_sequence(%(events)s, 'notification_id')::regclass, 'UPDATE')),
    bool_or(has_schema_privilege(oid, current_schema(), 'CREATE')),
    bool_or(has_database_privilege(oid, current_database(), 'CREATE')),
    bool_or(has_column_privilege(oid, %(events)s::regclass, 'notification_id', 'INSERT'))
FROM pg_roles WHERE pg_has_role(%(role)s, oid, 'MEMBER')
"""
_MISSING = """
SELECT 'database', current_database(), kind FROM unnest(ARRAY['CONNECT', 'TEMPORARY']) AS needed (kind)
WHERE NOT has_database_privilege(%(role)s, current_database(), kind)
UNION ALL
SELECT 'schema', current_schema(), 'USAGE' WHERE NOT has_schema_privilege(%(role)s, current_schema(), 'USAGE')
UNION ALL
SELECT 'table', relname, kind FROM pg_class, unnest(
    CASE WHEN relname = ANY(%(read_only)s) THEN ARRAY['SELECT'] WHEN relname = ANY(%(added_to_only)s)
    THEN ARRAY['SELECT', 'INSERT'] ELSE %(needed)s::text[] END
) AS needed (kind)
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND NOT CASE kind WHEN 'INSERT' THEN has_any_column_privilege(%(role)s, pg_class.oid, kind)
        ELSE has_table_privilege(%(role)s, pg_class.oid, kind) END
UNION ALL
SELECT 'sequence', relname, 'USAGE' FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
    AND CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(%(role)s, oid, 'USAGE') ELSE false END
UNION ALL
SELECT 'function', proname, 'EXECUTE' FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prorettype <> 'trigger'::regtype
    AND NOT has_function_privilege(%(role)s, oid, 'EXECUTE')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


def too_much(connection: Connection, role: str) -> list[str]:
    """What the role may do that it must not: one line each, none where all is well."""
    row = connection.execute(_ROLE, (role,)).fetchone()
    if row is not None and row[0]:
        return [f"{role} is a superuser, from whom nothing can be kept."]
    found = [
        f"{role} has {power}, by which it can give itself other rights."
        for power in _names(connection, _POWERS, role=role)
    ]
    for owner, what in connection.execute(_OWNED, {"role": role}).fetchall():
        who = f"{role} owns" if owner == role else f"{role} can act as {owner}, who owns"
        found.append(f"{who} {what}, and an owner may do everything.")
    for table in (*ADDED_TO_ONLY, *READ_ONLY):
        kinds = [*(["INSERT"] if table in READ_ONLY else []), *_CHANGING]
        if allowed := _names(connection, _ON_TABLE, role=role, table=table, kinds=kinds):
            found.append(f"{role} has {', '.join(allowed)} on {table}.")
    row = connection.execute(_ELSEWHERE, {"role": role, "events": EVENTS_TABLE}).fetchone()
    sets_positions, creates_in_schema, creates_schemas, chooses_positions = row or (False,) * 4
    if sets_positions:
        found.append(f"{role} may set the sequence of positions back.")
    if chooses_positions:
        found.append(
            f"{role} may give an event a position of its own choice, beyond which later events would be passed over."
        )
    if creates_in_schema:
        found.append(f"{role} may create tables and functions in the schema.")
    if creates_schemas:
        found.append(f"{role} may create schemas in the database, which could stand before the tables' own.")
    return found


def too_little(connection: Connection, role: str) -> list[str]:
    """What the running product needs and the role may not do, one line for each thing it is about."""
    given = {
        "role": role,
        "read_only": [*READ_ONLY],
        "added_to_only": [*ADDED_TO_ONLY],
        "needed": _NEEDED,
    }
    missing: dict[str, list[str]] = {}
    for kind, name, right in connection.execute(_MISSING, given).fetchall():
        missing.setdefault(f"{kind} {name}", []).append(str(right))
    return [f"{role} lacks {', '.join(rights)} on {what}." for what, rights in missing.items()]


def warn_of_rights(database_url: str) -> None:
    """Say in the log when the product runs with rights that the two roles were set up to keep from it."""
    if not settings.DATABASE_ROLES.runtime_role:
        return
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            (role,) = _names(connection, "SELECT current_user")
            found = too_much(connection, role)
    except psycopg.Error:
        return  # a database that is away, or has no tables yet: whoever goes on meets the same, and says so
    if found:
        logger.warning(
            "Verbatim runs as a database role that can change what was recorded: %s Let DATABASE_URL name the role "
            "of DATABASE_RUNTIME_ROLE, and run `manage.py database_roles`.",
            " ".join(found),
        )


def _names(connection: Connection, sql: LiteralString, **parameters: object) -> list[str]:
    return [str(name) for (name,) in connection.execute(sql, parameters).fetchall()]
