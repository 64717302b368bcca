"""The rows of transcripts. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ001, DJ008 -- null says `none given`, unlike an empty text; rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class TranscriptHeadRow(models.Model):
    """One conversation's owner and selected branch, as of `version` of its stream."""

    conversation_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    selected_leaf_id = models.UUIDField(null=True)
    version = models.IntegerField()

    objects: ClassVar[models.Manager[TranscriptHeadRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_transcript_head"


class TranscriptRow(models.Model):
    """One message. A reply is here from its request on, with outcome `pending` and without text.

    parent_id None: a first message. depth: 0 for those. version: of the event that made the message, which
    orders siblings. outcome and call_id: None for a user's message. model: the one asked for.
    """

    id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    role = models.CharField(max_length=16)
    content = models.TextField(default="")
    reasoning = models.TextField(default="")
    tool_calls = models.JSONField(default=list)
    outcome = models.CharField(max_length=16, null=True)
    error = models.JSONField(null=True)
    call_id = models.UUIDField(null=True)
    model = models.TextField(null=True)
    depth = models.IntegerField()
    at = models.DateTimeField()
    version = models.IntegerField()
    prompt_tokens = models.BigIntegerField(null=True)
    completion_tokens = models.BigIntegerField(null=True)
    duration_ms = models.BigIntegerField(null=True)
    first_token_ms = models.BigIntegerField(null=True)
    finish_reason = models.TextField(null=True)

    objects: ClassVar[models.Manager[TranscriptRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_transcript"
        indexes: ClassVar = [
            models.Index(fields=["conversation_id", "parent_id", "version"], name="read_transcript_siblings"),
            models.Index(fields=["call_id"], name="read_transcript_call"),
        ]
