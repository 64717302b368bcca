"""The whole product as a subprocess, as `make run` would start it, for tests that speak only HTTP to it.

Each stack has its own DATA_DIR, its own free port and its own embedded PostgreSQL. Parts are found by
their command lines below the supervisor's process, and are only ever ended by their ids.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
READY_TEXT = "Verbatim is ready: "
START_SECONDS = 120.0

PART_MARKS = {
    "web": "backend.embedded.web_server",
    "projections": "run_projections",
    "model-calls": "run_model_calls",
    "runner": "backend.model_runner.builtin",
    "postgres": "postgres",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Stack:
    """One running product. Make it with `running_stack`."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.settings = dict(settings)
        self.port = int(settings["PORT"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the stack is not running"
        return self._process.pid

    @property
    def database_url(self) -> str:
        """For looking into the database from a test."""
        for pid in self.part_pids("web"):
            for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                name, _, value = entry.partition(b"=")
                if name == b"DATABASE_URL":
                    return value.decode()
        raise AssertionError("no web process of this stack tells its DATABASE_URL")

    def start(self, timeout_s: float = START_SECONDS) -> None:
        """Start the supervisor and wait until it says that the product is ready."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "TMPDIR", "USER"}
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend.embedded.run", "--stop-with-parent"],
            cwd=REPOSITORY,
            env={**environment, **self.settings, "DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read_output, args=(self._process, lines), daemon=True).start()
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not ready within {timeout_s} s:\n{self.report()}") from None
            if line is None:
                raise AssertionError(f"the product ended while it started:\n{self.report()}")
            if READY_TEXT in line:
                return

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal to the supervisor and wait for its end; returns its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(timeout=timeout_s)

    def part_pids(self, part: str) -> list[int]:
        """Process ids of a part's running copies: direct children of the supervisor."""
        return [pid for pid, command in self.children() if PART_MARKS[part] in command]

    def children(self) -> list[tuple[int, str]]:
        """The supervisor's direct children as (process id, command line)."""
        found: list[tuple[int, str]] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            if parent == self.pid:
                found.append((int(entry.name), command))
        return found

    def kill_part(self, part: str, number: int = signal.SIGKILL) -> list[int]:
        """Kill every copy of a part; the supervisor starts it again."""
        pids = self.part_pids(part)
        assert pids, f"no {part} is running: {self.children()}"
        for pid in pids:
            os.kill(pid, number)
        return pids

    def wait_for_new_part(self, part: str, old: list[int], timeout_s: float = 30.0) -> None:
        wait_until(
            lambda: any(pid not in old for pid in self.part_pids(part)),
            f"a new {part} process",
            timeout_s=timeout_s,
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py` with the settings of this product, while it runs."""
        settings = {**self.settings, "DATABASE_URL": self.database_url, "DATA_DIR": str(self.data_dir)}
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "backend" / "manage.py"), *arguments],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def report(self) -> str:
        """What the supervisor printed and the end of each part's log, for a failing test."""
        logs = sorted((self.data_dir / "logs").glob("*.log")) if self.data_dir.exists() else []
        tails = [
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            for log in logs
        ]
        return "\n".join(["".join(self.output), *tails])

    def _read_output(self, process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            lines.put(line)
        lines.put(None)


def wait_until(
    condition: Callable[[], object], what: str, *, timeout_s: float = 20.0, step_s: float = 0.05
) -> None:
    """Ask again and again until `condition` holds; fail naming `what` when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting for {what} after {timeout_s} s")
        time.sleep(step_s)


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """A product that is ready, in a data folder of its own, and that is gone afterwards."""
    with prepared_stack(lambda data_dir: None, settings) as stack:
        yield stack


@contextmanager
def prepared_stack(prepare: Callable[[Path], None], settings: Mapping[str, str]) -> Iterator[Stack]:
    """The same, with something in its empty data folder before the start."""
    data_dir = Path(tempfile.mkdtemp(prefix="verbatim-stack-"))
    # The embedded database may run as another user, who must be able to reach its folder.
    data_dir.chmod(0o755)
    stack = Stack(
        data_dir,
        {
            "PORT": str(free_port()),
            "HOST": "127.0.0.1",
            "SIGNUP_RATE": "off",
            "LOGIN_RATE": "off",
            "COMMAND_RATE": "off",
            "MODELS_DIR": str(data_dir / "models"),  # never the developer's own
            **settings,
        },
    )
    try:
        prepare(data_dir)
        stack.start()
        yield stack
    finally:
        try:
            if stack._process is not None:
                stack.stop()
        finally:
            shutil.rmtree(data_dir, ignore_errors=True)
