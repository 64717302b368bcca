"""The model-call worker: one process that takes requested calls, streams the replies and records them.

Everything it needs is handed to it; which store, runner and database that is, bootstrap decides.
It owns no facts: killed at any moment, its calls are finished by another worker from what is stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, ClassVar

from backend.application.conversations import Conversations
from backend.application.ports import EventStore, ModelMemory, NothingKnown
from backend.application.runner_port import ModelRunner
from backend.model_calls.leases import WorkerFoundDead
from backend.model_calls.persistence import RunCommand
from backend.model_calls.shift import Shift, ShiftOver
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)

STORE_THREADS = 8


class ModelCallWorker:
    """Runs shifts, one after the other, until it is told to stop."""

    id_mark: ClassVar[str] = ""

    def __init__(
        self,
        *,
        database_url: str,
        store: EventStore,
        run_command: RunCommand,
        runners: Sequence[ModelRunner],
        runner_limits: Mapping[str, int] | None = None,
        conversations: Conversations | None = None,
        models: ModelMemory | None = None,
        timings: WorkerTimings | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """alive: called after each heartbeat."""
        self._database_url = database_url
        self._store = store
        self._models = models or NothingKnown()
        self._conversations = conversations or Conversations(store)
        self._run_command = run_command
        self._runners = tuple(runners)
        self._runner_limits = runner_limits or {}
        self._timings = timings or WorkerTimings()
        self._alive = alive
        self._stopping = asyncio.Event()
        self.worker_id = new_worker_id(self.id_mark)

    def stop(self) -> None:
        """Ask the worker to put its calls in order and end. Call from the event loop it runs on."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped; found dead, go on under a new id."""
        executor = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="model-calls-store")
        try:
            while not self._stopping.is_set():
                await self._run_shift(executor)
        finally:
            # A store call that waits for a lost database must not keep the process from ending.
            executor.shutdown(wait=False, cancel_futures=True)

    async def _run_shift(self, executor: ThreadPoolExecutor) -> None:
        shift = self._make_shift(executor)
        try:
            await shift.run()
        except* WorkerFoundDead as found:
            log.warning("%s", found.exceptions[0])
            self.worker_id = new_worker_id(self.id_mark)
        except* ShiftOver:
            log.info("worker %s has ended", self.worker_id)

    def _make_shift(self, executor: Executor) -> Shift:
        return Shift(**self._shift_arguments(executor))

    def _shift_arguments(self, executor: Executor) -> dict[str, Any]:
        return {
            "worker_id": self.worker_id,
            "database_url": self._database_url,
            "store": self._store,
            "conversations": self._conversations,
            "run_command": self._run_command,
            "runners": self._runners,
            "runner_limits": self._runner_limits,
            "models": self._models,
            "executor": executor,
            "timings": self._timings,
            "stopping": self._stopping,
            "alive": self._alive,
        }


def new_worker_id(mark: str) -> str:
    """Never given before: host and process for people, the rest for certainty."""
    return f"{mark}{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
