"""The library's PostgreSQL recorder, made safe for our use.

Two of its habits are changed. It inserts in psycopg's pipeline mode, where an event of about a
megabyte hangs for ever with the table locked, and where an exception after the insert still commits;
we use one ordinary transaction. And an append may carry companions: SQL steps that stand or fall
with its events. The table lock stays: it makes positions become visible in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from backend.application.ports import Companion

EVENTS_TABLE = "events"
LOCK_TIMEOUT_S = 5

CompanionStep = Callable[[psycopg.Cursor[dict[str, Any]], Companion, Sequence[int]], None]
"""One companion's SQL, run after the events were inserted and with their positions."""

BoundStep = Callable[[psycopg.Cursor[DictRow], Sequence[int]], None]


class VerbatimRecorder(PostgresApplicationRecorder):
    """Appends events and their companions in one ordinary transaction."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, steps: Sequence[BoundStep] = (), **kwargs: Any
    ) -> Sequence[int] | None:
        """Store the events and run the steps, all or nothing; return the events' positions.

        Raises the library's IntegrityError where another event has one of these versions, and
        whatever a step raises; nothing is stored then. A connection lost during COMMIT leaves its
        result unknown: the events are looked for, and only what is found counts as stored.
        """
        committing = False
        try:
            with self.datastore.get_connection() as conn:
                with conn.transaction(), conn.cursor() as curs:
                    positions = self._insert(curs, stored_events, **kwargs)
                    for step in steps:
                        step(curs, positions)
                    committing = True
                return positions
        except Exception as error:
            # Only a connection lost during COMMIT is looked into; every other error passes unchanged.
            if not committing or not stored_events:
                raise
            found = self._find(stored_events)
            if found is None:
                raise error
            return found

    def _insert(
        self, curs: psycopg.Cursor[DictRow], stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> list[int]:
        if not stored_events:
            return []
        self._insert_stored_events(curs, stored_events, **kwargs)
        return [row["notification_id"] for row in curs.fetchall()]

    def _find(self, stored_events: Sequence[StoredEvent]) -> list[int] | None:
        """Positions of exactly these events, or None where they are not stored as they stand."""
        positions: list[int] = []
        for event in stored_events:
            with self.datastore.get_connection() as conn, conn.cursor() as curs:
                curs.execute(
                    SQL(
                        "SELECT notification_id FROM {}.{}"
                        " WHERE originator_id = %s AND originator_version = %s AND state = %s"
                    ).format(Identifier(self.datastore.schema), Identifier(self.events_table_name)),
                    (event.originator_id, event.originator_version, event.state),
                )
                row = curs.fetchone()
            if row is None:
                return None
            positions.append(row["notification_id"])
        return positions
