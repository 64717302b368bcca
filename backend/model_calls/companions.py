"""The SQL that rides along in an append: queueing a call, taking it back, and the fence of a claim.

Runs on the event store's cursor inside its transaction; raising rolls the whole append back.
May not commit, and may not read or write anything but this package's tables and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from backend.application.ports import (
    AnnounceCancel,
    ClaimFence,
    ClaimLost,
    Companion,
    DequeueUnclaimedCall,
    QueueCall,
)

QUEUE_CHANNEL = "model_call_queue"
CANCEL_CHANNEL = "model_call_cancel"

CompanionStep = Callable[[psycopg.Cursor[dict[str, Any]], Companion, Sequence[int]], None]

_QUEUE = """
INSERT INTO model_call_queue (call_id, conversation_id, owner_id, queued_at, not_before)
VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())
"""

_FENCE = "SELECT claimed_by, claim FROM model_call_queue WHERE call_id = %s FOR UPDATE"

# Only a call that left chunks needs its end remembered, for the sweep that removes them later.
_END = """
INSERT INTO call_chunk_end (call_id, ended_at)
SELECT %(call_id)s, clock_timestamp() WHERE EXISTS (SELECT 1 FROM call_chunk WHERE call_id = %(call_id)s)
ON CONFLICT (call_id) DO NOTHING
"""


def queue_call(
    cursor: psycopg.Cursor[dict[str, Any]], companion: Companion, positions: Sequence[int]
) -> None:
    """Put a requested call into the queue; workers hear of it once the append is committed."""
    assert isinstance(companion, QueueCall)
    cursor.execute(_QUEUE, (companion.call_id, companion.conversation_id, companion.owner_id))
    cursor.execute("SELECT pg_notify(%s, '')", (QUEUE_CHANNEL,))


def dequeue_unclaimed_call(
    cursor: psycopg.Cursor[dict[str, Any]], companion: Companion, positions: Sequence[int]
) -> None:
    """Take a call out of the queue that nobody has claimed. Raises ClaimLost where somebody has."""
    assert isinstance(companion, DequeueUnclaimedCall)
    cursor.execute(
        "DELETE FROM model_call_queue WHERE call_id = %s AND claimed_by IS NULL", (companion.call_id,)
    )
    if cursor.rowcount != 1:
        raise ClaimLost(
            f"Model call {companion.call_id} is not waiting in the queue: a worker has claimed it. "
            "Ask that worker to stop instead."
        )


def announce_cancel(
    cursor: psycopg.Cursor[dict[str, Any]], companion: Companion, positions: Sequence[int]
) -> None:
    """Tell the workers, once the append is committed, that this call is asked to stop."""
    assert isinstance(companion, AnnounceCancel)
    cursor.execute("SELECT pg_notify(%s, %s)", (CANCEL_CHANNEL, str(companion.call_id)))


def claim_fence(
    cursor: psycopg.Cursor[dict[str, Any]], companion: Companion, positions: Sequence[int]
) -> None:
    """Let the append stand only while this claim holds; a finished call leaves the queue.

    The row stays locked until the commit, so nobody can take the claim over in between.
    Raises ClaimLost.
    """
    assert isinstance(companion, ClaimFence)
    cursor.execute(_FENCE, (companion.call_id,))
    row = cursor.fetchone()
    if row is None or (row["claimed_by"], row["claim"]) != (companion.worker, companion.claim):
        found = (
            "the call is not in the queue"
            if row is None
            else f"{row['claimed_by']} holds claim {row['claim']}"
        )
        raise ClaimLost(
            f"Worker {companion.worker} lost claim {companion.claim} on model call {companion.call_id}: "
            f"{found}. Nothing was stored; the work is dropped."
        )
    if companion.done:
        cursor.execute("DELETE FROM model_call_queue WHERE call_id = %s", (companion.call_id,))
        cursor.execute(_END, {"call_id": companion.call_id})


COMPANION_STEPS: dict[type, CompanionStep] = {
    QueueCall: queue_call,
    DequeueUnclaimedCall: dequeue_unclaimed_call,
    AnnounceCancel: announce_cancel,
    ClaimFence: claim_fence,
}
"""What bootstrap hands to the event store; the receipt's step is the store's own."""
