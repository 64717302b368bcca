"""The rows of model calls. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ001, DJ008 -- null says `none given`, unlike an empty text; rows are never shown as texts
from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce

SORTED_FIGURES: Final = {
    "duration_ms": "duration",
    "first_token_ms": "first_token",
    "prompt_tokens": "prompt",
    "completion_tokens": "completion",
}
"""By which figures the ledger can be sorted, and how their indexes are called."""
_KINDS: Final = ("owner_id", "outcome", "purpose", "source", "model", "runner")
NOT_KNOWN: Final = -1
"""Where a figure that a call does not have stands among the others: below them all."""


class ModelCallRow(models.Model):
    """One call as of `version` of its stream. Times of the last end in whole milliseconds.

    outcome: pending until the final end. trimming: a TrimmingEntry, null where all messages were sent. attempts: list of AttemptEntry, oldest first. events: list of
    EventEntry, ascending versions. started_at: of the first attempt; ended_at: of the final end.
    erased: who erased its conversation, when and why; then params, digest, attempts and events are empty.
    """

    id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    reply_id = models.UUIDField(null=True)
    version = models.IntegerField()
    purpose = models.CharField(max_length=32)
    source = models.CharField(max_length=32)
    runner = models.TextField(null=True)
    model = models.TextField()
    params = models.JSONField()
    leaf_id = models.UUIDField(null=True)
    conversation_version = models.IntegerField()
    builder = models.TextField()
    serializer = models.TextField()
    trimming = models.JSONField(null=True)
    body_sha256 = models.TextField()
    body_length = models.BigIntegerField()
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16)
    cancel_requested = models.BooleanField(default=False)
    attempts = models.JSONField(default=list)
    prompt_tokens = models.BigIntegerField(null=True)
    completion_tokens = models.BigIntegerField(null=True)
    usage_source = models.CharField(max_length=16, default="none")
    duration_ms = models.BigIntegerField(null=True)
    first_token_ms = models.BigIntegerField(null=True)
    chunk_count = models.BigIntegerField(default=0)
    delivered_characters = models.BigIntegerField(default=0)
    finish_reason = models.TextField(null=True)
    response_id = models.TextField(null=True)
    response_model = models.TextField(null=True)
    system_fingerprint = models.TextField(null=True)
    error = models.JSONField(null=True)
    events = models.JSONField(default=list)
    erased = models.JSONField(null=True)

    objects: ClassVar[models.Manager[ModelCallRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_model_calls"
        indexes: ClassVar = [
            models.Index(fields=["owner_id", "-requested_at", "-id"], name="read_model_calls_recent"),
            models.Index(
                fields=["conversation_id", "-requested_at", "-id"], name="read_model_calls_conversation"
            ),
            # For the whole ledger: in each of its orders, with what one may filter by, so that rows that are not
            # wanted are passed over without being read.
            models.Index(
                fields=[
                    "-requested_at",
                    "-id",
                    *_KINDS,
                    *SORTED_FIGURES,
                ],
                name="read_model_calls_ledger",
            ),
            *(
                models.Index(
                    Coalesce(name, NOT_KNOWN), F("id"), *map(F, _KINDS), name=f"read_model_calls_{short}"
                )
                for name, short in SORTED_FIGURES.items()
            ),
        ]


class CallFigureRow(models.Model):
    """Of so many calls that have ended and are alike in this: how many, and their numbers added up. See counting.Place."""

    pk = models.CompositePrimaryKey("figure", "runner", "model", "purpose", "source", "outcome", "place")
    figure = models.CharField(max_length=32)
    runner = models.TextField()
    model = models.TextField()
    purpose = models.CharField(max_length=32)
    source = models.CharField(max_length=32)
    outcome = models.CharField(max_length=16)
    place = models.IntegerField()
    calls = models.BigIntegerField()
    total = models.BigIntegerField()

    objects: ClassVar[models.Manager[CallFigureRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_model_call_figures"
