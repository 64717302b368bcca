"""Projection workers for tests: in a thread of this process, or as processes that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from projections import worker
from projections.projector import Projector
from projections.registry import PROJECTORS

MANAGE = Path(__file__).resolve().parents[3] / "backend" / "manage.py"
PATIENCE_S = 20.0


@contextmanager
def worker_thread(
    database_url: str,
    projectors: tuple[type[Projector], ...] = PROJECTORS,
    batch_size: int = worker.BATCH_SIZE,
) -> Iterator[threading.Thread]:
    """A worker at work, stopped at the end; what it raised is raised here."""
    stop_event = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            worker.run(stop_event, database_url=database_url, projectors=projectors, batch_size=batch_size)
        except BaseException as error:  # carried over to the test's thread, whatever it is
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop_event.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive(), "the worker did not stop"
    if raised:
        raise raised[0]


def manage(*arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def worker_process(database_url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py run_projections` as a process; killed at the end if it is still there."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, str(MANAGE), "run_projections"],
            env={**os.environ, "DATABASE_URL": database_url, "LOG_LEVEL": "INFO"},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def eventually(wanted: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds; fail saying what did not."""
    deadline = time.monotonic() + patience_s
    while not wanted():
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.01)
