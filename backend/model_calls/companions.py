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
    ForgetConversations,
    KeepPrefixes,
    KeepReplay,
    QueueCall,
    QueueOwnCall,
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

# Only for a worker that lives: its row stays locked until the commit, so that it is not marked dead in between.
_QUEUE_OWN = """
WITH me AS (
    SELECT worker_id FROM model_call_worker WHERE worker_id = %(worker)s AND NOT dead FOR SHARE
), queued AS (
    INSERT INTO model_call_queue (
        call_id, conversation_id, owner_id, runner, priority, queued_at, not_before,
        for_worker, claimed_by, claim, claimed_at
    )
    SELECT %(call_id)s, %(conversation_id)s, %(owner_id)s, %(runner)s, 0, clock_timestamp(), clock_timestamp(),
        worker_id, CASE WHEN %(claimed)s THEN worker_id END, CASE WHEN %(claimed)s THEN 1 ELSE 0 END,
        CASE WHEN %(claimed)s THEN clock_timestamp() END
    FROM me RETURNING call_id
)
SELECT CASE WHEN %(claimed)s THEN NULL ELSE pg_notify(%(channel)s, '') END FROM queued
"""

_KEEP_PREFIXES = """
INSERT INTO conversation_prefix (owner_id, chain, conversation_id, message_id, system_sha256, kept_at)
SELECT %(owner_id)s, chain, %(conversation_id)s, message_id, %(system_sha256)s, clock_timestamp()
FROM unnest(%(chains)s::bytea[], %(message_ids)s::uuid[]) AS kept (chain, message_id)
ON CONFLICT (owner_id, chain, conversation_id) DO NOTHING
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

# One statement for each table; all in the transaction that erases the payloads.
_FORGET = (
    "DELETE FROM conversation_prefix WHERE conversation_id = ANY(%(conversations)s)",
    "DELETE FROM replay_process WHERE conversation_id = ANY(%(conversations)s)",
    "DELETE FROM call_chunk WHERE call_id = ANY(%(streams)s)",
    "DELETE FROM call_chunk_end WHERE call_id = ANY(%(streams)s)",
)

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


def queue_own_call(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Put a call into the queue that only this worker can carry out. Raises ClaimLost where the worker is dead."""
    assert isinstance(companion, QueueOwnCall)
    cursor.execute(_QUEUE_OWN, {**vars(companion), "channel": QUEUE_CHANNEL})
    if cursor.fetchone() is None:
        raise ClaimLost(
            f"Worker {companion.worker} was marked dead before it could take model call {companion.call_id}. "
            "Nothing was stored; ask again."
        )


def keep_prefixes(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Remember where a program's messages go on from. What is remembered already stays as it is."""
    assert isinstance(companion, KeepPrefixes)
    cursor.execute(
        _KEEP_PREFIXES,
        {
            "owner_id": companion.owner_id,
            "conversation_id": companion.conversation_id,
            "chains": [chain for chain, _ in companion.chains],
            "message_ids": [message_id for _, message_id in companion.chains],
            "system_sha256": companion.system_sha256,
        },
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


def forget_conversations(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Drop what is kept of erased conversations and their calls, all of which have ended."""
    assert isinstance(companion, ForgetConversations)
    keys = {"conversations": list(companion.conversation_ids), "streams": list(companion.stream_ids)}
    for statement in _FORGET:
        cursor.execute(statement, keys)


COMPANION_STEPS: dict[type, CompanionStep] = {
    QueueCall: queue_call,
    QueueOwnCall: queue_own_call,
    KeepPrefixes: keep_prefixes,
    DequeueUnclaimedCall: dequeue_unclaimed_call,
    AnnounceCancel: announce_cancel,
    ClaimFence: claim_fence,
    KeepReplay: keep_replay,
    ReplayStepDue: replay_step_due,
    ReplayStepTaken: replay_step_taken,
    ForgetConversations: forget_conversations,
}
"""What bootstrap hands to the event store; the receipt's step is the store's own."""
