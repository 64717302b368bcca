"""One client's side of the live stream: from where it left off, without a gap and without a duplicate.

Subscribe first, then read what is stored, then go on with what is told; whatever comes twice is
recognised by its position or seq. Reads through the hub only, and writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, TypeVar
from uuid import UUID

from backend.api import live_frames, live_source
from backend.api.live_frames import Cursor
from backend.api.live_hub import LiveHub
from backend.api.live_source import LiveRow
from backend.api.live_subscription import (
    CallBegun,
    CallState,
    ChunksMayBeMissing,
    Item,
    LiveChunk,
    Subscription,
)
from projections import tracking

Result = TypeVar("Result")

PING_EVERY_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.25
CATCH_UP_LIMIT: Final = 20 * live_source.BATCH


class LiveFeed:
    """Frames for one open stream. conversation_id: the one on screen, whose chunks are wanted too."""

    def __init__(
        self, hub: LiveHub, subscription: Subscription, *, owner_id: UUID, conversation_id: UUID | None
    ) -> None:
        self._hub = hub
        self._subscription = subscription
        self._owner_id = owner_id
        self._conversation_id = conversation_id
        self._position = subscription.start
        self._seen: dict[UUID, int] = {}
        self._resumed: Mapping[UUID, int] = {}
        self._replies: dict[UUID, UUID | None] = {}

    async def frames(self, cursor: Cursor | None, *, reset: bool) -> AsyncIterator[bytes]:
        """Bytes to send, until the server stops or the client is too slow. Raises django.db.Error, PersistenceError.

        cursor: what the client has seen; None for one that has just come. reset: what it has seen is of
        no use; it is told to fetch everything again, and gets what happens from now on.
        """
        if cursor is not None:
            self._position, self._resumed = cursor.position, cursor.seen
        # What the client has seen it must not lose by a cut that comes before anything else does.
        yield live_frames.opening(self._cursor() if cursor is None else cursor)
        if reset:
            yield live_frames.reset(self._cursor())
        if cursor is not None:
            async for frame in self._resume(cursor):
                yield frame
        async for frame in self._follow_pending_replies():
            yield frame
        while not self._subscription.closing:
            items = await self._subscription.take(PING_EVERY_S)
            if self._subscription.overflowed:
                yield live_frames.RESET
                return
            if not items and not self._subscription.closing:
                # Nothing is queued, so everything delivered so far has been sent.
                self._position = max(self._position, self._hub.delivered)
                yield live_frames.ping(self._cursor())
            # One write for all that came at once, unless something has to be read in between.
            ready: list[bytes] = []
            for item in items:
                if (at_hand := self._frame_at_hand(item)) is not None:
                    ready.append(at_hand)
                    continue
                if ready:
                    yield b"".join(ready)
                    ready = []
                if frames := b"".join([part async for part in self._frames_of(item)]):
                    yield frames
            if ready:
                yield b"".join(ready)

    # ---- catching up ------------------------------------------------------------------------

    async def _resume(self, cursor: Cursor) -> AsyncIterator[bytes]:
        """First the chunks the client has missed of the replies it was following, then the changes."""
        if self._conversation_id is not None:
            for call_id in cursor.seen:
                reply_id = await self._read_when_built(
                    live_source.reply_of_call, call_id, self._conversation_id, self._owner_id
                )
                if reply_id is not None:
                    self._follow(call_id, reply_id)
            for call_id in tuple(self._seen):
                async for frame in self._stored_chunks(call_id):
                    yield frame
        sent = 0
        while self._position < self._subscription.start and not self._subscription.closing:
            batch = await self._hub.read(
                live_source.changes_between, self._position, self._subscription.start, self._owner_id
            )
            if batch is None:
                # The changes are being made anew; nothing can be told before they are there.
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            for row in batch.rows:
                async for frame in self._frames_of(row):
                    yield frame
            self._position = max(self._position, batch.up_to)
            sent += len(batch.rows)
            if sent > CATCH_UP_LIMIT and self._position < self._subscription.start:
                # To fetch again is cheaper for both sides than thousands of single changes.
                self._position = self._subscription.start
                yield live_frames.reset(self._cursor())

    async def _follow_pending_replies(self) -> AsyncIterator[bytes]:
        """Replies that were being written before the client came: their chunks from the first one on."""
        if self._conversation_id is None:
            return
        pending = await self._read_when_built(
            live_source.pending_calls, self._conversation_id, self._owner_id, self._position
        )
        for call_id, reply_id in pending or ():
            if call_id not in self._seen:
                self._follow(call_id, reply_id)
                async for frame in self._stored_chunks(call_id):
                    yield frame

    async def _read_when_built(self, function: Callable[..., Result], *arguments: object) -> Result | None:
        """What the read model says, after a rebuild that may be under way; None when the stream is to end."""
        while not self._subscription.closing:
            try:
                return await self._hub.read(function, *arguments)
            except tracking.Rebuilding:
                await asyncio.sleep(LOOK_AGAIN_S)
        return None

    # ---- one item ---------------------------------------------------------------------------

    def _frame_at_hand(self, item: Item) -> bytes | None:
        """The frame of a chunk that continues what the client has, or of a state; None for anything else.

        One of these comes for every token, so it is told apart from what may need the database.
        """
        if isinstance(item, LiveChunk) and item.seq == self._seen.get(item.call_id, -2) + 1:
            self._seen[item.call_id] = item.seq
            return live_frames.with_id(item.body, self._cursor())
        if isinstance(item, CallState) and self._seen.get(item.call_id) == -1:
            return live_frames.with_id(item.body, self._cursor())
        return None

    async def _frames_of(self, item: Item) -> AsyncIterator[bytes]:
        match item:
            case LiveRow():
                async for frame in self._row(item):
                    yield frame
            case LiveChunk(call_id=call_id) if item.seq > self._seen.get(call_id, item.seq):
                async for frame in self._stored_chunks(call_id):
                    yield frame
            case CallBegun(call_id=call_id) if call_id not in self._seen:
                self._follow(call_id, item.reply_id)
                if self._seen[call_id] != -1:
                    # The client has had some of it before a cut; chunks told before the stream was open are missing.
                    async for frame in self._stored_chunks(call_id):
                        yield frame
            case ChunksMayBeMissing():
                for call_id in tuple(self._seen):
                    async for frame in self._stored_chunks(call_id):
                        yield frame

    async def _row(self, row: LiveRow) -> AsyncIterator[bytes]:
        if row.position <= self._position:
            return
        call_id = row.call_id
        new = call_id if self._is_new_on_screen(row) else None
        if new is not None:
            self._follow(new, row.reply_id)
        if row.state == "retrying" and call_id in self._seen:
            self._hub.waits_again(call_id)
        ended = call_id if row.state == "finished" and call_id in self._seen else None
        if ended is not None:
            if row.chunks != self._seen[ended] + 1:
                # All of its chunks were stored before its end was; a lost notification shows here at last.
                async for frame in self._stored_chunks(ended):
                    yield frame
            self._unfollow(ended)
        self._position = row.position
        if row.body is not None:
            yield live_frames.with_id(row.body, self._cursor())
        if new is not None and self._hub.may_have_begun(new):
            async for frame in self._stored_chunks(new):
                yield frame

    async def _stored_chunks(self, call_id: UUID) -> AsyncIterator[bytes]:
        """The call's chunks beyond those the client has, from the table."""
        reply_id = self._replies[call_id]
        for chunk in await self._hub.read(live_source.stored_chunks, call_id, self._seen[call_id]):
            self._seen[call_id] = chunk.seq
            body = live_frames.chunk(
                call_id, reply_id, seq=chunk.seq, text=chunk.text, reasoning=chunk.reasoning
            )
            yield live_frames.with_id(body, self._cursor())

    # ---- bookkeeping ------------------------------------------------------------------------

    def _is_new_on_screen(self, row: LiveRow) -> bool:
        return (
            row.state == "requested"
            and row.conversation_id is not None
            and row.conversation_id == self._conversation_id
            and row.reply_id is not None
            and row.call_id not in self._seen
        )

    def _follow(self, call_id: UUID, reply_id: UUID | None) -> None:
        """Watching comes before reading the table, so that nothing falls in between."""
        self._hub.watch(self._subscription, call_id, reply_id)
        self._seen[call_id] = self._resumed.get(call_id, -1)
        self._replies[call_id] = reply_id

    def _unfollow(self, call_id: UUID) -> None:
        self._hub.unwatch(self._subscription, call_id)
        del self._seen[call_id]
        del self._replies[call_id]

    def _cursor(self) -> Cursor:
        return Cursor(self._position, self._seen)
