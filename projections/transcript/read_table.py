"""The rows of transcripts. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ001, DJ008 -- null says `none given`, unlike an empty text; rows are never shown as texts
from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models


class TranscriptHeadRow(models.Model):
    """One conversation's owner, origin and branches, as of `version` of its stream.

    forked_from_*: null unless the conversation is a fork; depth: of the message it goes on from.
    hidden_leaf_ids: messages marked as hidden, kept here and not at the messages, since a fork may hide a
    branch that ends at a message of its source. A mark counts only while its message is a leaf.
    """

    conversation_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    selected_leaf_id = models.UUIDField(null=True)
    version = models.IntegerField()
    forked_from_conversation_id = models.UUIDField(null=True)
    forked_from_version = models.IntegerField(null=True)
    forked_from_message_id = models.UUIDField(null=True)
    forked_from_depth = models.IntegerField(null=True)
    hidden_leaf_ids: ArrayField[list[UUID], list[UUID]] = ArrayField(models.UUIDField(), default=list)

    objects: ClassVar[models.Manager[TranscriptHeadRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_transcript_head"


class TranscriptRow(models.Model):
    """One message, in the conversation that wrote it. A reply is here from its request on, as `pending`.

    parent_id None: a first message; in a fork the parent may be a row of another conversation. depth: 0 for
    first messages. version: of the event that made the message, which orders siblings. outcome and call_id:
    None for a user's message. model: the one asked for. continues: the reply whose text goes on here.
    omitted_count: earlier messages that were not sent, None where none was left out.
    replay_id, replay_turn: the turn of a replay that asked for the reply.
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
    continues = models.UUIDField(null=True)
    omitted_count = models.IntegerField(null=True)
    replay_id = models.UUIDField(null=True)
    replay_turn = models.IntegerField(null=True)

    objects: ClassVar[models.Manager[TranscriptRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_transcript"
        indexes: ClassVar = [
            models.Index(fields=["conversation_id", "parent_id", "version"], name="read_transcript_siblings"),
            models.Index(fields=["call_id"], name="read_transcript_call"),
        ]
