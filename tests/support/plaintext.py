"""Looks for a text everywhere in a database: every column of every table, and what the planner keeps of them."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Identifier, Literal

_COLUMNS = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, n.nspname, c.relname, a.attname, t.typname
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, a.attnum
"""
_STATISTICS = """
SELECT tablename, attname FROM pg_stats
WHERE position(%(text)s in lower(concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text))) > 0
   OR position(%(hex)s in concat(most_common_vals::text, histogram_bounds::text)) > 0
"""


def places_of(database_url: str, text: str) -> list[str]:
    """Every `table.column` in which the text (in lower case) stands, in whatever case, statistics included."""
    found: list[str] = []
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(_COLUMNS).fetchall()
        assert len(columns) > 100, "the tables of the product are not there"
        for _, schema, table, column, kind in columns:
            value = SQL("{}").format(Identifier(column))
            if kind == "bytea":
                readable = SQL("lower(encode({}, 'escape'))").format(value)
            else:
                readable = SQL("lower({}::text)").format(value)
            query = SQL("SELECT count(*) FROM {}.{} WHERE position({} in {}) > 0").format(
                Identifier(schema), Identifier(table), Literal(text), readable
            )
            row = connection.execute(query).fetchone()
            if row is not None and row[0]:
                found.append(f"{table}.{column}")
        statistics = connection.execute(_STATISTICS, {"text": text, "hex": text.encode().hex()}).fetchall()
    return found + [f"statistics of {table}.{column}" for table, column in statistics]
