"""The queue of calls that wait for a worker or are held by one.

Each claim has a higher number than the one before it; everything a worker stores about a call is
fenced by that number. The queue decides who works and who comes first, never what happened: that is in
the events.

A runner may have a limit of calls at the same time, counted over all workers. Those that wait for it come
in turns: everybody's first call before anybody's second, where a call that is running counts as one, and
whoever was served longest ago before the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from backend.model_calls.companions import QUEUE_CHANNEL
from backend.model_calls.link import Link

CLAIM_LOCK = 0x7665_7262_0003
"""Advisory lock of whoever counts a runner's calls in order to claim more."""


@dataclass(frozen=True)
class Claim:
    """This worker's hold on one call. previously_claimed_at: when the holder before it had claimed it.

    conversation_id: so that the conversation can be read while the call is; None where nobody needs that.
    """

    call_id: UUID
    worker: str
    number: int
    previously_claimed_at: datetime | None = None
    conversation_id: UUID | None = None


@dataclass(frozen=True)
class Place:
    """Where a waiting call stands. place: 1 is next; None while it waits for its next attempt, until not_before.

    waiting: how many calls stand in line for this runner.
    """

    place: int | None
    waiting: int
    runner: str | None
    not_before: datetime


# `turn`: the how-manieth call of its owner this would be at its runner.
_PLACED = """
busy AS (
    SELECT runner, owner_id, count(*) AS calls FROM model_call_queue
    WHERE claimed_by IS NOT NULL GROUP BY runner, owner_id
), ranked AS (
    SELECT queue.call_id, queue.runner, queue.priority, queue.queued_at,
        coalesce(busy.calls, 0) + row_number() OVER (
            PARTITION BY queue.runner, queue.owner_id ORDER BY queue.priority, queue.queued_at, queue.call_id
        ) AS turn,
        served.at AS served_at
    FROM model_call_queue AS queue
    LEFT JOIN busy ON busy.owner_id = queue.owner_id AND busy.runner IS NOT DISTINCT FROM queue.runner
    LEFT JOIN model_call_served AS served ON served.runner = queue.runner AND served.owner_id = queue.owner_id
    WHERE queue.claimed_by IS NULL AND queue.not_before <= clock_timestamp()
), placed AS (
    SELECT call_id, runner, priority, turn, served_at, queued_at,
        row_number() OVER (
            PARTITION BY runner ORDER BY priority, turn, served_at NULLS FIRST, queued_at, call_id
        ) AS place,
        count(*) OVER (PARTITION BY runner) AS waiting
    FROM ranked
)
"""

# Where no runner has a limit nobody waits for a turn, and the oldest comes first.
_CLAIM_ANY = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), waiting AS (
    SELECT call_id FROM model_call_queue
    WHERE claimed_by IS NULL AND not_before <= clock_timestamp() AND EXISTS (SELECT 1 FROM me)
      AND for_worker IS NOT DISTINCT FROM %(for_worker)s
    ORDER BY priority, queued_at, call_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE model_call_queue AS queue
SET claimed_by = %(worker)s, claim = claim + 1, claimed_at = clock_timestamp()
FROM waiting WHERE queue.call_id = waiting.call_id
RETURNING queue.call_id, queue.claim, queue.conversation_id, NULL::timestamptz AS before
"""

# The worker's own row is locked too: one that is dead claims nothing.
_CLAIM = f"""
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), {_PLACED}, free AS (
    SELECT limited.runner, limited.calls - count(running.call_id) AS calls
    FROM unnest(%(runners)s::text[], %(limits)s::int[]) AS limited (runner, calls)
    LEFT JOIN model_call_queue AS running
        ON running.claimed_by IS NOT NULL AND running.runner = limited.runner
    GROUP BY limited.runner, limited.calls
), waiting AS (
    SELECT queue.call_id
    FROM model_call_queue AS queue
    JOIN placed ON placed.call_id = queue.call_id
    LEFT JOIN free ON free.runner = placed.runner
    WHERE queue.claimed_by IS NULL AND EXISTS (SELECT 1 FROM me)
      AND queue.for_worker IS NOT DISTINCT FROM %(for_worker)s
      AND (free.calls IS NULL OR placed.place <= free.calls)
    ORDER BY placed.priority, placed.turn, placed.served_at NULLS FIRST, placed.queued_at, placed.call_id
    LIMIT %(limit)s FOR UPDATE OF queue SKIP LOCKED
), claimed AS (
    UPDATE model_call_queue AS queue
    SET claimed_by = %(worker)s, claim = claim + 1, claimed_at = clock_timestamp()
    FROM waiting WHERE queue.call_id = waiting.call_id
    RETURNING queue.call_id, queue.claim, queue.conversation_id, queue.runner, queue.owner_id
), remembered AS (
    INSERT INTO model_call_served (runner, owner_id, at)
    SELECT runner, owner_id, clock_timestamp() FROM claimed WHERE runner = ANY(%(runners)s)
    GROUP BY runner, owner_id
    ON CONFLICT (runner, owner_id) DO UPDATE SET at = excluded.at
)
SELECT call_id, claim, conversation_id, NULL::timestamptz AS before FROM claimed
"""

_FORGET_SERVED = "DELETE FROM model_call_served WHERE at < clock_timestamp() - interval '1 hour'"

# Who is gone stays gone, so that is found out first. A call that somebody else has claimed while this statement waited is
# looked at again, and passed by because its holder is not among them; with an outer join here it would be taken.
_TAKE_OVER = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), gone AS MATERIALIZED (
    SELECT DISTINCT coalesce(held.claimed_by, held.for_worker) AS worker_id FROM model_call_queue AS held
    LEFT JOIN model_call_worker AS holder ON holder.worker_id = coalesce(held.claimed_by, held.for_worker)
    WHERE coalesce(held.claimed_by, held.for_worker) IS NOT NULL AND (holder.worker_id IS NULL OR holder.dead)
), left_behind AS (
    SELECT queue.call_id, queue.claimed_at FROM model_call_queue AS queue
    JOIN gone ON gone.worker_id = coalesce(queue.claimed_by, queue.for_worker)
    WHERE EXISTS (SELECT 1 FROM me)
    ORDER BY queue.queued_at, queue.call_id LIMIT %(limit)s FOR UPDATE OF queue SKIP LOCKED
)
UPDATE model_call_queue AS queue
SET claimed_by = %(worker)s, claim = claim + 1, claimed_at = clock_timestamp()
FROM left_behind WHERE queue.call_id = left_behind.call_id
RETURNING queue.call_id, queue.claim, left_behind.claimed_at AS before
"""

