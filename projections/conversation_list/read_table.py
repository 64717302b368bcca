"""The rows of the conversation list. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ008 -- rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class ConversationListRow(models.Model):
    """One conversation with its settings and counts, as of `version` of its stream.

    updated_at: the last thing somebody or a model wrote, or the last rename; pinning and archiving do
    not move it. message_count: messages written here, without those that a fork inherits. pending_replies:
    replies whose text has not been recorded yet. selected_leaf_id: may be an inherited message.
    """

    id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    title = models.TextField()
    title_is_given = models.BooleanField(default=False)
    model = models.TextField(default="")
    system_prompt = models.TextField(default="")
    params = models.JSONField(default=dict)
    version = models.IntegerField()
    selected_leaf_id = models.UUIDField(null=True)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    message_count = models.IntegerField(default=0)
    pending_replies = models.IntegerField(default=0)
    forked_from = models.JSONField(null=True)

    objects: ClassVar[models.Manager[ConversationListRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_conversation_list"
        indexes: ClassVar = [
            models.Index(fields=["owner_id", "-updated_at", "-id"], name="read_conversation_list_recent"),
        ]

    @property
    def pending_reply(self) -> bool:
        """Whether a reply is being written."""
        return self.pending_replies > 0


class ConversationSettingsRow(models.Model):
    """The settings in force in a conversation from `version` on, one row for each event that set them.

    A fork begins with those of its source, whatever has become of the source since. id: of the event.
    """

    id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    version = models.IntegerField()
    model = models.TextField()
    system_prompt = models.TextField()
    params = models.JSONField()

    objects: ClassVar[models.Manager[ConversationSettingsRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_conversation_settings"
        indexes: ClassVar = [
            models.Index(fields=["conversation_id", "version"], name="read_conversation_settings_at"),
        ]
