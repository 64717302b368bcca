"""Reading the chunks of replies in the making, and removing those of replies that have ended.

For the live stream, which shows a reply's chunks after a reload, and for whoever finishes the reply
of a dead worker. May not write chunks: only a living worker does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from backend.model_calls.link import Link


@dataclass(frozen=True)
class StoredChunk:
    call_id: UUID
    seq: int
    attempt: int
    text: str
    reasoning: str
    at: datetime


_SELECT = "SELECT call_id, seq, attempt, text, reasoning, at FROM call_chunk"
_AFTER = f"{_SELECT} WHERE call_id = %(call_id)s AND seq > %(after_seq)s ORDER BY seq"
_OF_ATTEMPT = f"{_SELECT} WHERE call_id = %(call_id)s AND attempt = %(attempt)s ORDER BY seq"
_NEXT_SEQ = "SELECT coalesce(max(seq) + 1, 0) AS next_seq FROM call_chunk WHERE call_id = %(call_id)s"

_REMOVE_ENDED = """
WITH ended AS (
    DELETE FROM call_chunk_end WHERE ended_at < clock_timestamp() - make_interval(secs => %(kept_s)s)
    RETURNING call_id
)
DELETE FROM call_chunk USING ended WHERE call_chunk.call_id = ended.call_id
"""

# Chunks of calls whose end was not remembered, for example because the queue was lost and repaired.
_REMOVE_STRAY = """
DELETE FROM call_chunk
WHERE at < clock_timestamp() - interval '1 day'
  AND NOT EXISTS (SELECT 1 FROM model_call_queue WHERE model_call_queue.call_id = call_chunk.call_id)
"""


def read_chunks_after(cursor: psycopg.Cursor[Any], call_id: UUID, after_seq: int = -1) -> list[StoredChunk]:
    """A call's stored chunks beyond `after_seq`, in order. Works on any cursor, also one of Django's."""
    cursor.execute(_AFTER, {"call_id": call_id, "after_seq": after_seq})
    names = [column.name for column in cursor.description or ()]
    rows = [row if isinstance(row, dict) else dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [StoredChunk(**row) for row in rows]


async def chunks_of_attempt(link: Link, call_id: UUID, attempt: int) -> Sequence[StoredChunk]:
    """What an attempt left behind, in order."""
    rows = await link.run(_OF_ATTEMPT, {"call_id": call_id, "attempt": attempt})
    return [StoredChunk(**row) for row in rows]


async def next_seq(link: Link, call_id: UUID) -> int:
    """Where a further attempt of the call goes on counting."""
    rows = await link.run(_NEXT_SEQ, {"call_id": call_id})
    return int(rows[0]["next_seq"])


async def remove_old_chunks(link: Link, kept_s: float) -> None:
    """Remove the chunks of calls that ended longer than `kept_s` seconds ago."""
    await link.run(_REMOVE_ENDED, {"kept_s": kept_s})
    await link.run(_REMOVE_STRAY)
