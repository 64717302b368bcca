"""The library's PostgreSQL recorder, made safe for our use.

Two of its habits are changed. It inserts in psycopg's pipeline mode, where an event of about a
megabyte hangs for ever with the table locked, and where an exception after the insert still commits;
we use one ordinary transaction. And an append may carry companions: SQL steps that stand or fall
with its events. The library's table lock, which makes positions become visible in their order, is an advisory
lock here: that needs no right to change the table. It is taken as late as can be, in one message with the
insert and, wherever nothing has to come between them, with the commit, because everybody who appends waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from backend.application.ports import Companion

EVENTS_TABLE = "events"
LOCK_TIMEOUT_S = 5
APPEND_LOCK: Final = 0x7665726261746C65
"""Any fixed number: whoever appends holds this advisory lock until the commit.

Copies of a release before 0.4.0 lock the table instead. They wait for an insert of ours to be committed, and ours waits for
theirs, before either is given positions; so both may run side by side for as long as an upgrade takes.
"""

# Several statements in one message; the cursor writes the values into the text.
_INSERT = SQL(
    "SELECT pg_advisory_xact_lock({lock}); NOTIFY {channel};"
    " INSERT INTO {table} (originator_id, originator_version, topic, state)"
    " SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[]) RETURNING notification_id"
)

CompanionStep = Callable[[psycopg.Cursor[dict[str, Any]], Companion], None]
"""One companion's SQL, run before the events are inserted."""

Step = Callable[[psycopg.Cursor[DictRow]], None]
StepWithPositions = Callable[[psycopg.Cursor[DictRow], Sequence[int]], None]


class VerbatimRecorder(PostgresApplicationRecorder):
    """Appends events and their companions in one ordinary transaction."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        before: Sequence[Step] = (),
        after: Sequence[StepWithPositions] = (),
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Store the events and run the steps before and after, all or nothing; return the events' positions.

        Raises the library's IntegrityError where another event has one of these versions, and
        whatever a step raises; nothing is stored then. A connection lost during COMMIT leaves its
        result unknown: the events are looked for, and only what is found counts as stored.
        """
        committing = False
        try:
            with self.datastore.get_connection() as conn, conn.cursor() as curs:
                try:
                    curs.execute("BEGIN")
                    for step in before:
                        step(curs)
                    if stored_events and not after:
                        committing = True
                        return self._insert(conn, stored_events, and_commit=True)
                    positions = self._insert(conn, stored_events) if stored_events else []
                    for with_positions in after:
                        with_positions(curs, positions)
                    committing = True
                    curs.execute("COMMIT")
                    return positions
                except BaseException:
                    if not conn.closed:
                        conn.rollback()
                    raise
        except (OperationalError, InterfaceError):
            # Only a connection lost during COMMIT is looked into; every other error passes unchanged.
            if not committing or not stored_events:
                raise
            found = self._find(stored_events)
            if found is None:
                raise
            return found

    def _insert(
        self,
        connection: psycopg.Connection[DictRow],
        stored_events: Sequence[StoredEvent],
        *,
        and_commit: bool = False,
    ) -> list[int]:
        """and_commit: in the same message, so that others need not wait until we have heard of the insert."""
        query = _INSERT.format(
            table=Identifier(self.datastore.schema, self.events_table_name),
            channel=Identifier(self.channel_name),
            lock=Literal(APPEND_LOCK),
        )
        with psycopg.ClientCursor(connection) as curs:
            curs.execute(
                query + SQL("; COMMIT") if and_commit else query,
                (
                    [event.originator_id for event in stored_events],
                    [event.originator_version for event in stored_events],
                    [event.topic for event in stored_events],
                    [event.state for event in stored_events],
                ),
            )
            # Of the lock comes an answer too, and of NOTIFY none: the insert's is the one with positions.
            while curs.description is None or curs.description[0].name != "notification_id":
                curs.nextset()
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
