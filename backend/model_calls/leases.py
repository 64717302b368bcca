"""A worker's lease: one row per worker id, kept alive by heartbeats, judged by the database's clock.

A worker id that was marked dead never lives again. Chunk flushes lock the row FOR SHARE, so marking
it dead waits for a flush in flight, and a flush that comes later sees that it is refused.
"""

from __future__ import annotations

from typing import Final

from backend.model_calls.link import Link


class WorkerFoundDead(Exception):
    """This worker's lease was taken for lost: drop everything and start under a new id."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(
            f"Worker {worker_id} was marked dead after its heartbeats stayed away; others have its calls. "
            "It drops its streams and goes on under a new id."
        )


OF_WEB: Final = "web:"
"""How ids of those workers begin that are inside a web process, and carry out the calls of its own clients only."""

_REGISTER = """
INSERT INTO model_call_worker (worker_id, started_at, heartbeat_at)
VALUES (%(worker)s, clock_timestamp(), clock_timestamp()) ON CONFLICT (worker_id) DO NOTHING
"""

_BEAT = """
UPDATE model_call_worker SET heartbeat_at = clock_timestamp()
WHERE worker_id = %(worker)s AND NOT dead RETURNING worker_id
"""

# Nobody is judged while the database itself was away: not in the first lease period after its start,
# and only by a worker whose own heartbeats got through.
_MARK_DEAD = """
WITH silent AS (
    SELECT worker_id FROM model_call_worker
    WHERE NOT dead AND heartbeat_at < clock_timestamp() - make_interval(secs => %(lease_s)s)
      AND clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => %(lease_s)s)
      AND EXISTS (
          SELECT 1 FROM model_call_worker AS judge
          WHERE judge.worker_id = %(worker)s AND NOT judge.dead
            AND judge.heartbeat_at > clock_timestamp() - make_interval(secs => %(lease_s)s / 2)
      )
    ORDER BY worker_id FOR UPDATE
)
UPDATE model_call_worker SET dead = true FROM silent
WHERE model_call_worker.worker_id = silent.worker_id
RETURNING model_call_worker.worker_id
"""

_RETIRE = "UPDATE model_call_worker SET dead = true WHERE worker_id = %(worker)s"

_PRUNE = """
DELETE FROM model_call_worker
WHERE dead AND heartbeat_at < clock_timestamp() - interval '1 hour'
  AND NOT EXISTS (SELECT 1 FROM model_call_queue WHERE claimed_by = worker_id)
"""


async def register(link: Link, worker_id: str) -> None:
    await link.run(_REGISTER, {"worker": worker_id})


async def beat(link: Link, worker_id: str) -> None:
    """Say that this worker is alive. Raises WorkerFoundDead where that was judged otherwise."""
    if not await link.run(_BEAT, {"worker": worker_id}):
        raise WorkerFoundDead(worker_id)


async def mark_silent_workers_dead(link: Link, worker_id: str, lease_s: float) -> list[str]:
    """Mark workers dead whose last heartbeat is older than the lease; return their ids.

    A transaction of its own, committed on return: only what is read after it is what they left.
    """
    rows = await link.run(_MARK_DEAD, {"worker": worker_id, "lease_s": lease_s})
    return [row["worker_id"] for row in rows]


async def retire(link: Link, worker_id: str) -> None:
    """End this worker's own lease, so that others need not wait for it to run out."""
    await link.run(_RETIRE, {"worker": worker_id})


async def prune_dead_workers(link: Link) -> None:
    """Forget workers that have been dead for an hour and hold nothing."""
    await link.run(_PRUNE)
