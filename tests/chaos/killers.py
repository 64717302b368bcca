"""Who is killed when: a schedule drawn from a seed, and the hand that carries it out. Only ever by process id."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import psycopg

from tests.support.stack import REPOSITORY, Stack, free_port, wait_until

PARTS = ("web", "model-calls", "projections", "runner", "postgres", "postgres at once")
"""`postgres`: kill -9 of its first process; `postgres at once`: an immediate shutdown (SIGQUIT)."""
EVERYTHING = "everything"
"""Not drawn by a seed: Ctrl+C, as a person presses it, and then a new start."""
COPIES = {"web": 2, "model-calls": 3, "projections": 2}
FIRST_KILL_S = 1.5
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Blow:
    """At `at` seconds after the beginning, copies of these parts die. (part, how many of its copies.)

    gently: they are told to stop (SIGTERM), the one that has lived longest first.
    """

    at: float
    victims: tuple[tuple[str, int], ...]
    gently: bool = False


@dataclass(frozen=True)
class Death:
    """What was really killed; at: time.monotonic()."""

    part: str
    pid: int
    at: float


def schedule(seed: int, seconds: float) -> list[Blow]:
    """The same for the same seed: first every part once, in some order, then at random, sometimes two at once."""
    dice = random.Random(seed)
    every_part = list(PARTS)
    dice.shuffle(every_part)
    blows: list[Blow] = []
    at = FIRST_KILL_S
    while at < seconds:
        first = every_part.pop() if every_part else dice.choice(PARTS)
        parts = {first}
        if dice.random() < 0.35:
            parts.add(dice.choice(PARTS))
        if parts == {"postgres", "postgres at once"}:
            parts = {first}
        victims = tuple((part, dice.randint(1, COPIES.get(part, 1))) for part in sorted(parts))
        blows.append(Blow(at, victims))
        # Some blows fall while the product still gets up from the one before.
        at += dice.choice((0.3, 1.0, 2.0, 3.0, 4.0))
    return blows


def rolling_restart(pause_s: float) -> list[Blow]:
    """Every copy of every part of ours is told to stop once, one after the other."""
    parts = [part for part, copies in COPIES.items() for _ in range(copies)]
    return [
        Blow(FIRST_KILL_S + place * pause_s, ((part, 1),), gently=True) for place, part in enumerate(parts)
    ]


def ctrl_c(*, at: float) -> list[Blow]:
    """Everything is stopped once, as by Ctrl+C in the terminal, and started again."""
    return [Blow(at, ((EVERYTHING, 1),), gently=True)]


class RunnerProcess:
    """A scripted runner in a process of its own, on a port it keeps when it is started again."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "backend.model_runner.scripted",
                "--port", str(self._port), "--script", str(self._script),
            ],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> int:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        return self._process.pid

    def keep_alive(self) -> None:
        """Start it again if it has died; it has no supervisor."""
        if self._process is not None and self._process.poll() is not None:
            self.start()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Killer:
    def __init__(self, stack: Stack, runner: RunnerProcess, seed: int) -> None:
        self._stack = stack
        self._runner = runner
        self._dice = random.Random(f"who of several copies {seed}")
        self.deaths: list[Death] = []

    def strike(self, blow: Blow) -> None:
        for part, copies in blow.victims:
            if part == EVERYTHING:
                self._restart_everything()
                continue
            if part == "runner":
                self.deaths.append(Death(part, self._runner.kill(), time.monotonic()))
                continue
            pids = sorted(self._stack.part_pids(part.partition(" ")[0]))
            if blow.gently:
                for pid in sorted(pids, key=_started)[:copies]:
                    self._send(part, pid, signal.SIGTERM)
                continue
            for pid in self._dice.sample(pids, min(copies, len(pids))):  # fewer where some are dead already
                self._send(part, pid, signal.SIGQUIT if part == "postgres at once" else signal.SIGKILL)

    def _restart_everything(self) -> None:
        self.deaths.append(Death(EVERYTHING, self._stack.pid, time.monotonic()))
        status = self._stack.stop(signal.SIGINT)
        assert status == 0, f"Ctrl+C ended with status {status}:\n{self._stack.report()}"
        self._stack.start()

    def _send(self, part: str, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return  # it died by itself in this very moment
        self.deaths.append(Death(part, pid, time.monotonic()))


class DatabaseWatch:
    """Notes when PostgreSQL answers again after it did not, by time.monotonic()."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="database-watch", daemon=True)
        self.back: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        was_there = True
        while not self._over.wait(LOOK_EVERY_S):
            try:
                psycopg.connect(self._database_url, connect_timeout=2).close()
            except psycopg.Error:
                was_there = False
                continue
            if not was_there:
                self.back.append(time.monotonic())
            was_there = True


def _started(pid: int) -> int:
    """When a process began, in clock ticks since the machine did; 0 for one that has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def wait_until_up(stack: Stack, runner: RunnerProcess) -> float:
    """Seconds until every part is there again and the product says that it is ready."""
    began = time.monotonic()

    def ready() -> bool:
        runner.keep_alive()
        try:
            return httpx.get(f"{stack.url}/readyz", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(ready, "the product to be ready again", timeout_s=60.0, step_s=0.1)
    return time.monotonic() - began
