"""The life of one worker id: its lease, its calls, and the loops that keep both going.

A shift ends when the worker is told to stop, or when its lease was taken for lost; then every stream
is dropped at once, because what it would store is refused anyway.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import psycopg

from backend.application.conversations import Conversations
from backend.application.ports import EventStore, ModelMemory
from backend.application.runner_port import ModelRunner
from backend.logs.context import at_work_on
from backend.model_calls import leases, queue
from backend.model_calls.attempt import Attempt, StopReason
from backend.model_calls.chunks import ChunkWriter
from backend.model_calls.companions import CANCEL_CHANNEL, QUEUE_CHANNEL, REPLAY_CHANNEL
from backend.model_calls.known_runners import KnownRunners
from backend.model_calls.learning import learn_models
from backend.model_calls.link import DatabaseAway, Link, Pauses, until_back
from backend.model_calls.persistence import Persistence, RunCommand
from backend.model_calls.queue import Claim
from backend.model_calls.recording import Tools
from backend.model_calls.repair import repair_queue
from backend.model_calls.replays import ReplaySteps, repair_replays
from backend.model_calls.settling import settle
from backend.model_calls.sweep import Sweep
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)


class ShiftOver(Exception):
    """The worker was told to stop and has put everything in order."""


@dataclass(eq=False)
class Work:
    """What is being done about one call: an attempt of it, or the settling of what another worker left."""

    attempt: Attempt | None


class Shift:
    """Works under one worker id until it is stopped or found dead."""

    def __init__(
        self,
        *,
        worker_id: str,
        database_url: str,
        store: EventStore,
        conversations: Conversations,
        run_command: RunCommand,
        runners: Sequence[ModelRunner],
        runner_limits: Mapping[str, int],
        models: ModelMemory,
        executor: Executor,
        timings: WorkerTimings,
        stopping: asyncio.Event,
        alive: Callable[[], None],
        only_own: bool = False,
    ) -> None:
        """only_own: takes the calls that nobody else can carry out, and leaves those of others alone."""
        self._only_own = only_own
        self._alive = alive
        self.ready = asyncio.Event()
        self.worker_id = worker_id
        self._timings = timings
        self._runner_limits = runner_limits
        self._stopping = stopping
        self._control = Link(database_url, "control")
        self._listening = Link(database_url, "listen")
        self._flushing = Link(database_url, "chunks", durable=False)
        # Looks at all calls there ever were, however long that takes; nothing waits for it.
        self._repairing = Link(database_url, "repair", statement_timeout_ms=0)
        self._tools = Tools(
            persistence=Persistence(store, conversations, run_command, executor, timings),
            runners=KnownRunners(runners),
            writer=ChunkWriter(self._flushing, worker_id, self._pauses()),
            link=self._control,
            timings=timings,
            models=models,
        )
        self._replays = ReplaySteps(self._control, self._tools.persistence, timings)
        self._sweep = Sweep(self._control, worker_id, timings, only_own=only_own)
        self._calls: dict[UUID, Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._last_beat = time.monotonic()

    async def run(self) -> None:
        """Work until ShiftOver or WorkerFoundDead, one of which is raised, inside a group."""
        try:
            async with asyncio.TaskGroup() as group:
                # Listening for the wish to stop comes first: a worker without a database can be stopped too.
                group.create_task(self._end_when_told())
                await self._start()
                for loop in self._loops():
                    group.create_task(loop())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for link in (self._control, self._listening, self._flushing, self._repairing):
                await link.close()

    def _loops(self) -> list[Callable[[], Coroutine[None, None, None]]]:
        own = [self._beat, self._listen, self._claim, self._sweep_on, self._tools.writer.run]
        return own if self._only_own else [*own, self._replays.run, self._repair, self._learn]

    async def _start(self) -> None:
        await until_back(lambda: leases.register(self._control, self.worker_id), self._pauses())
        self._last_beat = time.monotonic()
        self._wake.set()
        self.ready.set()
        log.info("worker %s is ready", self.worker_id)

    # ---- the loops --------------------------------------------------------------------------

    async def _beat(self) -> None:
        pauses = self._pauses()
        while True:
            try:
                await leases.beat(self._control, self.worker_id)
            except DatabaseAway as away:
                log.warning("the database does not answer: %s", away)
                await pauses.wait()
                continue
            pauses.reset()
            if time.monotonic() - self._last_beat > self._timings.lease_s / 2:
                self._sweep.database_was_away()
            self._last_beat = time.monotonic()
            self._alive()
            await asyncio.sleep(self._timings.heartbeat_s)

    async def _listen(self) -> None:
        pauses = self._pauses()
        while True:
            try:
                connection = await self._listening.connection()
                await connection.execute(f"LISTEN {QUEUE_CHANNEL}")
                await connection.execute(f"LISTEN {CANCEL_CHANNEL}")
                await connection.execute(f"LISTEN {REPLAY_CHANNEL}")
                pauses.reset()
                self._wake.set()  # for what was queued while nobody listened
                self._replays.wake()
                async for notification in connection.notifies():
                    self._hear(notification)
            except (DatabaseAway, psycopg.OperationalError, psycopg.InterfaceError):
                await self._listening.close()
                await pauses.wait()

    def _hear(self, notification: psycopg.Notify) -> None:
        if notification.channel == QUEUE_CHANNEL:
            self._wake.set()
            return
        if notification.channel == REPLAY_CHANNEL:
            self._replays.wake()
            return
        try:
            self._ask_to_stop(UUID(notification.payload), "cancelled")
        except ValueError:
            log.warning(
                "a cancel for something that is no model call was ignored: %r", notification.payload[:80]
            )

    async def _claim(self) -> None:
        pauses = self._pauses()
        while True:
            await self._wake.wait()
            self._wake.clear()
            free = self._timings.stream_limit - len(self._calls)
            if free <= 0 or self._stopping.is_set():
                continue  # an end of a call wakes us again
            try:
                async with self._claiming:
                    for claim in await queue.claim_waiting(
                        self._control, self.worker_id, free, self._runner_limits, only_own=self._only_own
                    ):
                        self._begin(claim)
                pauses.reset()
            except DatabaseAway:
                await pauses.wait()
                self._wake.set()

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(self._timings.sweep_s)
            if self._stopping.is_set():
                continue
            try:
                async with self._claiming:
                    findings = await self._sweep.run(self._running())
                    for claim in findings.left:
                        self._take_up(claim)
            except DatabaseAway:
                self._sweep.database_was_away()
                continue
            for call_id in findings.cancelled:
                self._ask_to_stop(call_id, "cancelled")
            await self._after_sweep()
            self._wake.set()
            self._replays.wake()

    async def _repair(self) -> None:
        """Once, at the start."""
        await until_back(lambda: repair_queue(self._repairing, self._tools.persistence), self._pauses())
        await until_back(lambda: repair_replays(self._repairing), self._pauses())
        await self._repairing.close()

    async def _learn(self) -> None:
        """Once, as soon as the runners answer."""
        runners = [known.runner for known in self._tools.runners.all]
        await learn_models(runners, self._tools.models, self._tools.persistence)

    async def _end_when_told(self) -> None:
        """Let running replies finish for a moment, record the others as they are, end the lease."""
        await self._stopping.wait()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._timings.stop_grace_s)
        for call_id in list(self._calls):
            self._ask_to_stop(call_id, "stopped")
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._timings.stop_limit_s)
        if self._tasks:
            log.warning("%d model calls are left to the next worker", len(self._tasks))
        try:
            await asyncio.wait_for(leases.retire(self._control, self.worker_id), timeout=1.0)
        except (DatabaseAway, TimeoutError):
            log.warning("worker %s could not end its lease; it runs out by itself", self.worker_id)
        raise ShiftOver

    # ---- calls ------------------------------------------------------------------------------

    async def _after_sweep(self) -> None:
        """What else is to be looked after."""

    def _running(self) -> list[UUID]:
        """The calls that this worker works on."""
        return list(self._calls)

    def _take_up(self, claim: Claim) -> None:
        """What to do about a call that is ours and that nobody works on."""
        self._spawn(claim.call_id, None, partial(settle, claim, self._tools))

    def _begin(self, claim: Claim) -> None:
        attempt = Attempt(claim, self._tools)
        self._spawn(claim.call_id, attempt, attempt.run)

    def _spawn(self, call_id: UUID, attempt: Attempt | None, work: Callable[[], Awaitable[None]]) -> None:
        mine = self._calls[call_id] = Work(attempt)
        task = asyncio.create_task(self._guarded(call_id, mine, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, call_id: UUID, mine: Work, work: Callable[[], Awaitable[None]]) -> None:
        try:
            with at_work_on(call_id=call_id):
                await work()
        except Exception:
            # A fault in one call must not end the others. The call stays claimed, so the next sweep
            # finds it and records what was received.
            log.exception("model call %s: the worker failed", call_id)
        finally:
            # A call that was let go may have been claimed again by now: then it is not ours to forget.
            if self._calls.get(call_id) is mine:
                del self._calls[call_id]
            self._wake.set()
            if mine.attempt is not None and mine.attempt.again_after_s is not None:
                # Other workers find it with their next sweep.
                asyncio.get_running_loop().call_later(mine.attempt.again_after_s, self._wake.set)

    def _ask_to_stop(self, call_id: UUID, reason: StopReason) -> None:
        work = self._calls.get(call_id)
        if work is not None and work.attempt is not None:
            work.attempt.ask_to_stop(reason)

    def _pauses(self) -> Pauses:
        return Pauses(self._timings.reconnect_first_s, self._timings.reconnect_longest_s)
