"""A real PostgreSQL for the tests: one server a session, and a fresh migrated database for each test.

The event store has connections of its own and refuses TRUNCATE, so Django's test transactions cannot
clean up after it; copying a migrated template takes some ten milliseconds and is always clean.
The server is the embedded one in a temporary folder, or TEST_DATABASE_URL where that is set.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from backend.embedded.postgres import embedded_postgres, stop

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER_PREFIX = "verbatim-test-database-"
STALE_SECONDS = 24 * 3600


class TestServer:
    """A server with a migrated template database, from which fresh ones are copied."""

    __test__ = False

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._template = f"template_{uuid4().hex[:12]}"
        with self._admin() as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(self._template)))
        migrate(self.url_of(self._template))

    def url_of(self, database: str) -> str:
        """The address of a database on this server."""
        parts = conninfo_to_dict(self._admin_url)
        host, port = str(parts.get("host") or ""), str(parts.get("port") or "")
        user, password = str(parts.get("user") or ""), str(parts.get("password") or "")
        who = f"{user}:{password}@" if password else f"{user}@" if user else ""
        if host.startswith("/"):
            return f"postgresql://{who}/{database}?host={host}" + (f"&port={port}" if port else "")
        return f"postgresql://{who}{host}{':' + port if port else ''}/{database}"

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of a migrated, empty database that is dropped afterwards."""
        name = f"test_{uuid4().hex[:12]}"
        with self._admin() as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(self._template))
            )
        try:
            yield self.url_of(name)
        finally:
            self._drop(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of a database without any table."""
        name = f"test_{uuid4().hex[:12]}"
        with self._admin() as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield self.url_of(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        self._drop(self._template)

    def _drop(self, name: str) -> None:
        with self._admin() as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._admin_url, autocommit=True)


def migrate(database_url: str) -> None:
    """Run the product's migrations on a database, in a process of their own as an installation does."""
    for command in (["migrate", "--noinput", "-v0"], ["createcachetable"]):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "backend" / "manage.py"), *command],
            env={**os.environ, "DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"manage.py {command[0]} failed on the test database:\n{done.stdout}{done.stderr}"
            )


@contextmanager
def running_test_server() -> Iterator[TestServer]:
    """The session's server; it and its folder are gone afterwards."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        server = TestServer(given)
        try:
            yield server
        finally:
            server.close()
        return
    _remove_stale_folders()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    # The server may run as another user than root and must reach its folder.
    folder.chmod(0o755)
    postgres = embedded_postgres(folder)
    postgres.prepare()
    process = postgres.start()
    atexit.register(_end, process)
    try:
        postgres.ensure_database()
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            # Tests may lose their data with the machine's power; real installations keep fsync on.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield TestServer(postgres.url())
    finally:
        stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        stop(process)


def _remove_stale_folders() -> None:
    """Folders that a crashed run left behind long ago."""
    for folder in Path(tempfile.gettempdir()).glob(FOLDER_PREFIX + "*"):
        if time.time() - folder.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
