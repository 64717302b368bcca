"""One claimed call from its claim to its end: check the prompt, send it, stream, record.

Whatever happens, the reply is recorded exactly once with the text that came, or the claim is left to
others. May not write SQL, and speaks to the runner through its port only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from backend.application.ports import ClaimLost
from backend.application.runner_port import ModelRunner, PromptProgress, RunnerEvent, RunnerFailure
from backend.domain.errors import AttemptRefused, DomainError, UnknownModelCall
from backend.domain.events import TokenUsage
from backend.domain.model_call import EXTERNAL_PURPOSE, AttemptResult, ModelCall
from backend.logs.context import note
from backend.model_calls import live_reply as endings
from backend.model_calls import queue, stored_chunks
from backend.model_calls.learning import remember
from backend.model_calls.link import Pauses, until_back
from backend.model_calls.live_reply import Ending, LiveReply
from backend.model_calls.queue import Claim
from backend.model_calls.recording import Tools, record_end
from backend.model_calls.retrying import pause_before_next
from backend.model_calls.settling import settle

log = logging.getLogger(__name__)

StopReason = Literal["cancelled", "stopped", "client_gone", "access_ended"]


@dataclass
class Timing:
    """Of one stream, by the monotonic clock."""

    began: float
    first_token: float | None = None
    ended: float | None = None

    @property
    def first_token_ms(self) -> int | None:
        return None if self.first_token is None else _whole_ms(self.first_token - self.began)

    @property
    def duration_ms(self) -> int:
        return 0 if self.ended is None else _whole_ms(self.ended - self.began)


class Attempt:
    """Runs one call under one claim. again_after_s: in how many seconds the call is to be tried again, if it is."""

    def __init__(self, claim: Claim, tools: Tools) -> None:
        self.claim = claim
        self._tools = tools
        self.again_after_s: float | None = None
        self._stop_reason: StopReason | None = None
        self._streaming: asyncio.Task[Ending] | None = None

    def ask_to_stop(self, reason: StopReason) -> None:
        """Close the stream, if one is open, and end with what has come. The first reason given counts."""
        if self._stop_reason is not None:
            return
        self._stop_reason = reason
        if self._streaming is not None:
            self._streaming.cancel()

    async def run(self) -> None:
        """Bring the call to its end, or let go of it; nothing is recorded once the claim is lost."""
        persistence = self._tools.persistence
        try:
            call, _ = await asyncio.gather(
                persistence.read_call(self.claim.call_id), persistence.warm(self.claim.conversation_id)
            )
        except UnknownModelCall:
            await settle(self.claim, self._tools)
            return
        note(conversation_id=call.conversation_id)
        if call.is_final or call.open_attempt is not None or not self._can_carry_out(call):
            await settle(self.claim, self._tools)
            return
        if call.cancel_requested:
            self.ask_to_stop("cancelled")
        body = await self._checked_body(call)
        known = self._tools.runners.find(call.runner)
        if known is None:
            body = endings.failed(
                "runner_not_configured",
                f"The model runner {call.runner} is not configured any more. "
                f"Choose a model of another one: {', '.join(self._tools.runners.names)}.",
            )
        version = await known.version.get() if known and self._stop_reason is None else None
        if self._stop_reason == "stopped":
            await until_back(lambda: queue.release(self._tools.link, self.claim), self._pauses())
        elif self._stop_reason is not None:
            await self._record(call, 0, LiveReply(), self._ending_when_stopped(LiveReply()))
        elif isinstance(body, Ending) or known is None:
            assert isinstance(body, Ending), "without a runner there is an ending"
            await self._record(call, 0, LiveReply(), body)
        else:
            await self._send(call, body, known.runner, version)

    def _can_carry_out(self, call: ModelCall) -> bool:
        """A program's call needs the one process that holds the program's connection."""
        return call.purpose != EXTERNAL_PURPOSE

    async def _checked_body(self, call: ModelCall) -> bytes | Ending:
        """The bytes to send, rebuilt from the events, or how the call ends where they are not as recorded."""
        try:
            rebuilt = await self._tools.persistence.prompt_to_send(call)
        except DomainError as error:
            return endings.failed(
                "prompt_mismatch", f"The prompt could not be built again, so nothing was sent. {error}"
            )
        if rebuilt.identical:
            return rebuilt.prompt.body
        log.error(
            "model call %s: nothing is sent: prompt recorded as %s (%d bytes), rebuilt as %s (%d bytes)",
            call.id, call.body_sha256, call.body_length, rebuilt.prompt.body_sha256, len(rebuilt.prompt.body),
        )  # fmt: skip
        return endings.failed(
            "prompt_mismatch",
            "The prompt built from the record is not the one this reply was asked with, so nothing was sent. "
            f"Expected digest {call.body_sha256[:12]}…, found {rebuilt.prompt.body_sha256[:12]}…. "
            "Ask again; if it happens again, check the event store.",
        )

    async def _send(self, call: ModelCall, body: bytes, runner: ModelRunner, version: str | None) -> None:
        try:
            attempt = await self._tools.persistence.start_attempt(call, self.claim, runner.name, version)
        except (ClaimLost, AttemptRefused) as refusal:
            log.info("model call %s: not started by worker %s: %s", call.id, self.claim.worker, refusal)
            return
        await self._carry_out(call, attempt, await self._first_seq(call, attempt), body, runner)

    async def _carry_out(
        self, call: ModelCall, attempt: int, first_seq: int, body: bytes, runner: ModelRunner
    ) -> None:
        """The attempt that has been started, up to the record of its end."""
        writer = self._tools.writer
        writer.open(call, attempt, first_seq)
        try:
            reply, timing = LiveReply(), Timing(time.monotonic())
            ending = await self._stream(runner, body, reply, timing)
            await self._learn_from(call, runner, ending)
            timing.ended = time.monotonic()
            # First everything that was shown is stored, then the end is.
            chunk_count = await writer.drained(call.id)
            again_after_s = self._pause_before_next(call, attempt, ending)
            await self._record(call, attempt, reply, ending, timing, chunk_count, again_after_s)
        finally:
            writer.close(call.id)

    def _pause_before_next(self, call: ModelCall, attempt: int, ending: Ending) -> float | None:
        """How long until the call is tried again; None where this end is the last one."""
        if not ending.safe_to_retry or ending.call_error is None or self._stop_reason == "cancelled":
            return None
        code = ending.call_error.code
        pause = pause_before_next(
            code,
            failed_before=call.retried_after.count(code),
            attempts=attempt,
            wish_s=ending.retry_wish_s,
        )
        return None if pause is None else pause * self._tools.timings.retry_pace

    async def _stream(self, runner: ModelRunner, body: bytes, reply: LiveReply, timing: Timing) -> Ending:
        """Send, and take in what comes until the end, a failure, or somebody's wish to stop."""
        if self._stop_reason is None:
            self._streaming = asyncio.create_task(self._receive(runner, body, reply, timing))
            try:
                await asyncio.wait({self._streaming})
            finally:
                # When this task is cancelled, its stream must not live on.
                self._streaming.cancel()
                await asyncio.wait({self._streaming})
            # A stream that had come to its end when it was asked to stop is what it is; any other was stopped.
            if self._stop_reason is None or reply.finish_reason is not None:
                return (
                    endings.ending_of_stream(reply)
                    if self._streaming.cancelled()
                    else self._streaming.result()
                )
        return self._ending_when_stopped(reply)

    def _ending_when_stopped(self, reply: LiveReply) -> Ending:
        match self._stop_reason:
            case "cancelled":
                return endings.CANCELLED
            case "client_gone":
                return endings.cancelled_by_leaving(reply)
            case "access_ended":
                return endings.cancelled_without_access(reply)
            case _:
                return endings.interrupted_by_stop(reply)

    async def _receive(self, runner: ModelRunner, body: bytes, reply: LiveReply, timing: Timing) -> Ending:
        try:
            async with self._open(runner, body) as events:
                if await self._take_in_all(events, reply, timing):
                    return endings.ending_of_stream(reply)
                return endings.too_long(reply)
        except RunnerFailure as failure:
            return endings.ending_of_failure(reply, failure)
        except Exception as error:
            # A fault of ours or an answer nobody foresaw must end this one reply, and be seen, without
            # leaving it pending for ever or taking the other streams along.
            log.exception("model call %s: unexpected failure while streaming", self.claim.call_id)
            return endings.ending_of_failure(
                reply,
                RunnerFailure(
                    "unexpected_failure",
                    f"Something unexpected happened while the reply was read ({type(error).__name__}). "
                    "The log of the model-call worker says more. Retry to ask again.",
                ),
            )

    def _open(
        self, runner: ModelRunner, body: bytes
    ) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        return runner.stream_chat(body)

    async def _take_in_all(
        self, events: AsyncIterator[RunnerEvent], reply: LiveReply, timing: Timing
    ) -> bool:
        """Pass text on as it comes. False where the reply grew beyond what can be kept."""
        async for event in events:
            self._take_in(event, reply, timing)
            if reply.is_too_long:
                return False
        return True

    def _take_in(self, event: RunnerEvent, reply: LiveReply, timing: Timing) -> None:
        delta = reply.take_in(event)
        if reply.had_token and timing.first_token is None:
            timing.first_token = time.monotonic()
        if delta is not None and (delta.text or delta.reasoning):
            self._tools.writer.add(self.claim.call_id, delta.text, delta.reasoning)
        if isinstance(event, PromptProgress):
            self._tools.writer.tell_prefill(self.claim.call_id, event.processed, event.total)

    async def _learn_from(self, call: ModelCall, runner: ModelRunner, ending: Ending) -> None:
        """A runner that refuses a prompt as too long may say how much the model takes."""
        if ending.context_tokens is not None:
            model, size, tools = call.prompt_request.model, ending.context_tokens, self._tools
            await remember(tools.persistence, lambda: tools.models.remember_context(runner.name, model, size))

    async def _record(
        self,
        call: ModelCall,
        attempt: int,
        reply: LiveReply,
        ending: Ending,
        timing: Timing | None = None,
        chunk_count: int = 0,
        again_after_s: float | None = None,
    ) -> bool:
        """Whether the end was recorded: not where that is not ours to say any more."""
        usage = reply.usage
        counted = usage is not None and (usage.prompt_tokens, usage.completion_tokens) != (None, None)
        result = AttemptResult(
            attempt=attempt,
            outcome=ending.outcome,
            final=again_after_s is None,
            duration_ms=0 if timing is None else timing.duration_ms,
            first_token_ms=None if timing is None else timing.first_token_ms,
            chunk_count=chunk_count,
            usage=TokenUsage(usage.prompt_tokens, usage.completion_tokens) if usage and counted else None,
            usage_source="runner" if counted else "none",
            finish_reason=reply.finish_reason,
            response_id=reply.identity.response_id,
            response_model=reply.identity.response_model,
            system_fingerprint=reply.identity.system_fingerprint,
            error=ending.call_error,
            delivered_characters=reply.characters,
        )
        recorded = await record_end(call, self.claim, self._tools, result, ending, reply, again_after_s)
        if recorded:
            self.again_after_s = again_after_s
        return recorded

    async def _first_seq(self, call: ModelCall, attempt: int) -> int:
        """Chunks are numbered through all attempts of a call."""
        if attempt == 1:
            return 0
        return await until_back(lambda: stored_chunks.next_seq(self._tools.link, call.id), self._pauses())

    def _pauses(self) -> Pauses:
        return Pauses(self._tools.timings.reconnect_first_s, self._tools.timings.reconnect_longest_s)


def _whole_ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
