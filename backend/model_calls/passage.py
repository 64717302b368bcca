"""The way from the runner to the program that waits: a few pieces long, so that a slow reader slows the runner.

One side gives, one side takes, on one event loop. May not know what the pieces mean.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from backend.application.runner_port import AsWritten, StillThere
from backend.model_calls.live_reply import Ending, LiveReply

HELD: Final = 32
"""So many pieces wait for a reader before nothing more is read from the runner."""


@dataclass(frozen=True)
class Ended:
    """How the call ended, with all that came. recorded: the end is stored, as it is told here."""

    ending: Ending
    reply: LiveReply
    recorded: bool


class Passage:
    """What one call gives to the one who waits for it."""

    def __init__(self) -> None:
        self._pieces: deque[AsWritten | StillThere] = deque()
        self._ended: Ended | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def give(self, piece: AsWritten | StillThere) -> None:
        """Hand a piece over; wait where too many have not been taken."""
        self._pieces.append(piece)
        self._news.set()
        while len(self._pieces) >= HELD:
            self._room.clear()
            await self._room.wait()

    def end(self, ended: Ended) -> None:
        """Nothing follows. Never waits; the first end counts."""
        self._ended = self._ended or ended
        self._news.set()

    @property
    def has_ended(self) -> bool:
        return self._ended is not None

    async def take(self) -> AsWritten | StillThere | Ended:
        """The next piece, in order; the end, again and again, once all have been taken."""
        while not self._pieces:
            if self._ended is not None:
                return self._ended
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._room.set()
        return piece
