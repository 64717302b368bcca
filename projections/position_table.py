"""How far each read model has come in the event store. Written by the worker and by rebuilds only."""

# ruff: noqa: DJ008 -- rows are never shown as texts
from __future__ import annotations

from typing import ClassVar, Final

from django.db import models

RUNNING: Final = "running"
STOPPED: Final = "stopped"
REBUILDING: Final = "rebuilding"


class ProjectionPosition(models.Model):
    """One row for each read model. position: of the last event whose rows are in its tables, 0 for none.

    The row is locked and compared before anything is applied, so of two writers only one gets through.
    """

    name = models.CharField(primary_key=True, max_length=64)
    position = models.BigIntegerField(default=0)
    state = models.CharField(max_length=16, default=RUNNING)
    error = models.TextField(default="", blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[ProjectionPosition]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "projection_position"
