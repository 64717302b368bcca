"""What every worker looks after once a second, because a notification can be missed and a worker can die.

Finds silent workers and the calls they left, calls of our own that nobody works on, wishes to cancel
that were not heard, and chunks nobody needs any more. What to do about a call is decided elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from backend.domain.events import ModelCallCancelRequested
from backend.event_store.receipts import REMOVE_OLD_RECEIPTS
from backend.model_calls import leases, queue, stored_chunks
from backend.model_calls.link import Link
from backend.model_calls.queue import Claim
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)

TAKE_OVER_LIMIT = 100
HOUSEKEEPING_S = 60.0

_CANCELS = "SELECT originator_id FROM events WHERE originator_id = ANY(%(calls)s) AND topic = %(topic)s"


@dataclass(frozen=True)
class Findings:
    """left: claims now ours, of calls nobody works on. cancelled: running calls somebody wants to stop."""

    left: list[Claim]
    cancelled: list[UUID]


class Sweep:
    """One worker's sweep; it keeps in mind when the database was away last."""

    def __init__(self, link: Link, worker_id: str, timings: WorkerTimings, *, only_own: bool = False) -> None:
        """only_own: looks after this worker's calls alone; others judge who is dead."""
        self._only_own = only_own
        self._link = link
        self._worker_id = worker_id
        self._timings = timings
        self._connections_seen = 0
        self._judges_from = 0.0
        self._housekeeping_due = 0.0

    def database_was_away(self) -> None:
        """Nobody is declared dead for one lease period: the others need time to be heard again."""
        self._judges_from = time.monotonic() + self._timings.lease_s

    async def run(self, running: Collection[UUID]) -> Findings:
        """One round. running: the calls this worker works on. Raises DatabaseAway."""
        await self._notice_a_loss()
        if self._only_own:
            held = await queue.held_claims(self._link, self._worker_id)
            left = [claim for claim in held if claim.call_id not in running]
            return Findings(left, await self._cancelled(running))
        if time.monotonic() >= self._judges_from:
            dead = await leases.mark_silent_workers_dead(self._link, self._worker_id, self._timings.lease_s)
            if dead:
                log.warning(
                    "workers silent for more than %g s are dead: %s", self._timings.lease_s, ", ".join(dead)
                )
        left = await queue.take_over_from_the_dead(self._link, self._worker_id, TAKE_OVER_LIMIT)
        held = await queue.held_claims(self._link, self._worker_id)
        taken = {claim.call_id for claim in left}
        # Claimed in a statement whose answer was lost, or dropped by a fault: ours, but not worked on.
        left += [claim for claim in held if claim.call_id not in running and claim.call_id not in taken]
        cancelled = await self._cancelled(running)
        if time.monotonic() >= self._housekeeping_due:
            self._housekeeping_due = time.monotonic() + HOUSEKEEPING_S
            await stored_chunks.remove_old_chunks(self._link, self._timings.chunks_kept_s)
            await leases.prune_dead_workers(self._link)
            await queue.forget_served(self._link)
            await self._link.run(REMOVE_OLD_RECEIPTS)
        return Findings(left, cancelled)

    async def _notice_a_loss(self) -> None:
        await self._link.connection()
        if self._connections_seen not in (0, self._link.connections):
            self.database_was_away()
        self._connections_seen = self._link.connections

    async def _cancelled(self, running: Collection[UUID]) -> list[UUID]:
        if not running:
            return []
        rows = await self._link.run(
            _CANCELS, {"calls": list(running), "topic": ModelCallCancelRequested.TOPIC}
        )
        return [row["originator_id"] for row in rows]
