"""The ModelCall aggregate: one logical request to a runner, with one or more attempts.

Keeps two promises: every started attempt has exactly one end, and every call exactly one final one.
Ends are accepted in every other state; a second one is refused, so that of two parties who both
think a call is theirs (a worker, and the sweep that took it for dead) only the first is recorded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any, Final
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.envelope import Stamp
from backend.domain.errors import AttemptRefused
from backend.domain.prompt_request import PromptRequest

EXTERNAL_PURPOSE: Final = "external"
"""Of a call that a program outside makes through us. Only the web process that holds its connection can carry it out."""


@dataclass(frozen=True)
class AttemptResult:
    """What one attempt came to. attempt 0: none had started. Times in whole milliseconds.

    outcome: complete, truncated, cancelled, interrupted or failed.
    """

    attempt: int
    outcome: str
    final: bool = True
    duration_ms: int = 0
    first_token_ms: int | None = None
    chunk_count: int = 0
    usage: e.TokenUsage | None = None
    usage_source: str = "none"
    finish_reason: str | None = None
    response_id: str | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None
    error: e.CallError | None = None
    delivered_characters: int = 0
    content: str | None = None


_EVENT_OF_OUTCOME: dict[str, type[e.ModelCallAttemptEnded]] = {
    outcomes.COMPLETE: e.ModelCallCompleted,
    outcomes.TRUNCATED: e.ModelCallCompleted,
    outcomes.CANCELLED: e.ModelCallCancelled,
    outcomes.INTERRUPTED: e.ModelCallInterrupted,
    outcomes.FAILED: e.ModelCallFailed,
}


class ModelCall(BaseAggregate[UUID]):
    """Decides which attempts a call may start and which end is the one recorded."""

    TOPIC = "ModelCall.v1"
    Event = e.ModelCallEvent
    Requested = e.ModelCallRequested

    def __init__(
        self,
        owner_id: UUID,
        conversation_id: UUID | None,
        reply_id: UUID | None,
        purpose: str,
        runner: str | None,
        prompt_request: PromptRequest,
        body_sha256: str,
        body_length: int,
    ) -> None:
        """The state right after ModelCallRequested; the library calls this when that event is applied."""
        self.owner_id = owner_id
        self.conversation_id = conversation_id
        self.reply_id = reply_id
        self.purpose = purpose
        self.runner = runner
        self.prompt_request = prompt_request
        self.body_sha256 = body_sha256
        self.body_length = body_length
        self.attempts_started = 0
        self.open_attempt: int | None = None
        self.cancel_requested = False
        self.retried_after: list[str] = []
        self.outcome = outcomes.PENDING
        self.usage: e.TokenUsage | None = None

    @classmethod
    def request(
        cls,
        *,
        call_id: UUID,
        owner_id: UUID,
        conversation_id: UUID | None,
        reply_id: UUID | None,
        purpose: str,
        source: str,
        prompt_request: PromptRequest,
        body_sha256: str,
        body_length: int,
        stamp: Stamp,
        runner: str | None = None,
    ) -> ModelCall:
        """A new call with the digest of the bytes that will be sent."""
        return cls._create(
            e.ModelCallRequested,
            id=call_id,
            owner_id=owner_id,
            conversation_id=conversation_id,
            reply_id=reply_id,
            purpose=purpose,
            source=source,
            runner=runner,
            prompt_request=prompt_request,
            body_sha256=body_sha256,
            body_length=body_length,
            **stamp().as_event_fields(),
        )

    @classmethod
    def from_events(cls, stream: Iterable[e.VerbatimEvent]) -> ModelCall | None:
        """The call as its events tell it, or None when there are none."""
        call: Any = None
        for event in stream:
            call = event.mutate(call)
        return call if isinstance(call, cls) else None

    def copy(self) -> ModelCall:
        """The same call, free to go on by itself. Only without pending events."""
        assert not self.pending_events
        twin = copy.copy(self)
        twin._pending_events = []
        twin.retried_after = list(self.retried_after)
        return twin

    @property
    def is_final(self) -> bool:
        return self.outcome != outcomes.PENDING

    def start_attempt(self, *, runner: str, runner_version: str | None, worker: str, stamp: Stamp) -> int:
        """Begin the next attempt and return its number, counted from 1."""
        self._check_not_final()
        if self.open_attempt is not None:
            raise AttemptRefused(
                f"Attempt {self.open_attempt} of model call {self.id} has not ended. Wait for its end."
            )
        attempt = self.attempts_started + 1
        self.trigger_event(
            e.ModelCallStarted,
            attempt=attempt,
            runner=runner,
            runner_version=runner_version,
            worker=worker,
            **stamp().as_event_fields(),
        )
        return attempt

    def request_cancel(self, *, by: str, stamp: Stamp) -> bool:
        """Ask for the call to stop. False, and nothing stored, when that was asked before or is too late."""
        if self.is_final or self.cancel_requested:
            return False
        self.trigger_event(e.ModelCallCancelRequested, by=by, **stamp().as_event_fields())
        return True

    def end_attempt(self, result: AttemptResult, stamp: Stamp) -> None:
        """Record how the open attempt ended, or with attempt 0 that the call ended before any began."""
        self._check_not_final()
        expected = self.open_attempt or 0
        if result.attempt != expected or (expected == 0 and not result.final):
            raise AttemptRefused(
                f"Model call {self.id} waits for the end of attempt {expected}; found one of attempt {result.attempt}. "
                "This result is dropped."
            )
        self.trigger_event(
            _EVENT_OF_OUTCOME[result.outcome],
            **{name: value for name, value in vars(result).items() if name != "outcome"},
            **stamp().as_event_fields(),
        )

    def _check_not_final(self) -> None:
        if self.is_final:
            raise AttemptRefused(
                f"Model call {self.id} ended before, as {self.outcome}. This result is dropped."
            )

    @singledispatchmethod
    def apply_event(self, event: e.VerbatimEvent) -> None:
        raise TypeError(f"ModelCall does not know the event {type(event).__name__}. Add its apply method.")

    @apply_event.register
    def _(self, event: e.ModelCallRequested) -> None:
        """The event's own fields were taken by `__init__`; what the request set off is part of it."""
        self.correlation_id = event.correlation_id

    @apply_event.register
    def _(self, event: e.ModelCallStarted) -> None:
        self.attempts_started = event.attempt
        self.open_attempt = event.attempt

    @apply_event.register
    def _(self, event: e.ModelCallCancelRequested) -> None:
        self.cancel_requested = True

    @apply_event.register
    def _(self, event: e.ModelCallAttemptEnded) -> None:
        self.open_attempt = None
        self.usage = event.usage
        if event.final:
            self.outcome = outcomes.outcome_of_end(event)
        elif event.error is not None:
            self.retried_after.append(event.error.code)
