"""The worker that lives in a web process and carries out programs' calls; one per event loop, made when first needed."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connections

from backend import bootstrap
from backend.application.ports import Answer
from backend.application.runner_port import ModelRunner
from backend.domain.commands import Command
from backend.model_calls.outside import OutsideWorker

log = logging.getLogger(__name__)


def run_and_give_back(command: Command, *, actor: str, correlation_id: UUID | None = None) -> Answer:
    """As bootstrap.run_command, for the threads of this worker, which no request of Django's ever ends in.

    A command may ask Django's cache which model is the default; a thread that kept the connection for it would take
    it from the pages of this process for good.
    """
    try:
        return bootstrap.run_command(command, actor=actor, correlation_id=correlation_id)
    finally:
        connections.close_all()


class OutsideCalls:
    """Keeps the worker running until the server is told to stop."""

    def __init__(self) -> None:
        runners = bootstrap.runners()
        self._clients: list[ModelRunner] = runners.clients()
        self.limits = runners.limits()
        self.worker = OutsideWorker(
            database_url=bootstrap.database_url(),
            store=bootstrap.event_store(),
            conversations=bootstrap.conversations(),
            models=bootstrap.models_seen(),
            run_command=run_and_give_back,
            runners=self._clients,
            runner_limits=self.limits,
        )
        self._running = asyncio.create_task(self._run())
        self._stopping: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self._running.done()

    def stop_with(self, shutdown: asyncio.Event | None) -> None:
        """End when the server begins to stop; a server that does not say so simply ends."""
        if shutdown is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_when(shutdown))

    async def _stop_when(self, shutdown: asyncio.Event) -> None:
        await shutdown.wait()
        self.worker.stop()

    async def _run(self) -> None:
        try:
            await self.worker.run()
        except Exception:
            # The next request makes another worker; what this one held is recorded by the sweep.
            log.exception("The worker for programs' calls ended unexpectedly.")
        finally:
            for client in self._clients:
                await client.aclose()


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, OutsideCalls] = WeakKeyDictionary()


def outside_calls(shutdown: asyncio.Event | None) -> OutsideCalls:
    """The worker of this event loop."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None or (found.is_over and not (shutdown is not None and shutdown.is_set())):
        found = _of_loops[loop] = OutsideCalls()
    found.stop_with(shutdown)
    return found
