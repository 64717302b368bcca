"""The SQL that rides along in an append: queueing a call, taking it back, the fence of a claim, a replay's steps.

Runs on the event store's cursor inside its transaction; raising rolls the whole append back.
May not commit, and may not read or write anything but this package's tables and channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from backend.application.ports import (
    AnnounceCancel,
    ClaimFence,
    ClaimLost,
    Companion,
    DequeueUnclaimedCall,
    KeepReplay,
    QueueCall,
    ReplayStepDue,
    ReplayStepTaken,
)

QUEUE_CHANNEL = "model_call_queue"
CANCEL_CHANNEL = "model_call_cancel"
REPLAY_CHANNEL = "replay_step"

CompanionStep = Callable[[psycopg.Cursor[dict[str, Any]], Companion], None]

_QUEUE = """
WITH queued AS (
    INSERT INTO model_call_queue (call_id, conversation_id, owner_id, runner, priority, queued_at, not_before)
    VALUES (%s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp()) RETURNING call_id
)
SELECT pg_notify(%s, '') FROM queued
"""

_KEEP_REPLAY = """
INSERT INTO replay_process (replay_id, conversation_id, owner_id, due_version, not_before)
VALUES (%s, %s, %s, %s, clock_timestamp())
"""

_STEP_DUE = """
UPDATE replay_process SET due_version = greatest(coalesce(due_version, 0), %s), not_before = clock_timestamp()
WHERE replay_id = %s
"""

# What became due after the version that was looked at stays due.
_STEP_TAKEN = "UPDATE replay_process SET due_version = NULL WHERE replay_id = %s AND due_version <= %s"

_TRY_AGAIN = """
UPDATE model_call_queue
SET claimed_by = NULL, claimed_at = NULL, not_before = clock_timestamp() + make_interval(secs => %s)
WHERE call_id = %s
"""

_FENCE = "SELECT claimed_by, claim FROM model_call_queue WHERE call_id = %s FOR UPDATE"

# Gives a row only while the claim holds. Only a call that left chunks needs its end remembered, for the sweep that
# removes them later.
_END = """
WITH ended AS (
    DELETE FROM model_call_queue WHERE call_id = %(call_id)s AND claimed_by = %(worker)s AND claim = %(claim)s
    RETURNING call_id
), remembered AS (
    INSERT INTO call_chunk_end (call_id, ended_at)
    SELECT call_id, clock_timestamp() FROM ended
    WHERE EXISTS (SELECT 1 FROM call_chunk WHERE call_chunk.call_id = ended.call_id)
    ON CONFLICT (call_id) DO NOTHING
)
SELECT call_id FROM ended
"""


def queue_call(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Put a requested call into the queue; workers hear of it once the append is committed."""
    assert isinstance(companion, QueueCall)
    cursor.execute(
        _QUEUE,
        (
            companion.call_id,
            companion.conversation_id,
            companion.owner_id,
            companion.runner,
            companion.priority,
            QUEUE_CHANNEL,
        ),
    )


def dequeue_unclaimed_call(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
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


def announce_cancel(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Tell the workers, once the append is committed, that this call is asked to stop."""
    assert isinstance(companion, AnnounceCancel)
    cursor.execute("SELECT pg_notify(%s, %s)", (CANCEL_CHANNEL, str(companion.call_id)))


def claim_fence(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Let the append stand only while this claim holds; a finished call leaves the queue, another goes back.

    The row stays locked until the commit, so nobody can take the claim over in between.
    Raises ClaimLost.
    """
    assert isinstance(companion, ClaimFence)
    if companion.done:
        cursor.execute(
            _END, {"call_id": companion.call_id, "worker": companion.worker, "claim": companion.claim}
        )
        if cursor.fetchone() is not None:
            return
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
    if companion.again_after_s is not None:
        cursor.execute(_TRY_AGAIN, (companion.again_after_s, companion.call_id))


def keep_replay(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Remember a new replay, its first step being due; workers hear of it once the append is committed."""
    assert isinstance(companion, KeepReplay)
    cursor.execute(
        _KEEP_REPLAY,
        (companion.replay_id, companion.conversation_id, companion.owner_id, companion.version),
    )
    cursor.execute("SELECT pg_notify(%s, '')", (REPLAY_CHANNEL,))


def replay_step_due(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """A replay can go on; workers hear of it once the append is committed."""
    assert isinstance(companion, ReplayStepDue)
    cursor.execute(_STEP_DUE, (companion.version, companion.replay_id))
    cursor.execute("SELECT pg_notify(%s, '')", (REPLAY_CHANNEL,))


def replay_step_taken(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """What was due for a replay is done in this commit."""
    assert isinstance(companion, ReplayStepTaken)
    cursor.execute(_STEP_TAKEN, (companion.replay_id, companion.version))


COMPANION_STEPS: dict[type, CompanionStep] = {
    QueueCall: queue_call,
    DequeueUnclaimedCall: dequeue_unclaimed_call,
    AnnounceCancel: announce_cancel,
    ClaimFence: claim_fence,
    KeepReplay: keep_replay,
    ReplayStepDue: replay_step_due,
    ReplayStepTaken: replay_step_taken,
}
"""What bootstrap hands to the event store; the receipt's step is the store's own."""
