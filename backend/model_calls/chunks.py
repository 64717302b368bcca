"""Stores and announces the live text of all running replies: a shown token is a stored token.

One statement at a time for all replies together: at once when little is under way, and otherwise
with everything that arrived meanwhile. Under load it rests a moment between two, so that a chunk holds
more of its reply: what all this costs, here and in every web process, hangs on the number of chunks.
The statement locks the worker's lease and is refused when that is dead. It does not wait for the disk,
so what was written in the last moments before the database was lost is written once more.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from backend.domain.model_call import ModelCall
from backend.model_calls.frames import (
    CHUNK_CHANNEL,
    Chunk,
    Frame,
    chunk_frame,
    payloads,
    prefill_frame,
    split_texts,
    started_frame,
)
from backend.model_calls.leases import WorkerFoundDead
from backend.model_calls.link import DatabaseAway, Link, Pauses

# The lease's row is locked before anything is written, and a lock that had to wait sees the newest
# row: a flush in flight and the sweep that marks its worker dead come one after the other.
_FLUSH = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), stored AS (
    INSERT INTO call_chunk (call_id, seq, attempt, text, reasoning, at)
    SELECT chunk.call_id, chunk.seq, chunk.attempt, chunk.text, chunk.reasoning, clock_timestamp()
    FROM me, unnest(
        %(call_ids)s::uuid[], %(seqs)s::int[], %(attempts)s::int[], %(texts)s::text[], %(reasonings)s::text[]
    ) AS chunk (call_id, seq, attempt, text, reasoning)
    ON CONFLICT (call_id, seq) DO NOTHING
)
SELECT me.worker_id, pg_notify(%(channel)s, told.payload)
FROM me, unnest(%(payloads)s::text[]) AS told (payload)
"""

FLUSH_LIMIT = 1_000
"""Chunks in one statement; what is beyond goes with the next."""

FEW_CHUNKS = 8
"""A flush of so few is followed by the next one at once: no token waits while not many replies are written."""

REST_PER_CHUNK_S = 0.0003
LONGEST_REST_S = 0.06
"""The rest after a flush of many. It bounds how many chunks a second there can be, whatever the runners send."""

BEHIND_S = 0.25
"""After so long a flush is not just under way: the database does not answer as it should."""

UNSAFE_S = 5.0
"""How long a commit that did not wait for the disk may be lost with the database: really 0.6 s."""


@dataclass
class _Growing:
    """What arrived for one reply since the last flush."""

    attempt: int
    reply_id: UUID | None
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)


@dataclass
class _Counted:
    """How far the chunks of one running call have come."""

    reply_id: UUID | None
    attempt: int
    first_seq: int
    next_seq: int


