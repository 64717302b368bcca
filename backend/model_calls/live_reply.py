"""What has come back for one attempt so far, and what it amounts to in the end. Pure.

Collects the runner's events while they stream; the endings turn the collection into the outcome, the
kept text and the words a person reads. May not know where the text goes, nor read a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from backend.application.runner_port import (
    AsWritten,
    Delta,
    Finished,
    PromptProgress,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    StillThere,
    ToolCallFragment,
    Usage,
)
from backend.domain import outcomes
from backend.domain.events import CallError, ReplyError

REPLY_LIMIT_CHARACTERS = 2_000_000
"""A runner that never stops is stopped here, so that every reply can be stored."""


@dataclass
class _ToolCall:
    call_id: str | None = None
    name: str | None = None
    arguments: list[str] = field(default_factory=list)


@dataclass
class LiveReply:
    """The reply as received. had_token: text, reasoning or a tool call has begun to arrive.

    Half a character at the end of a delta waits for its other half; one that never comes is left out.
    """

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    identity: ResponseIdentity = field(default_factory=ResponseIdentity)
    usage: Usage | None = None
    finish_reason: str | None = None
    had_token: bool = False
    characters: int = 0
    tool_characters: int = 0
    _half_of_text: str = ""
    _half_of_reasoning: str = ""
    _tool_calls: dict[int, _ToolCall] = field(default_factory=dict)

    def take_in(self, event: RunnerEvent) -> Delta | None:
        """Add what arrived; return the text to show, if it brought any."""
        match event:
            case Delta():
                text, self._half_of_text = _whole_characters(self._half_of_text, event.text)
                reasoning, self._half_of_reasoning = _whole_characters(
                    self._half_of_reasoning, event.reasoning
                )
                delta = Delta(text, reasoning)
                self.text.append(delta.text)
                self.reasoning.append(delta.reasoning)
                self.characters += len(delta.text) + len(delta.reasoning)
                self.had_token = True
                return delta
            case ToolCallFragment():
                self._add_tool_call(event)
                self.had_token = True
            case Finished():
                self.finish_reason = storable(event.reason)
            case Usage():
                self.usage = event
            case ResponseIdentity():
                self._add_identity(event)
            case PromptProgress() | StillThere() | AsWritten():
                pass
        return None

    @property
    def is_too_long(self) -> bool:
        """Whether more came than can be kept; tool calls count like text."""
        return self.characters + self.tool_characters > REPLY_LIMIT_CHARACTERS

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The fragments joined, in OpenAI's shape, in the order of their index."""
        return tuple(
            {
                "id": call.call_id,
                "type": "function",
                "function": {
                    "name": storable(call.name or ""),
                    "arguments": storable("".join(call.arguments)),
                },
            }
            for _, call in sorted(self._tool_calls.items())
        )

    def _add_tool_call(self, fragment: ToolCallFragment) -> None:
        call = self._tool_calls.setdefault(fragment.index, _ToolCall())
        if fragment.call_id is not None:
            call.call_id = storable(fragment.call_id)
        if fragment.name is not None:
            call.name = (call.name or "") + fragment.name
        call.arguments.append(fragment.arguments)
        self.tool_characters += len(fragment.arguments) + len(fragment.name or "")

    def _add_identity(self, told: ResponseIdentity) -> None:
        known = self.identity
        self.identity = ResponseIdentity(
            response_id=known.response_id or _storable_or_none(told.response_id),
            response_model=known.response_model or _storable_or_none(told.response_model),
            system_fingerprint=known.system_fingerprint or _storable_or_none(told.system_fingerprint),
        )


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: its outcome, and why in words where it is not simply complete.

    context_tokens: how much the model takes, where a runner said so in refusing the prompt.
    safe_to_retry: nothing came, and asking again repeats nothing. retry_wish_s: how long the runner asked to be left alone.
    """

    outcome: str
    reply_error: ReplyError | None = None
    call_error: CallError | None = None
    context_tokens: int | None = None
    safe_to_retry: bool = False
    retry_wish_s: float | None = None


CANCELLED = Ending(outcomes.CANCELLED)

_TRUNCATION_WORDS = {
    "length": "The reply reached its length limit, or the model's context is full.",
    "content_filter": "The model runner's content filter stopped the reply.",
}
_KEPT = " The text up to there is kept."
_SENTENCE_ENDS = (".", "!", "?", "…")
WORKER_STOPPED = "worker_stopped"
_LOST_ON_THE_WAY = frozenset({"stream_cut", "stream_silent"})


def ending_of_stream(reply: LiveReply) -> Ending:
    """The stream ended by itself: complete only if the runner said why it stopped."""
    if reply.finish_reason is None:
        if not reply.had_token:
            return failed(
                "empty_response",
                "The model runner ended the reply before its first word. Retry, or choose another model.",
            )
        return _ended_early(
            outcomes.INTERRUPTED,
            "no_finish_reason",
            "The model runner ended the reply without saying that it was finished. Retry, or continue it.",
            reply,
        )
    outcome = outcomes.outcome_of_finish(reply.finish_reason)
    if outcome != outcomes.TRUNCATED:
        return Ending(outcome)
    words = _TRUNCATION_WORDS.get(reply.finish_reason, "The model runner stopped the reply early.")
    # A truncated reply came to its end as the runner meant it: no error of the call.
    return Ending(outcome, reply_error=ReplyError(reply.finish_reason, _with_what_is_kept(words, reply)))


def ending_of_failure(reply: LiveReply, failure: RunnerFailure) -> Ending:
    """Something went wrong on the way. What the runner had finished before is complete all the same."""
    lost = failure.code in _LOST_ON_THE_WAY
    if lost and reply.finish_reason is not None:
        return ending_of_stream(reply)
    outcome = outcomes.INTERRUPTED if lost and reply.had_token else outcomes.FAILED
    ending = _ended_early(outcome, failure.code, storable(failure.message), reply, failure.http_status)
    told = failure.details.get("n_ctx")
    return replace(
        ending,
        context_tokens=told if isinstance(told, int) and told > 0 else None,
        safe_to_retry=failure.safe_to_retry and not reply.had_token,
        retry_wish_s=failure.retry_after_s,
    )


def failed(code: str, message: str) -> Ending:
    """Failed without anything having come back."""
    return Ending(outcomes.FAILED, ReplyError(code, message), CallError(code, message))


def interrupted_by_stop(reply: LiveReply) -> Ending:
    """Our own worker was told to stop."""
    message = "The worker was stopped while this reply was being written."
    ending = _ended_early(outcomes.INTERRUPTED, WORKER_STOPPED, message, reply)
    # Another worker can ask again where nobody has seen a word yet.
    return replace(ending, safe_to_retry=not reply.had_token)


def interrupted_by_loss(reply: LiveReply) -> Ending:
    """Our own worker died; the reply is what it had stored."""
    message = "The worker that was writing this reply was lost."
    return _ended_early(outcomes.INTERRUPTED, "worker_lost", message, reply)


def interrupted_with_client() -> Ending:
    """The process that passed the reply on to a program was lost before the runner was asked."""
    message = "The process that held the program's connection was lost before the model was asked."
    return _ended_early(outcomes.INTERRUPTED, "worker_lost", message, LiveReply())


def cancelled_by_leaving(reply: LiveReply) -> Ending:
    """The program that had asked closed its connection."""
    message = "The program that asked closed its connection before the reply had ended."
    return _ended_early(outcomes.CANCELLED, "client_gone", message, reply)


def cancelled_without_access(reply: LiveReply) -> Ending:
    """Who had asked may not ask any more."""
    message = (
        "The API token it was asked with was revoked, or its owner deactivated, before the reply had ended."
    )
    return _ended_early(outcomes.CANCELLED, "access_ended", message, reply)


def too_long(reply: LiveReply) -> Ending:
    message = (
        f"The reply went beyond {REPLY_LIMIT_CHARACTERS:,} characters and was stopped. Ask for a shorter one."
    )
    return _ended_early(outcomes.INTERRUPTED, "reply_too_long", message, reply)


def _ended_early(
    outcome: str, code: str, message: str, reply: LiveReply, http_status: int | None = None
) -> Ending:
    message = _with_what_is_kept(message, reply)
    return Ending(outcome, ReplyError(code, message), CallError(code, message, http_status))


def _with_what_is_kept(message: str, reply: LiveReply) -> str:
    """Say that the text is kept where there is any, and only there. The words before may be a runner's own."""
    message = message.rstrip()
    return message + ("" if message.endswith(_SENTENCE_ENDS) else ".") + (_KEPT if reply.characters else "")


def storable(text: str) -> str:
    """The text with what no database or UTF-8 can hold (NUL, lone surrogates) replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        # Two halves that stand side by side become the character they are halves of.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _whole_characters(half: str, text: str) -> tuple[str, str]:
    """What can be shown of `text` after `half`, and the half of a character that waits for the next piece.

    Runners that write JSON in ASCII may cut a character between the two halves that JSON escapes it with.
    """
    if not half and text.isascii() and "\x00" not in text:
        return text, ""
    text = half + text
    if "\ud800" <= text[-1:] <= "\udbff":
        return storable(text[:-1]), text[-1]
    return storable(text), ""


def _storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)
