"""The rows that are searched. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ001, DJ008 -- None and an empty text differ here, and rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class SearchConversationRow(models.Model):
    """What search knows of a conversation, as of `version` of its stream.

    language: of the last message whose language could be told; empty before. It helps with short ones.
    """

    conversation_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    title = models.TextField()
    title_is_given = models.BooleanField(default=False)
    language = models.CharField(max_length=2, default="")
    deleted = models.BooleanField(default=False)
    version = models.IntegerField()

    objects: ClassVar[models.Manager[SearchConversationRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_search_conversation"
        indexes: ClassVar = [
            models.Index(
                fields=["owner_id"], condition=models.Q(deleted=True), name="read_search_conversation_gone"
            ),
        ]


class SearchRow(models.Model):
    """One title or message by its words; the text itself stays in the event at `position`.

    id: of the message, or of the conversation whose title it is. kind: title, user or assistant.
    words: the folded words in order, with single blanks between; empty for a reply that has no text (yet).
    stems: what else the text is found under, in any order: @t, @u or @a for its kind, @en for its language,
    en=run for a word whose stem is another word. No word of a text holds one of these signs.
    A third index, over the words and stems, is made in the migration.
    """

    id = models.UUIDField(primary_key=True)
    conversation_id = models.UUIDField()
    owner_id = models.UUIDField()
    kind = models.CharField(max_length=9)
    position = models.BigIntegerField()
    at = models.DateTimeField()
    model = models.TextField(null=True)
    outcome = models.CharField(max_length=16, null=True)
    language = models.CharField(max_length=2, default="")
    words = models.TextField(default="")
    stems = models.TextField(default="")

    objects: ClassVar[models.Manager[SearchRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_search"
        # Not for rows with words only, as the third index is: PostgreSQL never joins two indexes with one condition.
        indexes: ClassVar = [
            models.Index(fields=["owner_id", "position"], name="read_search_recent"),
            models.Index(fields=["conversation_id"], name="read_search_conversation_id"),
        ]
