"""The worker's way to the events: blocking store calls in a few threads, tried until the database is back.

What it stores goes through the application's commands, under the worker's claim. May not decide what
is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from eventsourcing.persistence import InterfaceError, OperationalError

from backend.application.conversations import Conversations
from backend.application.history import PromptToSend, prompt_to_send
from backend.application.ports import Answer, ClaimLost, EventStore
from backend.domain.commands import AdvanceReplay, Command, RecordModelCallResult, StartModelCallAttempt
from backend.domain.errors import AttemptRefused, DomainError, TooManyConflicts
from backend.domain.model_call import ModelCall
from backend.model_calls.link import Pauses
from backend.model_calls.queue import Claim
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)
T = TypeVar("T")

NOT_NOW = (OperationalError, InterfaceError, TooManyConflicts)
"""The store cannot be reached, or everybody writes at once: the same thing may work in a moment."""


class RunCommand(Protocol):
    """Carry out a command to its commit; backend.bootstrap supplies it."""

    def __call__(self, command: Command, *, actor: str, correlation_id: UUID | None = None) -> Answer: ...


@dataclass(frozen=True)
class Persistence:
    """Store calls for the event loop: none blocks it, none gives up while the database is away."""

    store: EventStore
    conversations: Conversations
    run_command: RunCommand
    executor: Executor
    timings: WorkerTimings

    async def read_call(self, call_id: UUID) -> ModelCall:
        """Raises UnknownModelCall."""
        return await self._until_possible(lambda: self.store.read_call(call_id))

    async def warm(self, conversation_id: UUID | None) -> None:
        """Bring what is kept of a conversation up to date, so that its prompt is built from memory. Never raises."""
        if conversation_id is not None:
            with suppress(*NOT_NOW, DomainError):  # whoever needs the conversation next finds out
                await self.in_thread(lambda: self.conversations.load(conversation_id))

    async def prompt_to_send(self, call: ModelCall) -> PromptToSend:
        """Raises CannotRebuildPrompt, UnknownConversation."""
        return await self._until_possible(lambda: prompt_to_send(self.conversations, call))

    async def start_attempt(self, call: ModelCall, claim: Claim, runner: str, version: str | None) -> int:
        """Record that the next attempt starts, and return its number. Raises ClaimLost, AttemptRefused."""
        command = StartModelCallAttempt(
            call_id=claim.call_id,
            runner=runner,
            runner_version=version,
            worker=claim.worker,
            claim=claim.number,
            seen=call,
        )
        expected = call.attempts_started + 1
        try:
            answer = await self._until_possible(lambda: self._run(command, claim, call))
        except AttemptRefused:
            # An earlier try may have been committed although its answer was lost. Only the holder of
            # the claim can have started this attempt, and that is us.
            found = await self.read_call(claim.call_id)
            if found.open_attempt != expected:
                raise
            return expected
        return int(answer.body["attempt"])

    async def record_result(self, command: RecordModelCallResult, claim: Claim, call: ModelCall) -> bool:
        """Record how the attempt ended. False where that is not ours to say any more, or was said before."""
        try:
            await self._until_possible(lambda: self._run(command, claim, call))
        except (ClaimLost, AttemptRefused) as refusal:
            log.info(
                "model call %s: result of worker %s not recorded: %s", claim.call_id, claim.worker, refusal
            )
            return False
        return True

    async def advance_replay(self, conversation_id: UUID, replay_id: UUID) -> None:
        """Take the step of a replay that is due, if one is. Raises DomainError."""
        command = AdvanceReplay(conversation_id, replay_id)
        # All that a replay sets off is part of one undertaking, whichever worker does it.
        await self._until_possible(
            lambda: self.run_command(command, actor=f"replay:{replay_id}", correlation_id=replay_id)
        )

    def _run(self, command: Command, claim: Claim, call: ModelCall) -> Answer:
        return self.run_command(
            command, actor=f"model-calls:{claim.worker}", correlation_id=call.correlation_id
        )

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    async def _until_possible(self, work: Callable[[], T]) -> T:
        pauses = Pauses(self.timings.reconnect_first_s, self.timings.reconnect_longest_s)
        while True:
            try:
                return await self.in_thread(work)
            except NOT_NOW as error:
                log.warning("the event store does not answer, trying again: %s", error)
                await pauses.wait()
