"""Calls that programs make through a web process: carried out where the program's connection is.

The same attempts, leases, claims and chunks as in a model-call worker, under a worker id of the web process itself.
It takes only calls that it was handed, and what it leaves behind when it is killed, the workers' sweep records.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final
from uuid import UUID

from backend.application.outside_handlers import OutsideAnswer
from backend.application.runner_port import AsWritten, Line, ModelRunner, RunnerEvent, StillThere
from backend.domain.commands import CancelModelCall, RequestOutsideCall
from backend.domain.errors import DomainError
from backend.domain.model_call import ModelCall
from backend.model_calls import live_reply as endings
from backend.model_calls import queue
from backend.model_calls.attempt import Attempt, StopReason, Timing
from backend.model_calls.leases import OF_WEB
from backend.model_calls.link import DatabaseAway
from backend.model_calls.live_reply import Ending, LiveReply
from backend.model_calls.passage import Ended, Passage
from backend.model_calls.persistence import NOT_NOW
from backend.model_calls.queue import Claim
from backend.model_calls.recording import Tools
from backend.model_calls.settling import settle
from backend.model_calls.shift import Shift, Work
from backend.model_calls.timings import WorkerTimings
from backend.model_calls.worker import ModelCallWorker

log = logging.getLogger(__name__)

TIMINGS: Final = WorkerTimings(stop_grace_s=0.8, stop_limit_s=1.5)
"""A web process that is told to stop has three seconds for its open answers."""
START_S: Final = 5.0
FIRST_CLAIM: Final = 1
"""The number of a claim that is made in the commit that requests the call."""


class TooManyCalls(Exception):
    """This process carries out as many calls as it can."""


class NotReady(Exception):
    """The database cannot be reached, so no call can be recorded, and none is made."""


class OutsideAttempt(Attempt):
    """Passes on what the runner writes, as it writes it, while it is being stored."""

    def __init__(self, claim: Claim, tools: Tools, passage: Passage, *, whole: bool) -> None:
        """whole: the answer was asked for in one piece."""
        super().__init__(claim, tools)
        self._passage = passage
        self._whole = whole
        self._line: Line | None = None

    def reach(self, runner: ModelRunner) -> None:
        """Begin to connect while the request is being recorded, before which nothing is sent."""
        self._line = runner.reach()

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.hang_up()

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            self._let_go()

    async def go_on(self, call: ModelCall, body: bytes, runner: ModelRunner) -> None:
        """Carry out the attempt that was started in the commit that requested the call."""
        try:
            await self._carry_out(call, call.attempts_started, 0, body, runner)
        finally:
            self._let_go()

    def _can_carry_out(self, call: ModelCall) -> bool:
        return True

    def _open(
        self, runner: ModelRunner, body: bytes
    ) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        return runner.pass_chat(body, whole=self._whole, line=self._line)

    async def _take_in_all(
        self, events: AsyncIterator[RunnerEvent], reply: LiveReply, timing: Timing
    ) -> bool:
        async for event in events:
            self._take_in(event, reply, timing)
            if isinstance(event, AsWritten | StillThere):
                if self._tools.writer.is_behind:
                    # What is passed on is stored at most one flush later, also while the database is away.
                    await self._tools.writer.drained(self.claim.call_id)
                await self._passage.give(event)
            if reply.is_too_long:
                return False
        return True

    def _pause_before_next(self, call: ModelCall, attempt: int, ending: Ending) -> float | None:
        # The program decides whether it asks again; it is told that it may.
        return None

    async def _record(
        self, call: ModelCall, attempt: int, reply: LiveReply, ending: Ending, *more: Any
    ) -> bool:
        recorded = await super()._record(call, attempt, reply, ending, *more)
        self._passage.end(Ended(ending, reply, recorded))
        return recorded

    def end_as(self, ending: Ending) -> None:
        """The call has ended without this attempt, and its end is recorded."""
        self._passage.end(Ended(ending, LiveReply(), recorded=True))

    def _let_go(self) -> None:
        """Whatever went wrong, whoever waits is told."""
        self.hang_up()
        self._passage.end(Ended(endings.interrupted_by_loss(LiveReply()), LiveReply(), recorded=False))


class OutsideShift(Shift):
    """A shift that is handed its calls by the web process it lives in."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, only_own=True)
        self._waiting: dict[UUID, OutsideAttempt] = {}
        self._queued: set[UUID] = set()

    @property
    def tools(self) -> Tools:
        return self._tools

    async def carry_out(
        self, request: RequestOutsideCall, body: bytes, passage: Passage, *, whole: bool
    ) -> OutsideAnswer:
        """Record the request and begin; what comes goes into the passage. request.worker is this shift's.

        Raises TooManyCalls, NotReady, ClaimLost, and DomainError where the request is refused.
        """
        if len(self._calls) >= self._timings.stream_limit:
            raise TooManyCalls
        call_id = request.call_id
        known = self._tools.runners.find(request.runner)
        assert known is not None, "a runner that is not there is not chosen"
        attempt = OutsideAttempt(
            Claim(call_id, self.worker_id, FIRST_CLAIM), self._tools, passage, whole=whole
        )
        # Before the commit: from then on the sweep may find the call, and must see that somebody works on it.
        self._calls[call_id] = Work(attempt)
        if request.at_once:
            attempt.reach(known.runner)
        else:
            self._waiting[call_id] = attempt
        try:
            answer = await self._tools.persistence.in_thread(partial(self._store, request))
        except BaseException as error:
            self._calls.pop(call_id, None)
            self._waiting.pop(call_id, None)
            attempt.hang_up()
            if isinstance(error, NOT_NOW):
                raise NotReady from error
            raise
        if request.at_once:
            self._spawn(call_id, attempt, partial(attempt.go_on, answer.call, body, known.runner))
        elif call_id in self._waiting:
            self._queued.add(call_id)
        return answer

    def leave(self, call_id: UUID, owner_id: UUID, reason: StopReason = "client_gone") -> None:
        """Nobody waits for the answer any more: the program has closed its connection, or may not hear the rest."""
        if call_id in self._waiting:
            self._waiting[call_id].ask_to_stop(reason)
            self._keep(asyncio.create_task(self._cancel_waiting(call_id, owner_id, reason)))
        else:
            super()._ask_to_stop(call_id, reason)

    # ---- the queue --------------------------------------------------------------------------

    def _running(self) -> list[UUID]:
        return [call_id for call_id in self._calls if call_id not in self._waiting]

    def _begin(self, claim: Claim) -> None:
        self._take_up(claim)

    def _take_up(self, claim: Claim) -> None:
        self._queued.discard(claim.call_id)
        attempt = self._waiting.pop(claim.call_id, None)
        if attempt is None:
            self._spawn(claim.call_id, None, partial(settle, claim, self._tools))
        else:
            attempt.claim = claim
            self._spawn(claim.call_id, attempt, attempt.run)

    def _ask_to_stop(self, call_id: UUID, reason: StopReason) -> None:
        super()._ask_to_stop(call_id, reason)
        if call_id in self._queued:
            self._keep(asyncio.create_task(self._end_if_taken_out([call_id])))

    async def _after_sweep(self) -> None:
        await self._end_if_taken_out(list(self._queued))

    async def _end_if_taken_out(self, call_ids: list[UUID]) -> None:
        """A call that waited and is not in the queue any more was cancelled, and its end recorded with that."""
        if not call_ids:
            return
        with suppress(DatabaseAway):  # the next sweep looks again
            there = await queue.still_in_the_queue(self._control, call_ids)
            for call_id in call_ids:
                attempt = self._waiting.get(call_id)
                if call_id not in there and call_id in self._queued and attempt is not None:
                    self._queued.discard(call_id)
                    del self._waiting[call_id]
                    self._calls.pop(call_id, None)
                    attempt.end_as(endings.CANCELLED)

    async def _cancel_waiting(self, call_id: UUID, owner_id: UUID, reason: StopReason) -> None:
        command = CancelModelCall(owner_id, call_id)
        with suppress(DomainError, *NOT_NOW):  # then it ends when its turn comes: it is known to be left
            await self._tools.persistence.in_thread(
                lambda: self._tools.persistence.run_command(command, actor=reason.replace("_", " "))
            )

    def _store(self, request: RequestOutsideCall) -> OutsideAnswer:
        answer = self._tools.persistence.run_command(request, actor=f"user:{request.owner_id}")
        assert isinstance(answer, OutsideAnswer)
        return answer

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class OutsideWorker(ModelCallWorker):
    """The worker inside a web process. One per event loop."""

    id_mark = OF_WEB

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"timings": TIMINGS, **arguments})
        self._shift: OutsideShift | None = None
        self._made = asyncio.Event()

    async def shift(self) -> OutsideShift:
        """The shift that takes calls now. Raises NotReady where the database cannot be reached."""
        try:
            async with asyncio.timeout(START_S):
                await self._made.wait()
                assert self._shift is not None, "it was made"
                await self._shift.ready.wait()
                return self._shift
        except TimeoutError:
            raise NotReady from None

    def _make_shift(self, executor: Executor) -> OutsideShift:
        self._shift = shift = OutsideShift(**self._shift_arguments(executor))
        self._made.set()
        return shift
