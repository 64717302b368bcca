"""Events of audit trails to rows that their owners can look at. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from projections.audit_reads.read_table import AuditReadRow, AuditTrailRow
from projections.projector import MissingRow, Projector, storable, stream_ids, upsert


class AuditReadsProjector(Projector):
    name = "audit_reads"
    tables = (AuditReadRow, AuditTrailRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._trails: dict[UUID, AuditTrailRow] = AuditTrailRow.objects.in_bulk(
            stream_ids(batch, e.AuditTrailEvent)
        )
        self._opened: dict[UUID, AuditTrailRow] = {}
        self._read: dict[UUID, AuditReadRow] = {}

    def save(self) -> None:
        upsert(AuditTrailRow, list(self._opened.values()))
        upsert(AuditReadRow, list(self._read.values()))

    def on_audit_trail_opened(self, event: e.AuditTrailOpened, position: int) -> None:
        trail = AuditTrailRow(stream_id=event.originator_id, owner_id=event.owner_id)
        self._trails[trail.stream_id] = self._opened[trail.stream_id] = trail

    def on_audit_read(self, event: e.AuditRead, position: int) -> None:
        trail = self._trails.get(event.originator_id)
        if trail is None:
            raise MissingRow("audit trail", event.originator_id, event)
        self._read[event.event_id] = AuditReadRow(
            id=event.event_id,
            owner_id=trail.owner_id,
            reader_id=event.reader_id,
            conversation_id=event.conversation_id,
            call_id=event.call_id,
            what=storable(event.what),
            at=event.timestamp,
        )
