"""Checks the queue against the events when a worker starts: the events are right, the queue is made to fit.

The queue is an ordinary table: it may come back from a backup of another moment, or lose rows to a
slip. A call must not stay pending for ever because of that.
"""

from __future__ import annotations

import logging
from uuid import UUID

from backend.application.ports import QueueCall
from backend.domain import events as e
from backend.domain.errors import UnknownModelCall
from backend.event_store.upcasting import UPCASTERS
from backend.model_calls.companions import QUEUE_CHANNEL
from backend.model_calls.link import Link
from backend.model_calls.persistence import Persistence

log = logging.getLogger(__name__)

REQUESTED = UPCASTERS.topics_of(e.ModelCallRequested.TOPIC)
ENDS = [kind.TOPIC for kind in e.EVENT_CLASSES.values() if issubclass(kind, e.ModelCallAttemptEnded)]

# Only topics are looked at, not what the events hold. A call whose last attempt is to be tried again has an
# end too, but it never left the queue: it is looked at more closely below.
_FIND = """
SELECT requested.originator_id AS call_id, 'pending' AS finding
FROM events AS requested
WHERE requested.topic = ANY(%(requested)s)
  AND NOT EXISTS (
      SELECT 1 FROM events AS ended
      WHERE ended.originator_id = requested.originator_id AND ended.topic = ANY(%(ends)s)
  )
  AND NOT EXISTS (SELECT 1 FROM model_call_queue AS queue WHERE queue.call_id = requested.originator_id)
UNION ALL
SELECT queue.call_id, 'doubtful'
FROM model_call_queue AS queue
WHERE queue.claimed_by IS NULL AND (
    EXISTS (SELECT 1 FROM events WHERE originator_id = queue.call_id AND topic = ANY(%(ends)s))
    OR NOT EXISTS (SELECT 1 FROM events WHERE originator_id = queue.call_id AND topic = ANY(%(requested)s))
)
"""

_QUEUE_AGAIN = """
WITH queued AS (
    INSERT INTO model_call_queue (call_id, conversation_id, owner_id, runner, priority, queued_at, not_before)
    VALUES (
        %(call_id)s, %(conversation_id)s, %(owner_id)s, %(runner)s, %(priority)s,
        clock_timestamp(), clock_timestamp()
    )
    ON CONFLICT (call_id) DO NOTHING RETURNING call_id
)
SELECT call_id, pg_notify(%(channel)s, '') FROM queued
"""

_TAKE_OUT = (
    "DELETE FROM model_call_queue WHERE call_id = %(call_id)s AND claimed_by IS NULL RETURNING call_id"
)


async def repair_queue(link: Link, persistence: Persistence) -> tuple[list[UUID], list[UUID]]:
    """Queue pending calls again that are missing, take out rows without a pending call; return both lists.

    A row that a worker holds is left alone: whoever holds it finds out by itself.
    Safe beside running workers and beside another repair. Raises DatabaseAway.
    """
    queued: list[UUID] = []
    taken_out: list[UUID] = []
    for row in await link.run(_FIND, {"requested": REQUESTED, "ends": ENDS}):
        call_id: UUID = row["call_id"]
        if row["finding"] == "pending":
            call = await persistence.read_call(call_id)
            again = {**vars(QueueCall.of(call)), "channel": QUEUE_CHANNEL}
            if not call.is_final and await link.run(_QUEUE_AGAIN, again):
                queued.append(call_id)
        elif await _is_over(call_id, persistence) and await link.run(_TAKE_OUT, {"call_id": call_id}):
            taken_out.append(call_id)
    if queued or taken_out:
        log.warning(
            "the queue did not fit the events: queued again %s; taken out %s",
            [str(call_id) for call_id in queued],
            [str(call_id) for call_id in taken_out],
        )
    return queued, taken_out


async def _is_over(call_id: UUID, persistence: Persistence) -> bool:
    try:
        return (await persistence.read_call(call_id)).is_final
    except UnknownModelCall:
        return True
