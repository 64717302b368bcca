"""Questions about readings through the audit. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("audit_reads")`.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from projections.audit_reads.read_table import AuditReadRow


def list_audit_reads(*, owner_id: UUID) -> QuerySet[AuditReadRow]:
    """The readings of this person's content by others, newest first."""
    return AuditReadRow.objects.filter(owner_id=owner_id).order_by("-at", "-id")