class ChunkWriter:
    """Takes text from many streams and flushes it over one link."""

    def __init__(self, link: Link, worker_id: str, pauses: Pauses) -> None:
        self._link = link
        self._worker_id = worker_id
        self._pauses = pauses
        self._calls: dict[UUID, _Counted] = {}
        self._growing: dict[UUID, _Growing] = {}
        self._states: list[Frame] = []
        self._unsent: deque[Chunk] = deque()
        self._recent: deque[tuple[float, Chunk]] = deque()
        self._work = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._connections_seen = 0
        self._busy_since: float | None = None

    # ---- for the streams --------------------------------------------------------------------

    def open(self, call: ModelCall, attempt: int, first_seq: int = 0) -> None:
        """Begin a call's chunks, and tell that its attempt has started."""
        self._calls[call.id] = _Counted(call.reply_id, attempt, first_seq, first_seq)
        self._states.append(started_frame(call.id, call.reply_id, call.conversation_id, call.owner_id))
        self._work.set()

    def tell_prefill(self, call_id: UUID, processed: int, total: int) -> None:
        """Tell how many tokens of the prompt the runner has read. Never stored; a later figure replaces it."""
        count = self._calls[call_id]
        self._states.append(prefill_frame(call_id, count.reply_id, processed, total))
        self._work.set()

    def add(self, call_id: UUID, text: str, reasoning: str) -> None:
        """Take in what just arrived. Never waits."""
        growing = self._growing.get(call_id)
        if growing is None:
            count = self._calls[call_id]
            growing = self._growing[call_id] = _Growing(count.attempt, count.reply_id)
        growing.text.append(text)
        growing.reasoning.append(reasoning)
        self._work.set()

    async def drained(self, call_id: UUID) -> int:
        """Wait until everything added for this call is stored and told; return how many chunks it has."""
        while call_id in self._growing or any(chunk.call_id == call_id for chunk in self._unsent):
            flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(flushed)
            await flushed
        count = self._calls[call_id]
        return count.next_seq - count.first_seq

    @property
    def is_behind(self) -> bool:
        """Whether what is being stored takes so long that nothing more should be shown before it is."""
        return self._busy_since is not None and time.monotonic() - self._busy_since > BEHIND_S

    def close(self, call_id: UUID) -> None:
        """The call has ended or is given up: nothing of it is written any more."""
        self._calls.pop(call_id, None)
        self._growing.pop(call_id, None)

    # ---- flushing ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Flush for ever. Raises WorkerFoundDead when a flush is refused."""
        while True:
            if not self._unsent and not self._growing and not self._states:
                await self._idle()
            if self._busy_since is None:
                self._busy_since = time.monotonic()
            try:
                await self._rewrite_after_a_loss()
                flushed = await self._flush()
                self._busy_since = None
                self._pauses.reset()
                if flushed > FEW_CHUNKS and not self._unsent:
                    await asyncio.sleep(min(flushed * REST_PER_CHUNK_S, LONGEST_REST_S))
            except DatabaseAway:
                await self._pauses.wait()

    async def _idle(self) -> None:
        """Wait for work; meanwhile make sure that what was written last is still there."""
        self._work.clear()
        try:
            await asyncio.wait_for(self._work.wait(), 1.0 if self._recent else None)
        except TimeoutError:
            return

    async def _rewrite_after_a_loss(self) -> None:
        """After a lost connection, put in front again what the database may have forgotten.

        Raises DatabaseAway.
        """
        if self._link.connections and not self._unsent and not self._growing and not self._states:
            await self._link.run("SELECT 1")
        await self._link.connection()
        if self._link.connections == self._connections_seen:
            return
        self._connections_seen = self._link.connections
        again = [chunk for _, chunk in self._recent if chunk.call_id in self._calls]
        self._recent.clear()
        self._unsent.extendleft(reversed(again))

    async def _flush(self) -> int:
        """Store and tell what there is; return how many chunks that was."""
        self._gather()
        chunks = list(islice(self._unsent, FLUSH_LIMIT))
        states = list(self._states)
        told = list(payloads([*states, *(chunk_frame(chunk) for chunk in chunks)]))
        if told:
            rows = await self._link.run(
                _FLUSH,
                {
                    "worker": self._worker_id,
                    "call_ids": [chunk.call_id for chunk in chunks],
                    "seqs": [chunk.seq for chunk in chunks],
                    "attempts": [chunk.attempt for chunk in chunks],
                    "texts": [chunk.text for chunk in chunks],
                    "reasonings": [chunk.reasoning for chunk in chunks],
                    "channel": CHUNK_CHANNEL,
                    "payloads": told,
                },
            )
            if not rows:
                raise WorkerFoundDead(self._worker_id)
        self._note_stored(chunks, len(states))
        return len(chunks)

    def _gather(self) -> None:
        """Number what has grown since, and queue it behind what is still unsent."""
        growing, self._growing = self._growing, {}
        for call_id, pieces in growing.items():
            count = self._calls[call_id]
            for text, reasoning in split_texts("".join(pieces.text), "".join(pieces.reasoning)):
                self._unsent.append(
                    Chunk(call_id, pieces.reply_id, count.next_seq, pieces.attempt, text, reasoning)
                )
                count.next_seq += 1

    def _note_stored(self, chunks: list[Chunk], states: int) -> None:
        now = time.monotonic()
        # This very statement shows that the database has lived on since the older ones were written.
        while self._recent and self._recent[0][0] < now - UNSAFE_S:
            self._recent.popleft()
        del self._states[:states]
        for chunk in chunks:
            self._unsent.popleft()
            self._recent.append((now, chunk))
        waiting, self._waiting = self._waiting, []
        for flushed in waiting:
            if not flushed.done():
                flushed.set_result(None)
