"""The event store on PostgreSQL, behind the port that handlers know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import IntegrityError
from eventsourcing.postgres import PostgresDatastore
from psycopg.errors import UniqueViolation

from backend.application.ports import (
    Aggregate,
    AppendConflict,
    Companion,
    Receipt,
    ReceiptExists,
    StoredEventRow,
)
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.event_store import receipts
from backend.event_store.connection import open_datastore
from backend.event_store.erasure import ERASURE_STEPS
from backend.event_store.mapper import VerbatimMapper, decode_payload
from backend.event_store.recorder import (
    EVENTS_TABLE,
    CompanionStep,
    Step,
    StepWithPositions,
    VerbatimRecorder,
)
from backend.event_store.streams import call_of, history_of
from backend.prompting.build import StreamSlice


class PostgresEventStore:
    """Implements backend.application.ports.EventStore. Safe to share between threads."""

    def __init__(self, database_url: str, companion_steps: Mapping[type, CompanionStep]) -> None:
        self._datastore: PostgresDatastore = open_datastore(database_url)
        self._recorder = VerbatimRecorder(self._datastore, events_table_name=EVENTS_TABLE)
        self._mapper = VerbatimMapper()
        self._companion_steps = {**ERASURE_STEPS, **companion_steps}

    def close(self) -> None:
        self._datastore.close()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """One of the pool's connections, for a quick look at tables that stand beside the events."""
        with self._datastore.get_connection() as connection:
            yield connection

    # ---- reading ----------------------------------------------------------------------------

    def read_history(
        self, conversation_id: UUID, up_to_version: int | None = None
    ) -> tuple[StreamSlice, ...]:
        return history_of(self._read_events, conversation_id, up_to_version)

    def read_events(self, stream_id: UUID, after_version: int = 0) -> list[VerbatimEvent]:
        stored = self._recorder.select_events(stream_id, gt=after_version or None)
        return [self._mapper.to_domain_event(event) for event in stored]

    def read_call(self, call_id: UUID) -> ModelCall:
        return call_of(self._read_events, call_id)

    def read_stream(self, stream_id: UUID, after_version: int, limit: int) -> tuple[StoredEventRow, ...]:
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT notification_id, originator_version, topic, state FROM events"
                " WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version LIMIT %s",
                (stream_id, after_version, limit),
            ).fetchall()
        return tuple(
            StoredEventRow(
                position=row["notification_id"],
                stream_id=stream_id,
                version=row["originator_version"],
                topic=row["topic"],
                payload=decode_payload(row["state"]),
                payload_bytes=bytes(row["state"]),
            )
            for row in rows
        )

    def find_receipt(self, user_id: UUID, key: str) -> Receipt | None:
        with self._datastore.get_connection() as connection:
            return receipts.find_receipt(connection, user_id, key)

    def end(self) -> int:
        """The highest position in the store; 0 when it is empty."""
        return self._recorder.max_notification_id() or 0

    def _read_events(self, stream_id: UUID, up_to_version: int | None) -> list[VerbatimEvent]:
        stored = self._recorder.select_events(stream_id, lte=up_to_version)
        return [self._mapper.to_domain_event(event) for event in stored]

    # ---- appending --------------------------------------------------------------------------

    def append(self, *aggregates: Aggregate, companions: Sequence[Companion] = ()) -> int:
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        if not events and not companions:
            return self.end()
        stored = [self._mapper.to_stored_event(event) for event in events]
        # Only needed for a receipt of a command that stores no event.
        end = 0 if events else self.end()
        before = [self._step(each) for each in companions if not isinstance(each, Receipt)]
        # Receipts hold the answer, and with it the position.
        after = [_receipt_step(each, end) for each in companions if isinstance(each, Receipt)]
        try:
            positions = self._recorder.insert_events(stored, before=before, after=after)
        except IntegrityError as error:
            # The key of the events, or of a companion's row that is stored with them: somebody else was first.
            if isinstance(error.__cause__, UniqueViolation):
                raise AppendConflict(str(error)) from error
            raise
        except receipts.ReceiptTaken as error:
            raise ReceiptExists from error
        return positions[-1] if positions else end

    def _step(self, companion: Companion) -> Step:
        step = self._companion_steps[type(companion)]
        return lambda cursor: step(cursor, companion)


def _receipt_step(receipt: Receipt, end: int) -> StepWithPositions:
    return lambda cursor, positions: receipts.keep_receipt(cursor, receipt, positions, end)
