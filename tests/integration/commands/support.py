"""What the tests of management commands share: running one, and a database whose past somebody changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from uuid import UUID

import psycopg
from django.core.management import call_command

from tests.integration.projections.stories import put
from tests.integration.projections.talk import Talk

_WITHOUT_THE_TRIGGER = "ALTER TABLE events DISABLE TRIGGER USER"


@dataclass(frozen=True)
class Told:
    """How `verify prompts` ended. lines: what it wrote, without the summary."""

    status: int
    lines: list[str]
    summary: str

    @property
    def calls(self) -> list[UUID]:
        """The calls it named, in order."""
        found = [re.match(r"[a-z]+: call ([0-9a-f-]{36})\. ", line) for line in self.lines]
        return [UUID(match[1]) for match in found if match]


def verify(*arguments: str) -> Told:
    """`manage.py verify prompts` with these arguments, in this process."""
    out, status = StringIO(), 0
    try:
        call_command("verify", "prompts", *arguments, stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    *lines, summary = out.getvalue().splitlines()
    return Told(status, lines, summary)


def store(talk: Talk, database_url: str) -> None:
    """Put what was told into the test's database."""
    put(talk.store.read_after(0, talk.store.end()), database_url)


def tamper(database_url: str, sql: str, *parameters: object) -> None:
    """Change stored events as only somebody with all rights in the database can; it must change exactly one."""
    with psycopg.connect(database_url) as connection:
        connection.execute(_WITHOUT_THE_TRIGGER)
        assert connection.execute(sql, parameters).rowcount == 1


def rewrite(database_url: str, stream_id: UUID, version: int, old: str, new: str) -> None:
    """Replace a text inside one stored event."""
    sql = (
        "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), %s, %s), 'UTF8')"
        " WHERE originator_id = %s AND originator_version = %s AND position(%s IN convert_from(state, 'UTF8')) > 0"
    )
    tamper(database_url, sql, old, new, stream_id, version, old)


def remove(database_url: str, stream_id: UUID, version: int) -> None:
    tamper(
        database_url,
        "DELETE FROM events WHERE originator_id = %s AND originator_version = %s",
        stream_id,
        version,
    )
