"""The rows of live changes. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ008 -- rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class LiveChangeRow(models.Model):
    """One event as a listening browser hears of it. data: ids and small facts, never texts."""

    position = models.BigIntegerField(primary_key=True)
    owner_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=64)
    data = models.JSONField()
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[LiveChangeRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_live_changes"
        indexes: ClassVar = [models.Index(fields=["owner_id", "position"], name="read_live_changes_owner")]


class LiveStreamRow(models.Model):
    """Whose a stream is; later events of it do not say. ended_position: of a call's final end."""

    stream_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    reply_id = models.UUIDField(null=True)
    ended_position = models.BigIntegerField(null=True)

    objects: ClassVar[models.Manager[LiveStreamRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_live_stream"


class LiveHorizonRow(models.Model):
    """The one row that says up to which position changes are no longer kept."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    pruned_through = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[LiveHorizonRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_live_horizon"
