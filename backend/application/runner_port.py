"""What the application asks of a model runner, and what a runner may answer.

The port keeps the worker free of HTTP: it sees prompts go out as bytes and text come back as
deltas. Adapters live in backend.model_runner; which one is used is chosen in backend.bootstrap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class RunnerModel:
    """One model that a runner offers. None stands for what the runner does not tell.

    size_bytes: of its file. loaded: whether it is in memory now. error: why it cannot be used.
    """

    id: str
    context_tokens: int | None = None
    demonstration: bool = False
    size_bytes: int | None = None
    loaded: bool | None = None
    error: str | None = None


@dataclass(frozen=True)
class ResponseIdentity:
    """Who answered: taken from the first chunk that tells. Response ids are never keys."""

    response_id: str | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None


@dataclass(frozen=True)
class Delta:
    """A piece of the reply as it arrived; at least one of text and reasoning is not empty."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True)
class ToolCallFragment:
    """A fragment of a tool call, joined by `index` once the stream has ended."""

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class Finished:
    """The runner said why it stopped: stop, length, tool_calls, content_filter, or its own word."""

    reason: str


@dataclass(frozen=True)
class Usage:
    """Token counts as the runner reported them, after the finish."""

    prompt_tokens: int | None
    completion_tokens: int | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptProgress:
    """How many tokens of the prompt the runner has read so far."""

    processed: int
    total: int


@dataclass(frozen=True)
class StillThere:
    """A sign of life without content: a comment ping, or response headers."""


@dataclass(frozen=True)
class AsWritten:
    """A whole piece of the answer as the runner wrote it, after the events that were read from it."""

    data: str


RunnerEvent = (
    ResponseIdentity | Delta | ToolCallFragment | Finished | Usage | PromptProgress | StillThere | AsWritten
)


class RunnerFailure(Exception):
    """A model call did not go as asked. The text is written for the person who waits for the reply.

    code: stable, e.g. runner_unreachable, runner_loading, first_token_timeout, stream_silent,
    stream_cut, context_overflow, model_not_found, runner_refused, runner_error, bad_response.
    http_status: the runner's status, or None where no answer came.
    safe_to_retry: nothing can have been generated or delivered, so asking again repeats nothing.
    retry_after_s: how long the runner asked to be left alone, or None.
    details: numbers worth keeping, such as n_prompt_tokens and n_ctx of an overflow.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        http_status: int | None = None,
        safe_to_retry: bool = False,
        retry_after_s: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
        self.safe_to_retry = safe_to_retry
        self.retry_after_s = retry_after_s
        self.details: Mapping[str, Any] = details or {}


class Line(Protocol):
    """A connection to a runner that is being made. Belongs to the runner that gave it."""

    def hang_up(self) -> None:
        """Give it up, where it was not used. May be called at any time, and more than once."""


class ModelRunner(Protocol):
    """An OpenAI-compatible server, seen as one that streams chat completions."""

    @property
    def name(self) -> str:
        """How people know this runner, e.g. `built-in` or `localhost:12434`."""

    @property
    def url(self) -> str:
        """Base URL up to and including /v1, without a trailing slash and without credentials."""

    def stream_chat(self, body: bytes) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        """Send exactly `body` to chat/completions and yield what comes back.

        Leaving the context closes the connection, which is how a call is cancelled.
        The iterator simply ends at `[DONE]`, at a clean end of the stream, or where nothing more comes soon
        after Finished; whether the reply is complete is for the caller to say (it is, only if Finished was seen).
        Raises RunnerFailure for everything that goes wrong on the way.
        """

    def reach(self) -> Line:
        """Begin to connect, and return at once. Nothing is sent; whether it works shows when the line is used."""

    def pass_chat(
        self, body: bytes, *, whole: bool, line: Line | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        """As stream_chat for a body that a program wrote, with AsWritten for each piece of the answer.

        whole: the body asks for the answer in one piece, which is waited for as long as it may take.
        line: what `reach` gave, to be used for this one call.
        """

    async def list_models(self) -> tuple[RunnerModel, ...]:
        """What the runner offers now. Raises RunnerFailure when it cannot be asked."""

    async def version(self) -> str | None:
        """The runner's version where it tells, for the record; None otherwise. Never raises RunnerFailure."""

    async def aclose(self) -> None:
        """Close idle connections."""
