"""Saves an installation into a folder, and brings one back: `make backup TO=FOLDER`, `make restore FROM=FOLDER`.

PostgreSQL's own pg_dump and pg_restore do the work; this knows where they are and where the database is, embedded or not, and which
keys belong to it. It never writes over anything: a backup goes into a new folder, and is brought back into an empty database.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from backend.config.environment import (
    REPOSITORY_ROOT,
    SHORTEST_SECRET_KEY,
    ConfigurationError,
    Environment,
    load_environment,
)
from backend.embedded.errors import StartError
from backend.embedded.postgres import attach_or_start, embedded_postgres
from backend.embedded.preflight import check_data_dir, check_database
from backend.embedded.progress import Progress

DUMP: Final = "database.dump"
# Who signs sessions and second factors, and who signs the transparency log.
KEYS: Final = ("secret_key", "audit_signing_key")
# From this version on, pg_restore begins with a setting that older servers refuse.
_NEW_WORDS: Final = 17
_NO_KEY: Final = "-" * SHORTEST_SECRET_KEY
CANNOT: Final = 2
FAILED: Final = 1


class BackupError(Exception):
    """One line: what is wrong, and what to do."""


def main(arguments: list[str]) -> int:
    """Save or bring back; answer 0, 2 for what cannot work, 1 for what went wrong on the way."""
    parser = argparse.ArgumentParser(prog="python -m backend.embedded.backup", description="Backups.")
    parser.add_argument("action", choices=("make", "restore"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    progress = Progress()
    try:
        # A key that were made here would stand in the way of the backup's.
        environment = load_environment({**os.environ, "SECRET_KEY": _NO_KEY})
        folder = REPOSITORY_ROOT / options.folder.expanduser()
        (make if options.action == "make" else restore)(environment, folder, progress)
    except (ConfigurationError, StartError, BackupError) as error:
        progress.warn(getattr(error, "message", str(error)))
        return CANNOT
    except OSError as error:
        progress.warn(f"{error.filename or options.folder} cannot be used: {error.strerror}.")
        return FAILED
    return 0


def make(environment: Environment, folder: Path, progress: Progress) -> None:
    """Save the database as it is at this moment, and the keys. People may go on meanwhile. Raises BackupError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is there already. Name a folder that is not, so that no backup is lost.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Under another name until it is whole: nobody takes half of one for a backup. The folder may be open to others.
    draft = folder / f".{DUMP}"
    try:
        draft.touch(mode=0o600)
        with _database(environment) as url, progress.step("Saving the database", "Saved"):
            options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")
            written_by = _run(environment, "pg_dump", url, *options)
            server = _server_version(url)
        _copy_keys(environment.data_dir, folder)
    except BaseException:
        # The folder was empty, and the next try finds it so.
        for name in (draft.name, *KEYS):
            (folder / name).unlink(missing_ok=True)
        raise
    draft.replace(folder / DUMP)
    if server < _NEW_WORDS <= written_by:
        progress.warn(
            f"It was written by pg_dump {written_by} and cannot go back into PostgreSQL {server}, only into {_NEW_WORDS} or newer. "
            f"Install PostgreSQL's client programs of version {server}, and make another."
        )
    size = sum(path.stat().st_size for path in folder.iterdir())
    progress.say(
        f"{folder}: {size:,} bytes. It holds everything that was said, and keys: keep it as you keep those."
    )


def restore(environment: Environment, folder: Path, progress: Progress) -> None:
    """Bring a backup back into an empty database, and its keys into DATA_DIR. Raises BackupError."""
    if not (folder / DUMP).is_file():
        raise BackupError(f"{folder} holds no {DUMP}. Name the folder that `make backup TO=…` has filled.")
    check_data_dir(environment.data_dir)
    _check_keys(environment.data_dir, folder)
    with _database(environment) as url:
        _check_empty(url)
        # Before the database, so that whatever goes wrong can be tried again.
        _copy_keys(folder, environment.data_dir)
        with progress.step("Bringing the database back", "It is back"):
            options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
            _run(environment, "pg_restore", url, *options, str(folder / DUMP))
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
    progress.say(f"{row[0] if row else 0:,} events are back. Now: make run, then make verify.")


@contextmanager
def _database(environment: Environment) -> Iterator[str]:
    """As whom the tables are owned, where there are two roles."""
    url = environment.database.owner_url or environment.database_url
    if url:
        check_database(url)
        yield url
    else:
        with attach_or_start(environment) as embedded:
            yield embedded


def _check_empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regclass('events') IS NOT NULL").fetchone()
    if row is not None and row[0]:
        raise BackupError(
            "There is an installation in this database already, and nothing is written over it. Restore into a new one: set "
            "DATA_DIR to a new folder, or DATABASE_URL to an empty database."
        )


def _check_keys(data_dir: Path, folder: Path) -> None:
    for name in KEYS:
        mine, saved = data_dir / name, folder / name
        if mine.exists() and saved.exists() and mine.read_bytes() != saved.read_bytes():
            raise BackupError(
                f"{mine} is another key than the backup's. Put one of the two away: with another secret_key all sessions and second "
                "factors end, with another audit_signing_key the log goes on under a new name."
            )


def _copy_keys(source: Path, target: Path) -> None:
    """Those that are there, readable by their owner only; one that the target has already stays."""
    for name in KEYS:
        if (source / name).exists() and not (target / name).exists():
            shutil.copy2(source / name, target / name)
            (target / name).chmod(0o600)


def _run(environment: Environment, program: str, url: str, *arguments: str) -> int:
    """One of PostgreSQL's programs on this database; answers its version. Raises BackupError with the first line it said."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    # Everybody on the machine can read a command line.
    password = parts.pop("password", "")
    place = make_conninfo("", **parts)
    found = _program(environment, program, _server_version(url))
    command = [found, f"--dbname={place}", *arguments]
    kept = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    result = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = [line for line in result.stderr.splitlines() if line.strip()]
        raise BackupError(
            f"{program} ended with {result.returncode}: {said[0] if said else 'it said nothing'}"
        )
    return next(iter(_version(found)), 0)


def _server_version(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10_000


def _program(environment: Environment, name: str, server: int) -> str:
    """Of those that are not older than the server, embedded or the system's, the oldest: newer ones say what it does not know."""
    found = [path for path in (shutil.which(name), _embedded(environment, name)) if path]
    if not found:
        raise BackupError(
            f"{name} is not installed here. Install PostgreSQL's client programs, of the server's version or newer."
        )
    fitting = [path for path in found if _version(path) >= (server,)]
    return min(fitting, key=_version) if fitting else max(found, key=_version)


def _embedded(environment: Environment, name: str) -> str | None:
    try:
        return str(embedded_postgres(environment.data_dir).binaries / name)
    except StartError:
        return None


def _version(program: str) -> tuple[int, ...]:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\d+(?:\.\d+)*", told)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
