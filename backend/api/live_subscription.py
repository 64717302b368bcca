"""One open stream's place at the hub: a queue with an end, and what may stand in it.

A client that does not read is given up once it has left too much unread, so memory never grows. Knows
nothing of frames and reads nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from backend.api.live_source import LiveRow

QUEUE_ITEMS: Final = 5_000
QUEUE_BYTES: Final = 4 * 1024 * 1024
SLOW_CLIENT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class LiveChunk:
    """A piece of a reply as the model-call worker told of it. body: its frame without the id."""

    call_id: UUID
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class CallBegun:
    """An attempt of a call of the conversation on screen has started; its chunks follow."""

    call_id: UUID
    reply_id: UUID


@dataclass(frozen=True, slots=True)
class CallState:
    """How a call is getting on before its first token, as a frame without the id. Only the latest counts."""

    call_id: UUID
    body: bytes


class ChunksMayBeMissing:
    """Told to every stream after the listening connection was lost: look into the table once."""


Item = LiveRow | LiveChunk | CallBegun | CallState | ChunksMayBeMissing


class Subscription:
    """start: the stream is handed everything beyond this position. conversation_id: the one on screen."""

    def __init__(
        self, owner_id: UUID, start: int, abort: Callable[[], object], conversation_id: UUID | None = None
    ) -> None:
        self.owner_id = owner_id
        self.conversation_id = conversation_id
        self.start = start
        self.calls: set[UUID] = set()
        self.overflowed = False
        self.closing = False
        self._abort = abort
        self._abort_later: asyncio.TimerHandle | None = None
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._states: dict[UUID, CallState] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: Item, size: int) -> None:
        """Add to the queue, or give the client up when it has left too much unread."""
        if self.overflowed or self.closing:
            return
        if len(self._items) >= QUEUE_ITEMS or self._bytes + size > QUEUE_BYTES:
            self.overflowed = True
            self._empty()
            # A client that reads slowly still gets to hear `reset`; one that reads nothing is cut off.
            self._abort_later = asyncio.get_running_loop().call_later(SLOW_CLIENT_S, self._abort)
        else:
            self._items.append(item)
            self._bytes += size
        self._wake()

    def put_state(self, state: CallState) -> None:
        """Tell it when the client is ready for more; the call's earlier state, if still untold, is forgotten."""
        if not (self.overflowed or self.closing):
            self._states[state.call_id] = state
            self._wake()

    async def take(self, timeout_s: float) -> list[Item]:
        """Everything queued, as soon as there is something; nothing after `timeout_s`, or at the end."""
        if not (self._items or self._states or self.overflowed or self.closing):
            await self._wait(timeout_s)
        items = [*self._items, *self._states.values()]
        self._empty()
        return items

    def close(self) -> None:
        """End the stream soon, because the server stops."""
        self.closing = True
        self._wake()

    def forget(self) -> None:
        for timer in (self._abort_later, self._timer):
            if timer is not None:
                timer.cancel()

    def _empty(self) -> None:
        self._items.clear()
        self._states.clear()
        self._bytes = 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout_s: float) -> None:
        """Until something was put, or it is time. The timer outlives the wait: there is one for every token."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + timeout_s
        if self._timer is None:
            self._timer = loop.call_at(self._due, self._on_timer)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._due:
            self._wake()
        else:
            self._timer = loop.call_at(self._due, self._on_timer)
