"""Starts and watches processes for the tests of the embedded parts. Everything is ended by its own id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backend.embedded.postgres import find_binaries

REPOSITORY = Path(__file__).resolve().parents[3]
READY = re.compile(r"^Verbatim is ready: (http://\S+)$", re.MULTILINE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def folder_for_data() -> Iterator[Path]:
    """An empty folder that the database's account can enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="verbatim-") as name:
        os.chmod(name, 0o755)
        yield Path(name) / "data"


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> set[int]:
    """The process ids below a process."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= layer
    return found


def database_state(data_dir: Path) -> str:
    """`shut down` after a clean end."""
    command = [str(find_binaries() / "pg_controldata"), str(data_dir / "postgres")]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout
    match = re.search(r"^Database cluster state:\s*(.*)$", output, re.MULTILINE)
    assert match is not None, output
    return match[1]


class SmallStack:
    """The real supervisor and PostgreSQL with stand-ins for everything else, as a subprocess."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.port = int(settings.get("PORT", "0")) or free_port()
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed in end)
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.embedded.stand_ins", "run"],
            cwd=REPOSITORY,
            env={**kept, "DATA_DIR": str(data_dir), **settings, "PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def lines(self) -> list[str]:
        return [line for line in self.output().splitlines() if line]

    def wait_until_ready(self) -> None:
        wait_until(lambda: bool(READY.search(self.output())) or self.process.poll() is not None, 60, "ready")
        assert READY.search(self.output()), self.output()

    def log(self, part: str) -> str:
        return (self.data_dir / "logs" / f"{part}.log").read_text(encoding="utf-8")

    def process_of(self, part: str) -> int:
        """The process id that the newest start of a stand-in has written to its log."""
        found: list[str] = []

        def has_started() -> bool:
            found[:] = re.findall(r"starts as process (\d+)", self.log(part))
            return bool(found)

        wait_until(has_started, 20, f"{part} has started")
        return int(found[-1])

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self._output.close()


@contextmanager
def small_stack(data_dir: Path, **settings: str) -> Iterator[SmallStack]:
    stack = SmallStack(data_dir, settings)
    try:
        yield stack
    finally:
        stack.end()


def start_and_fail(data_dir: Path, **settings: str) -> tuple[int, list[str]]:
    """The exit code and the printed lines of a start that cannot work."""
    with small_stack(data_dir, **settings) as stack:
        code = stack.process.wait(90)
        return code, stack.lines()
