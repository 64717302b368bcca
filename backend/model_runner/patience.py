"""Until when the next bytes of a runner's answer are waited for. Knows the clock of the event loop, and nothing of HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from backend.application.runner_port import Delta, Finished, RunnerEvent, ToolCallFragment
from backend.model_runner.runner_settings import FIRST_TOKEN_TIMEOUT_S, SILENCE_TIMEOUT_S


@dataclass(frozen=True)
class RunnerTimeouts:
    """In seconds. first_token is long because some runners load the model inside the first request.

    Comment pings keep `between_chunks` from running out, never `first_token`. after_finish: what is
    waited for usage and the end of the stream once the runner has said why it stopped; then the stream
    simply ends, as nothing of the reply can be missing. whole_answer: for one that is asked for in one piece, whose
    first word comes with its last.
    """

    connect: float = 5.0
    first_token: float = FIRST_TOKEN_TIMEOUT_S
    between_chunks: float = SILENCE_TIMEOUT_S
    after_finish: float = 5.0
    listing: float = 3.0
    whole_answer: float = 3600.0


class Patience:
    """Until when the next bytes of one stream are waited for, and for what."""

    def __init__(self, timeouts: RunnerTimeouts, first_token_until: float) -> None:
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._last_until = first_token_until
        self.waits_for: Literal["first token", "next chunk", "end"] = "first token"

    def note(self, event: RunnerEvent) -> None:
        if isinstance(event, Finished) and self.waits_for != "end":
            self.waits_for = "end"
            self._last_until = self._loop.time() + self._timeouts.after_finish
        elif isinstance(event, Delta | ToolCallFragment) and self.waits_for == "first token":
            self.waits_for = "next chunk"

    @property
    def until(self) -> float:
        """Anew from each read between chunks; fixed for the first token and for the end."""
        if self.waits_for == "next chunk":
            return self._loop.time() + self._timeouts.between_chunks
        return self._last_until
