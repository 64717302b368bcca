"""Turns what commonly goes wrong with the database during a command into one line that says what to do.

For management commands only. Errors of any other kind pass unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management.base import CommandError
from django.db import Error as DjangoDatabaseError

_MISSING_TABLE = "42P01"
_MISSING_COLUMN = "42703"


@contextmanager
def plain_database_errors(advice: str = "") -> Iterator[None]:
    """Raises CommandError for an unreachable database, or for tables that do not fit this release.

    advice: what else to know when the database was lost in the middle.
    """
    try:
        yield
    except (psycopg.Error, DjangoDatabaseError) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        if not isinstance(cause, psycopg.Error):
            raise
        first_line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if cause.sqlstate in (_MISSING_TABLE, _MISSING_COLUMN):
            raise CommandError(
                f"The tables do not fit this release: {first_line}. Run `manage.py migrate`, then start again."
            ) from error
        if isinstance(cause, psycopg.OperationalError):
            raise CommandError(f"The database does not answer: {first_line}. {advice}".rstrip()) from error
        raise
