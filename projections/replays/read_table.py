"""The rows of replays. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ001, DJ008 -- null says `none given`, unlike an empty text; rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class ReplayOwnerRow(models.Model):
    """Whose a conversation is; later events of it do not say."""

    conversation_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()

    objects: ClassVar[models.Manager[ReplayOwnerRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_replay_owner"


class ReplayRow(models.Model):
    """One replay as of `version` of its conversation's stream, the last one that told of it.

    source_leaf_id: the end of the branch that is run again. leaf_id: the newest message of the new branch.
    state: running, finished, failed or cancelled. error: {code, message} of the turn it stopped at.
    ended_at: when it finished, failed or was cancelled; null while it runs, also after it was resumed.
    """

    id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    owner_id = models.UUIDField()
    source_leaf_id = models.UUIDField()
    model = models.TextField()
    params = models.JSONField()
    system_prompt = models.TextField(null=True)
    turns_total = models.IntegerField()
    state = models.CharField(max_length=16)
    leaf_id = models.UUIDField(null=True)
    error = models.JSONField(null=True)
    requested_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    version = models.IntegerField()

    objects: ClassVar[models.Manager[ReplayRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_replays"
        indexes: ClassVar = [
            models.Index(fields=["conversation_id", "-version"], name="read_replays_conversation"),
        ]


class ReplayTryRow(models.Model):
    """One reply asked for by one turn of a replay; a resumed turn has several, the last version counts."""

    reply_id = models.UUIDField(primary_key=True)
    replay_id = models.UUIDField()
    turn = models.IntegerField()
    call_id = models.UUIDField()
    outcome = models.CharField(max_length=16)
    version = models.IntegerField()

    objects: ClassVar[models.Manager[ReplayTryRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_replay_tries"
        indexes: ClassVar = [
            models.Index(fields=["replay_id", "turn", "-version"], name="read_replay_tries_turn"),
        ]
