"""Turns what commonly goes wrong with the database during a command into one line that says what to do.

For management commands only. Errors of any other kind pass unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management.base import CommandError
from django.db import Error as DjangoDatabaseError
from django.db.migrations.exceptions import MigrationSchemaMissing
from eventsourcing.persistence import PersistenceError

_MISSING_TABLE = "42P01"
_MISSING_COLUMN = "42703"
_MISSING_RIGHT = "42501"


@contextmanager
def plain_database_errors(advice: str = "") -> Iterator[None]:
    """Raises CommandError for an unreachable database, for tables that do not fit this release, or for a missing right.

    advice: what else to know when the database was lost in the middle.
    """
    try:
        yield
    except (psycopg.Error, DjangoDatabaseError, PersistenceError, MigrationSchemaMissing) as error:
        cause = _what_the_database_said(error)
        if cause is None:
            raise
        first_line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if cause.sqlstate in (_MISSING_TABLE, _MISSING_COLUMN):
            raise CommandError(
                f"The tables do not fit this release: {first_line}. Run `manage.py migrate`, then start again."
            ) from error
        if cause.sqlstate == _MISSING_RIGHT:
            raise CommandError(
                f"The database role may not do that: {first_line}. Where two roles are set up, set DATABASE_OWNER_URL "
                "to the address of the one that owns the tables, and run this again."
            ) from error
        if isinstance(cause, psycopg.OperationalError):
            raise CommandError(f"The database does not answer: {first_line}. {advice}".rstrip()) from error
        raise


def _what_the_database_said(error: BaseException) -> psycopg.Error | None:
    """The database's own error, which libraries wrap in theirs, some of them while handling it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, psycopg.Error):
        found = found.__cause__ or found.__context__
    return found