_PLACES = f"""
WITH {_PLACED}
SELECT queue.call_id, placed.place, coalesce(placed.waiting, 0) AS waiting, queue.runner, queue.not_before
FROM model_call_queue AS queue LEFT JOIN placed ON placed.call_id = queue.call_id
WHERE queue.call_id = ANY(%(call_ids)s) AND queue.claimed_by IS NULL
"""

_HELD = "SELECT call_id, claim, claimed_at AS before FROM model_call_queue WHERE claimed_by = %(worker)s"

_STILL_THERE = "SELECT call_id FROM model_call_queue WHERE call_id = ANY(%(call_ids)s)"

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


async def claim_waiting(
    link: Link,
    worker: str,
    limit: int,
    runner_limits: Mapping[str, int] | None = None,
    *,
    only_own: bool = False,
) -> list[Claim]:
    """Claim up to `limit` waiting calls in their order; a call another worker is claiming is passed by.

    runner_limits: how many calls a runner may have at the same time; one that is not named has no limit.
    only_own: those that nobody but this worker can carry out, instead of those that anybody can.
    """
    for_worker = worker if only_own else None
    if not runner_limits:
        mine = {"worker": worker, "limit": limit, "for_worker": for_worker}
        return _claims(await link.run(_CLAIM_ANY, mine), worker)
    parameters = {
        "worker": worker,
        "for_worker": for_worker,
        "limit": limit,
        "runners": list(runner_limits),
        "limits": list(runner_limits.values()),
    }
    # Two workers that count at the same time would both find the last free place.
    return _claims(await link.run(_CLAIM, parameters, lock=CLAIM_LOCK), worker)


def read_places(cursor: psycopg.Cursor[Any], call_ids: Collection[UUID]) -> dict[UUID, Place]:
    """Where these calls stand, as far as they wait. Works on any cursor, also one of Django's."""
    cursor.execute(_PLACES, {"call_ids": list(call_ids)})
    names = [column.name for column in cursor.description or ()]
    rows = [row if isinstance(row, dict) else dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row.pop("call_id"): Place(**row) for row in rows}


def queued_calls(connection: psycopg.Connection[Any]) -> set[str]:
    """The ids of all calls that wait or are carried out, as texts."""
    rows = connection.execute("SELECT call_id::text FROM model_call_queue").fetchall()
    return {row[0] for row in rows}


async def take_over_from_the_dead(link: Link, worker: str, limit: int) -> list[Claim]:
    """Take calls that dead workers hold; from then on nothing these workers store is accepted."""
    return _claims(await link.run(_TAKE_OVER, {"worker": worker, "limit": limit}), worker)


async def still_in_the_queue(link: Link, call_ids: Collection[UUID]) -> set[UUID]:
    """Which of these calls are still in the queue, held or not."""
    rows = await link.run(_STILL_THERE, {"call_ids": list(call_ids)})
    return {row["call_id"] for row in rows}


async def held_claims(link: Link, worker: str) -> list[Claim]:
    """All calls this worker holds according to the database."""
    return _claims(await link.run(_HELD, {"worker": worker}), worker)


async def release(link: Link, claim: Claim, *, pause_s: float = 0.0) -> None:
    """Let go of a call that was not started, for any worker to claim after `pause_s` seconds."""
    await link.run(_RELEASE, {**_key(claim), "pause_s": pause_s, "channel": QUEUE_CHANNEL})


async def forget_served(link: Link) -> None:
    """Forget who was served long ago: to the others it makes no difference any more."""
    await link.run(_FORGET_SERVED)


async def remove(link: Link, claim: Claim) -> None:
    """Take a call out of the queue that the events say has ended."""
    await link.run(_REMOVE, _key(claim))


def _key(claim: Claim) -> dict[str, Any]:
    return {"call_id": claim.call_id, "worker": claim.worker, "claim": claim.number}


def _claims(rows: Sequence[dict[str, Any]], worker: str) -> list[Claim]:
    return [
        Claim(row["call_id"], worker, row["claim"], row["before"], row.get("conversation_id")) for row in rows
    ]
