"""What the measurements under load have in common: accounts, processor time, memory and counted statements.

Looks into the product's database and its processes from outside; the product knows nothing of it.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.stack import PART_MARKS, REPOSITORY, Stack

SECRET_KEY = "only-for-measurements-" + secrets.token_hex(16)
"""Given to the product too, so that sessions made here are valid there."""

_LITERAL = re.compile(
    r"'(?:[^']|'')*'(?:::\w+(?:\[\])?)?|\b\d+\b|(?<== )ARRAY\[[^]]*\]|\((?:\?|%s)(?:, (?:\?|%s))*\)"
)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def metronome() -> Iterator[str]:
    """The URL of a runner in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.metronome"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def make_accounts(stack: Stack, count: int) -> list[dict[str, str]]:
    """People who are logged in: {"session", "csrf"} each. Without passwords, whose hashes would take minutes."""
    os.environ.update(
        DATABASE_URL=stack.database_url,
        SECRET_KEY=SECRET_KEY,
        DJANGO_SETTINGS_MODULE="backend.config.settings",
    )
    import django

    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connections

    people: Any = get_user_model()
    made = []
    for number in range(count):
        user = people(email=f"person-{number}@example.org", display_name=f"Person {number}")
        user.set_unusable_password()
        user.save()
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        made.append({"session": str(session.session_key), "csrf": secrets.token_hex(16)})
    connections.close_all()
    return made


def part_processes(stack: Stack, part: str) -> list[int]:
    return [each for pid in stack.part_pids(part) for each in (pid, *_descendants(pid))]


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """Processor time that each part has used until now; of processes that have ended, too, below their parent."""
    parts = [part for part in PART_MARKS if part != "runner"]
    return {part: sum(process_cpu_seconds(pid) for pid in part_processes(stack, part)) for part in parts}


def memory_mb(pids: list[int]) -> float:
    """Proportional memory, in which what several processes share counts once."""
    return sum(_pss(pid) for pid in pids)


class StatementCount:
    """Counts the statements that PostgreSQL carries out, from its own log, which costs it some time."""

    def __init__(self, stack: Stack) -> None:
        self._database_url = stack.database_url
        self._log = stack.data_dir / "logs" / "postgres.log"
        self.statements: list[tuple[int, str]] = []
        self._begun_at = 0

    def __enter__(self) -> StatementCount:
        self._set_logging("all")
        self._begun_at = self._log.stat().st_size
        return self

    def __exit__(self, *_: object) -> None:
        with self._log.open("rb") as log:
            log.seek(self._begun_at)
            lines = log.read().decode("utf-8", "replace").splitlines()
        self._set_logging("none")
        for line in lines:
            head, separator, text = line.partition("LOG:  ")
            kind, colon, statement = text.partition(": ")
            if separator and colon and (kind == "statement" or kind.startswith("execute ")):
                self.statements.append((int(head.rpartition("[")[2].rstrip("] :")), statement.strip()))
            elif self.statements and not separator and line.startswith("\t"):
                # The log breaks a statement where the statement does.
                pid, begun = self.statements[-1]
                self.statements[-1] = (pid, f"{begun} {line.strip()}".strip())

    def counted(self) -> Counter[str]:
        """How often each statement was carried out."""
        return Counter(_LITERAL.sub("?", " ".join(statement.split())) for _, statement in self.statements)

    def _set_logging(self, what: str) -> None:
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{what}'")
            connection.execute("SELECT pg_reload_conf(), pg_sleep(0.2)")


def process_cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS_PER_S


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*children, *(each for child in children for each in _descendants(child))]


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
