"""The rows of readings through the audit. Filled by the projector of this folder, read by its queries."""

# ruff: noqa: DJ008 -- rows are never shown as texts
from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditReadRow(models.Model):
    """One reading; its id is its event's. owner_id: whose content it was. Both other ids null: all of it."""

    id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    reader_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    call_id = models.UUIDField(null=True)
    what = models.CharField(max_length=32)
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[AuditReadRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_audit_reads"
        indexes: ClassVar = [
            models.Index(fields=["owner_id", "-at", "-id"], name="read_audit_reads_of_owner"),
        ]


class AuditTrailRow(models.Model):
    """Whose a trail is; the readings in it do not say."""

    stream_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()

    objects: ClassVar[models.Manager[AuditTrailRow]] = models.Manager()

    class Meta:
        app_label = "projections"
        db_table = "read_audit_trail"
