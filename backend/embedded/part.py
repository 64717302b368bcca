"""One part of the application as a child process that is started again whenever it ends.

A part knows its command, its log and how to be stopped. Which parts exist, and in which order they start and stop, is
decided elsewhere.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.embedded.processes import ChildCommand, argument_list, describe_exit, last_lines, popen_arguments
from backend.embedded.progress import Progress

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
GOOD_LIFE_SECONDS: Final = 10.0
# So many ends in so many seconds, before the application was ever ready, mean that waiting does not help.
HOPELESS_ENDS: Final = 5
HOPELESS_SECONDS: Final = 30.0
LARGEST_LOG_BYTES: Final = 10_000_000


@dataclass(frozen=True)
class PartPlan:
    """What a part is.

    before_start: awaited before each start, for example to clear what a killed predecessor left. Its OSError and
    RuntimeError count as an end of the part. stop_signals: tried one after the other, each with seconds of patience.
    """

    name: str
    command: Callable[[], ChildCommand]
    log_file: Path
    before_start: Callable[[], Awaitable[None]] | None = None
    stop_signals: tuple[tuple[signal.Signals, float], ...] = (
        (signal.SIGTERM, 10.0),
        (signal.SIGKILL, 5.0),
    )


class Part:
    """Keeps one child process running until it is told to stop."""

    def __init__(self, plan: PartPlan, progress: Progress) -> None:
        self.plan = plan
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0
        self.hopeless: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._progress = progress
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._ends: list[float] = []
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process and keep it running. Call once."""
        rotate_log(self.plan.log_file)
        self.task = asyncio.get_running_loop().create_task(self._keep_running(), name=self.plan.name)

    async def stop(self) -> None:
        """End the process; a part that does not listen is killed in the end. Raises what the part's own loop raised."""
        self._stopping.set()
        if self.task is not None:
            await self.task

    def hurry(self) -> None:
        """Give a stop no more patience."""
        self._hurry.set()

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = loop.time()
            outcome = await self._run_once()
            if self._stopping.is_set():
                return
            if loop.time() - began >= GOOD_LIFE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._note_end(outcome, loop.time())
            self._progress.warn(
                f"{self.plan.name} {outcome}; it is started again in {pause:.1f} s. Its log: {self.plan.log_file}"
            )
            await _wait(self._stopping, pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run_once(self) -> str:
        """Start the process, wait for its end, and say in words how it ended."""
        try:
            if self.plan.before_start is not None:
                await self.plan.before_start()
            process = await self._spawn()
        except (OSError, RuntimeError) as error:
            return f"could not be started ({error})"
        self.process = process
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(process, ended)
            return describe_exit(await ended)
        finally:
            stopping.cancel()
            self.process = None

    async def _spawn(self) -> asyncio.subprocess.Process:
        command = self.plan.command()
        arguments: dict[str, Any] = popen_arguments(command)
        with self.plan.log_file.open("ab") as log:
            self.starts += 1
            return await asyncio.create_subprocess_exec(
                *argument_list(command), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, **arguments
            )

    async def _end(self, process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        for number, patience in self.plan.stop_signals:
            if ended.done():
                return
            process.send_signal(number)
            hurry = asyncio.create_task(self._hurry.wait())
            waiting: set[asyncio.Task[Any]] = {ended} if self._hurry.is_set() else {ended, hurry}
            limit = min(patience, 5.0) if self._hurry.is_set() else patience
            await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
        if not ended.done():
            self._progress.warn(f"{self.plan.name} (process {process.pid}) did not end.")

    def _note_end(self, outcome: str, now: float) -> None:
        self._ends = [end for end in self._ends if now - end < HOPELESS_SECONDS] + [now]
        if len(self._ends) >= HOPELESS_ENDS and not self.hopeless.done():
            said = " | ".join(last_lines(self.plan.log_file, 1))
            self.hopeless.set_result(
                f"{self.plan.name} {outcome}, {len(self._ends)} times in a row. Read {self.plan.log_file};"
                f" its last line: {said or 'none'}"
            )


def rotate_log(path: Path) -> None:
    """Put a log that has grown large aside as `NAME.log.1`, replacing the one before."""
    if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
