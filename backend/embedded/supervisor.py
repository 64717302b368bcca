"""Keeps a set of parts running and ends them together.

It starts parts in the order given, runs single commands in between, and stops everything in the opposite order. It
does not know what the parts are.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from backend.embedded.errors import StartError
from backend.embedded.part import Part, PartPlan, rotate_log
from backend.embedded.processes import ChildCommand, argument_list, describe_exit, last_lines, popen_arguments
from backend.embedded.progress import Progress

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
T = TypeVar("T")


class Supervisor:
    """Use inside a running loop: `await supervisor.run(start)`, where `start` starts the parts one after the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._layers: list[list[Part]] = []
        self._stop_requested = asyncio.Event()
        self._hurried = False

    async def run(self, start: Callable[[Supervisor], Awaitable[None]]) -> None:
        """Start everything, wait for Ctrl+C or SIGTERM, and end everything.

        Raises what `start` raises, after whatever was started has ended.
        """
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup: a closed terminal is no reason to stop
            loop.add_signal_handler(number, self._on_stop_signal)
        stopping = asyncio.create_task(self._stop_requested.wait())
        starting = asyncio.create_task(_as_coroutine(start(self)))
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
            if not starting.cancelled():
                starting.result()
                # A part's own loop never ends by itself: if one does, it has failed, and everything stops.
                await asyncio.wait({stopping, *self._tasks()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._stop_all()

    def start_together(self, plans: list[PartPlan]) -> list[Part]:
        """Start a layer of parts. Layers are stopped from the last to the first, the parts of one layer together."""
        parts = [Part(plan, self._progress) for plan in plans]
        self._layers.append(parts)
        for part in parts:
            part.start()
        return parts

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [part.task for part in self._parts() if part.task is not None]

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], *, seconds: float) -> bool:
        """Ask `condition` again and again until it holds; False when the time is over.

        Raises StartError, naming the log to read, when a part keeps ending meanwhile.
        """

        async def ask() -> None:
            # What is asked is outside this process, so there is no event to wait for.
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        try:
            await asyncio.wait_for(self._unless_hopeless(ask()), seconds)
        except TimeoutError:
            return False
        return True

    async def run_command(
        self, name: str, command: ChildCommand, log_file: Path, *, answers: bool = False
    ) -> str:
        """Run a command to its end. Raises StartError when it fails, naming its log and its last line.

        answers: give back what it printed, which otherwise goes to the log as its errors do.
        """
        rotate_log(log_file)
        arguments: dict[str, Any] = popen_arguments(command)
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *argument_list(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if answers else log,
                stderr=log,
                **arguments,
            )
        try:
            printed, _ = await self._unless_hopeless(process.communicate())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        code = await process.wait()
        if code != 0:
            said = " | ".join(last_lines(log_file, 1))
            raise StartError(
                f"{name} {describe_exit(code)}. Read {log_file}; its last line: {said or 'none'}"
            )
        return (printed or b"").decode("utf-8", "replace")

    async def _unless_hopeless(self, work: Awaitable[T]) -> T:
        """The result of `work`, unless a part keeps ending meanwhile, which raises StartError."""
        task = asyncio.ensure_future(work)
        hopeless = [part.hopeless for layer in self._layers for part in layer]
        try:
            waiting: set[asyncio.Future[Any]] = {task, *hopeless}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in hopeless:
                if future.done() and not task.done():
                    raise StartError(future.result())
            return await task
        finally:
            task.cancel()

    def _on_stop_signal(self) -> None:
        if self._stop_requested.is_set():
            self._hurried = True
            for part in self._parts():
                part.hurry()
        else:
            self._progress.say("\nStopping... (Ctrl+C again hurries)")
            self._stop_requested.set()

    async def _stop_all(self) -> None:
        self._stop_requested.set()
        trouble: list[BaseException] = []
        while self._layers:
            layer = self._layers[-1]
            if self._hurried:
                for part in layer:
                    part.hurry()
            results = await asyncio.gather(*(part.stop() for part in layer), return_exceptions=True)
            trouble.extend(result for result in results if isinstance(result, BaseException))
            self._layers.pop()
        if trouble:
            raise trouble[0]

    def _parts(self) -> list[Part]:
        return [part for layer in self._layers for part in layer]


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
