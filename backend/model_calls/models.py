"""The worker's own tables: what waits, who is working, and the live text of replies being written.

None of them is a record: events are. All rows can be lost and made again, except that chunks of a
reply in the making are what is kept of it when its worker dies. Times are the database's own.
Rows are read and written with SQL in the modules beside this one, never through these classes.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ModelCallQueue(models.Model):
    """One row for each call without its final end. claimed_by: the worker that holds it, if any.

    claim: counts up with every claim, so that an earlier holder can be told from the present one.
    runner: the name of the one it goes to, null for calls of a time with one runner only. priority: lower first.
    for_worker: the only one that can carry it out, since it holds the client's connection; null for any.
    not_before: when it may be claimed, later than queued_at where an attempt is to be made again.
    """

    call_id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField(null=True)
    owner_id = models.UUIDField()
    runner = models.TextField(null=True)  # noqa: DJ001  (an unnamed runner is not one without a name)
    priority = models.SmallIntegerField(db_default=0)
    queued_at = models.DateTimeField(db_default=Now())
    not_before = models.DateTimeField(db_default=Now())
    for_worker = models.TextField(null=True)  # noqa: DJ001  (any worker is not one without a name)
    claimed_by = models.TextField(null=True)  # noqa: DJ001  (nobody is not a worker without a name)
    claim = models.BigIntegerField(db_default=0)
    claimed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "model_call_queue"
        indexes = [
            models.Index(
                fields=["queued_at", "call_id"],
                name="model_call_queue_waiting",
                condition=models.Q(claimed_by__isnull=True),
            ),
            models.Index(fields=["claimed_by"], name="model_call_queue_claimed_by"),
        ]

    def __str__(self) -> str:
        return f"model call {self.call_id}, held by {self.claimed_by or 'nobody'}"


class Served(models.Model):
    """When a person's call was last taken for a runner that has a limit: those who wait come in turns."""

    pk = models.CompositePrimaryKey("runner", "owner_id")
    runner = models.TextField()
    owner_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        db_table = "model_call_served"

    def __str__(self) -> str:
        return f"{self.owner_id} at {self.runner}, {self.at}"


class ReplayProcess(models.Model):
    """One row for each replay, kept for good: whose it is, and whether a step of it may be due.

    due_version: the conversation's version since which one is, None where none is. not_before: when it may be
    taken; moved on by whoever takes it.
    """

    replay_id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    owner_id = models.UUIDField()
    due_version = models.IntegerField(null=True)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "replay_process"
        indexes = [
            models.Index(
                fields=["not_before", "replay_id"],
                name="replay_process_due",
                condition=models.Q(due_version__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"replay {self.replay_id} of conversation {self.conversation_id}"


class ConversationPrefix(models.Model):
    """By which digest of the messages so far a program's call is found to go on from a message of its owner's.

    chain: of all messages up to this one. system_sha256: of the system prompt they were said under.
    """

    pk = models.CompositePrimaryKey("owner_id", "chain", "conversation_id")
    owner_id = models.UUIDField()
    chain = models.BinaryField()
    conversation_id = models.UUIDField()
    message_id = models.UUIDField()
    system_sha256 = models.BinaryField()
    kept_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "conversation_prefix"

    def __str__(self) -> str:
        return f"message {self.message_id} of conversation {self.conversation_id}"


class ModelCallWorker(models.Model):
    """A worker's lease. Once dead, a worker id stays dead: its process goes on under a new one."""

    worker_id = models.TextField(primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    dead = models.BooleanField(db_default=False)

    class Meta:
        db_table = "model_call_worker"

    def __str__(self) -> str:
        return f"worker {self.worker_id}{', dead' if self.dead else ''}"


class CallChunk(models.Model):
    """A piece of a reply as it was shown. seq counts from 0 without gaps within a call."""

    pk = models.CompositePrimaryKey("call_id", "seq")
    call_id = models.UUIDField()
    seq = models.IntegerField()
    attempt = models.IntegerField()
    text = models.TextField(db_default="")
    reasoning = models.TextField(db_default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "call_chunk"

    def __str__(self) -> str:
        return f"chunk {self.seq} of model call {self.call_id}"


class EndedCall(models.Model):
    """When a call ended that left chunks behind: they may still be read for a while, then both go."""

    call_id = models.UUIDField(primary_key=True)
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "call_chunk_end"
        indexes = [models.Index(fields=["ended_at"], name="call_chunk_end_ended_at")]

    def __str__(self) -> str:
        return f"model call {self.call_id}, ended at {self.ended_at}"
