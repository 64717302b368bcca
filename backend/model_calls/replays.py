"""Takes the steps of replays that are due: the process manager that sends turn after turn.

It decides nothing: a due row says that something may be due, the command AdvanceReplay looks at the
conversation and does it. Asked twice, or by two workers at once, a step is taken once. Rows can be lost
and made again from the events.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from uuid import UUID

from backend.domain.errors import DomainError, NotFound
from backend.domain.events import ConversationStarted, ReplayRequested
from backend.model_calls.companions import REPLAY_CHANNEL
from backend.model_calls.link import DatabaseAway, Link, Pauses, until_back
from backend.model_calls.persistence import Persistence
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)

STEPS_AT_ONCE = 20

# Taken rows become due again by themselves, should whoever took them not live to take the step.
_TAKE = """
WITH due AS (
    SELECT replay_id FROM replay_process
    WHERE due_version IS NOT NULL AND not_before <= clock_timestamp()
    ORDER BY not_before, replay_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE replay_process AS replay
SET not_before = clock_timestamp() + make_interval(secs => %(again_after_s)s)
FROM due WHERE replay.replay_id = due.replay_id
RETURNING replay.replay_id, replay.conversation_id
"""

_FORGET = "DELETE FROM replay_process WHERE replay_id = %(replay_id)s"

# Only topics are looked at in the database; there are few replays beside all other events.
_REQUESTED = """
SELECT requested.originator_id AS conversation_id, requested.state AS requested, started.state AS started
FROM events AS requested
JOIN events AS started ON started.originator_id = requested.originator_id AND started.originator_version = 1
WHERE requested.topic = %(requested)s AND started.topic = %(started)s
  AND substring(requested.state FROM 1 FOR 10) <> '{"erased":'::bytea
"""

_KEEP_AGAIN = """
WITH kept AS (
    INSERT INTO replay_process (replay_id, conversation_id, owner_id, due_version, not_before)
    VALUES (%(replay_id)s, %(conversation_id)s, %(owner_id)s, 0, clock_timestamp())
    ON CONFLICT (replay_id) DO NOTHING RETURNING replay_id
)
SELECT replay_id, pg_notify(%(channel)s, '') FROM kept
"""


@dataclass(frozen=True)
class DueReplay:
    replay_id: UUID
    conversation_id: UUID


class ReplaySteps:
    """One worker's part in all replays: woken when a step may be due, it takes those that nobody else takes."""

    def __init__(self, link: Link, persistence: Persistence, timings: WorkerTimings) -> None:
        self._link = link
        self._persistence = persistence
        self._timings = timings
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Take due steps until cancelled."""
        pauses = Pauses(self._timings.reconnect_first_s, self._timings.reconnect_longest_s)
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                due = await self._take()
                pauses.reset()
            except DatabaseAway:
                await pauses.wait()
                self._wake.set()
                continue
            for replay in due:
                await self._advance(replay)
            if len(due) == STEPS_AT_ONCE:
                self._wake.set()

    async def _take(self) -> list[DueReplay]:
        rows = await self._link.run(_TAKE, {"limit": STEPS_AT_ONCE, "again_after_s": self._timings.lease_s})
        return [DueReplay(row["replay_id"], row["conversation_id"]) for row in rows]

    async def _advance(self, replay: DueReplay) -> None:
        try:
            await self._persistence.advance_replay(replay.conversation_id, replay.replay_id)
        except NotFound:
            log.warning("replay %s is kept but was never requested; it is forgotten", replay.replay_id)
            pauses = Pauses(self._timings.reconnect_first_s, self._timings.reconnect_longest_s)
            await until_back(lambda: self._link.run(_FORGET, {"replay_id": replay.replay_id}), pauses)
        except DomainError as refusal:
            log.warning("replay %s could not go on, it is tried again: %s", replay.replay_id, refusal)
        except Exception:
            # A fault in one replay must not stop the others; its row becomes due again.
            log.exception("replay %s: taking its next step failed", replay.replay_id)


async def repair_replays(link: Link) -> list[UUID]:
    """Keep replays again that the events know and the table does not; return them. Raises DatabaseAway."""
    topics = {"requested": ReplayRequested.TOPIC, "started": ConversationStarted.TOPIC}
    kept: list[UUID] = []
    for row in await link.run(_REQUESTED, topics):
        replay_id = json.loads(bytes(row["requested"]))["replay_id"]
        owner_id = json.loads(bytes(row["started"]))["owner_id"]
        key = {"replay_id": replay_id, "conversation_id": row["conversation_id"], "owner_id": owner_id}
        if await link.run(_KEEP_AGAIN, {**key, "channel": REPLAY_CHANNEL}):
            kept.append(UUID(replay_id))
    if kept:
        log.warning("replays were missing from their table and are kept again: %s", [str(id) for id in kept])
    return kept
