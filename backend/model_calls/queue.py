"""The queue of calls that wait for a worker or are held by one.

Each claim has a higher number than the one before it; everything a worker stores about a call is
fenced by that number. The queue decides who works, never what happened: that is in the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.model_calls.companions import QUEUE_CHANNEL
from backend.model_calls.link import Link


@dataclass(frozen=True)
class Claim:
    """This worker's hold on one call. previously_claimed_at: when the holder before it had claimed it."""

    call_id: UUID
    worker: str
    number: int
    previously_claimed_at: datetime | None = None


# The worker's own row is locked too: one that is dead claims nothing.
_CLAIM = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), waiting AS (
    SELECT call_id FROM model_call_queue
    WHERE claimed_by IS NULL AND not_before <= clock_timestamp() AND EXISTS (SELECT 1 FROM me)
    ORDER BY queued_at, call_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE model_call_queue AS queue
SET claimed_by = %(worker)s, claim = claim + 1, claimed_at = clock_timestamp()
FROM waiting WHERE queue.call_id = waiting.call_id
RETURNING queue.call_id, queue.claim, NULL::timestamptz AS before
"""

_TAKE_OVER = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), left_behind AS (
    SELECT queue.call_id, queue.claimed_at FROM model_call_queue AS queue
    LEFT JOIN model_call_worker AS holder ON holder.worker_id = queue.claimed_by
    WHERE queue.claimed_by IS NOT NULL AND (holder.worker_id IS NULL OR holder.dead)
      AND EXISTS (SELECT 1 FROM me)
    ORDER BY queue.queued_at, queue.call_id LIMIT %(limit)s FOR UPDATE OF queue SKIP LOCKED
)
UPDATE model_call_queue AS queue
SET claimed_by = %(worker)s, claim = claim + 1, claimed_at = clock_timestamp()
FROM left_behind WHERE queue.call_id = left_behind.call_id
RETURNING queue.call_id, queue.claim, left_behind.claimed_at AS before
"""

_HELD = "SELECT call_id, claim, claimed_at AS before FROM model_call_queue WHERE claimed_by = %(worker)s"

_RELEASE = """
WITH released AS (
    UPDATE model_call_queue
    SET claimed_by = NULL, claimed_at = NULL,
        not_before = clock_timestamp() + make_interval(secs => %(pause_s)s)
    WHERE call_id = %(call_id)s AND claimed_by = %(worker)s AND claim = %(claim)s
    RETURNING call_id
)
SELECT pg_notify(%(channel)s, '') FROM released
"""

_REMOVE = """
DELETE FROM model_call_queue
WHERE call_id = %(call_id)s AND claimed_by = %(worker)s AND claim = %(claim)s
"""


async def claim_waiting(link: Link, worker: str, limit: int) -> list[Claim]:
    """Claim up to `limit` waiting calls, the oldest first; a call another worker is claiming is passed by."""
    return _claims(await link.run(_CLAIM, {"worker": worker, "limit": limit}), worker)


async def take_over_from_the_dead(link: Link, worker: str, limit: int) -> list[Claim]:
    """Take calls that dead workers hold; from then on nothing these workers store is accepted."""
    return _claims(await link.run(_TAKE_OVER, {"worker": worker, "limit": limit}), worker)


async def held_claims(link: Link, worker: str) -> list[Claim]:
    """All calls this worker holds according to the database."""
    return _claims(await link.run(_HELD, {"worker": worker}), worker)


async def release(link: Link, claim: Claim, *, pause_s: float = 0.0) -> None:
    """Let go of a call that was not started, for any worker to claim after `pause_s` seconds."""
    await link.run(_RELEASE, {**_key(claim), "pause_s": pause_s, "channel": QUEUE_CHANNEL})


async def remove(link: Link, claim: Claim) -> None:
    """Take a call out of the queue that the events say has ended."""
    await link.run(_REMOVE, _key(claim))


def _key(claim: Claim) -> dict[str, Any]:
    return {"call_id": claim.call_id, "worker": claim.worker, "claim": claim.number}


def _claims(rows: Sequence[dict[str, Any]], worker: str) -> list[Claim]:
    return [Claim(row["call_id"], worker, row["claim"], row["before"]) for row in rows]
