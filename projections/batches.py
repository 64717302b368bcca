"""One batch of events into one read model, or into several: rows and position in one transaction, or nothing.

The position row is locked and compared with what the caller believes before anything is applied. That
compare is what keeps two workers, or a worker and a rebuild, from applying an event twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from backend.application.ports import RecordedEvent
from projections.position_table import STOPPED, ProjectionPosition
from projections.projector import Projector

logger = logging.getLogger(__name__)

_ERROR_LIMIT: Final = 4000
# SQLSTATE classes in which not the event is to blame: connection, transaction rollback, resources,
# object in use, operator intervention, system error, internal error.
_NOT_THE_EVENT: Final = frozenset({"08", "40", "53", "55", "57", "58", "XX"})

# Plain SQL, since these two run for every batch of every read model. Not waiting for the disk at commit
# costs nothing: rows and position are lost together or not at all, and events are safe in the store.
_LOCK: Final = (
    "SELECT position, state, set_config('synchronous_commit', 'off', true)"
    " FROM projection_position WHERE name = %s FOR UPDATE"
)
_MOVE_ON: Final = "UPDATE projection_position SET position = %s, updated_at = now() WHERE name = %s"
_LOCK_SEVERAL: Final = (
    "SELECT name, position, state, set_config('synchronous_commit', 'off', true)"
    " FROM projection_position WHERE name = ANY(%s) ORDER BY name FOR UPDATE"
)
_MOVE_SEVERAL_ON: Final = (
    "UPDATE projection_position SET position = %s, updated_at = now() WHERE name = ANY(%s)"
)


@dataclass(frozen=True)
class Place:
    """Where a read model is, as last read."""

    position: int
    state: str


class Fenced(Exception):
    """Somebody else has moved the read model on: nothing was applied. Read its place again."""


class PoisonEvent(Exception):
    """A read model cannot take this event in. It was not applied, and those before it were."""

    def __init__(self, projector: type[Projector], where: str, after: int, cause: BaseException) -> None:
        super().__init__(f"{where}: {type(cause).__name__}: {cause}"[:_ERROR_LIMIT])
        self.projector = projector
        self.after = after


def places() -> dict[str, Place]:
    """The place of every read model that has one."""
    rows = ProjectionPosition.objects.values_list("name", "position", "state")
    return {name: Place(position, state) for name, position, state in rows}


def ensure_places(projectors: Sequence[type[Projector]]) -> None:
    """Give every read model that has no position row one at 0."""
    ProjectionPosition.objects.bulk_create(
        [ProjectionPosition(name=projector.name) for projector in projectors], ignore_conflicts=True
    )


def apply_batch(projector: type[Projector], believed: Place, batch: Sequence[RecordedEvent]) -> Place:
    """Apply the batch and return the new place. Raises Fenced, PoisonEvent, or a database error.

    batch: what follows `believed.position` in the store, ascending, at least one event.
    """
    try:
        return _apply(projector, believed, batch)
    except Fenced:
        raise
    # A projector may fail on an event in any way; whichever it is, only its own read model shall stop.
    except Exception as error:
        if is_database_trouble(error):
            raise
        if len(batch) == 1:
            recorded = batch[0]
            where = f"position {recorded.position}, {recorded.event.TOPIC}"
            raise PoisonEvent(projector, where, believed.position, error) from error
        logger.warning(
            "The read model %s failed on the events from position %d to %d, trying them one by one: %s: %s",
            projector.name,
            batch[0].position,
            batch[-1].position,
            type(error).__name__,
            error,
        )
    # Once more, one by one: everything before the poison is applied, and we learn which event it is.
    place = believed
    for recorded in batch:
        place = apply_batch(projector, place, [recorded])
    return place


def apply_to_several(
    projectors: Sequence[type[Projector]], believed: Place, batch: Sequence[RecordedEvent]
) -> Place | None:
    """Apply the batch to read models that are all at `believed`, in one transaction; return their new place.

    None where that failed and nothing was applied: each of them is to be tried alone then, which tells
    which one it is. Raises a database error.
    """
    names, end = [projector.name for projector in projectors], batch[-1].position
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LOCK_SEVERAL, [names])
            found = cursor.fetchall()
            if len(found) != len(names) or any(
                row[1:3] != (believed.position, believed.state) for row in found
            ):
                return None
            now = datetime.now(UTC)
            concerned = [
                projector
                for projector in projectors
                if any(projector.concerns(recorded.event) for recorded in batch)
            ]
            for projector in concerned:
                projector(now).apply(batch)
            cursor.execute(_MOVE_SEVERAL_ON, [end, names])
            for projector in concerned:
                if projector.channel is not None:
                    cursor.execute("SELECT pg_notify(%s, %s)", [projector.channel, str(end)])
    # A projector may fail on an event in any way, and which one it was shows when each is tried alone.
    except Exception as error:
        if is_database_trouble(error):
            raise
        return None
    return Place(end, believed.state)


def stop(poison: PoisonEvent) -> None:
    """Take a read model out of service until the next start of the worker, saying why. Raises Fenced."""

    def mark(row: ProjectionPosition) -> None:
        row.state = STOPPED
        row.error = str(poison).replace("\x00", "\N{REPLACEMENT CHARACTER}")

    change_place(poison.projector, poison.after, mark)


def change_place(
    projector: type[Projector], position: int, change: Callable[[ProjectionPosition], None]
) -> Place:
    """Change a position row that is still at `position`. Raises Fenced where it is not."""
    with transaction.atomic():
        row = ProjectionPosition.objects.select_for_update().filter(name=projector.name).first()
        if row is None or row.position != position:
            raise Fenced(projector.name)
        change(row)
        row.save()
        return Place(row.position, row.state)


def tidy(projector: type[Projector], believed: Place) -> None:
    """Let a read model drop what it keeps for a limited time only. Raises Fenced."""
    with transaction.atomic(), connection.cursor() as cursor:
        _lock_as_believed(cursor, projector, believed)
        projector.tidy(datetime.now(UTC))


def is_database_trouble(error: BaseException) -> bool:
    """Whether an error tells of the database being away, busy or broken rather than of what was asked of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.Error) and cause.sqlstate is not None:
            return cause.sqlstate[:2] in _NOT_THE_EVENT
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            return True  # without a code from the server: the connection itself
        cause = cause.__cause__
    return isinstance(error, OperationalError | InterfaceError)


def _apply(projector: type[Projector], believed: Place, batch: Sequence[RecordedEvent]) -> Place:
    end = batch[-1].position
    with transaction.atomic(), connection.cursor() as cursor:
        _lock_as_believed(cursor, projector, believed)
        projector(datetime.now(UTC)).apply(batch)
        cursor.execute(_MOVE_ON, [end, projector.name])
        if projector.channel is not None and any(projector.concerns(recorded.event) for recorded in batch):
            cursor.execute("SELECT pg_notify(%s, %s)", [projector.channel, str(end)])
    return Place(end, believed.state)


def _lock_as_believed(cursor: CursorWrapper, projector: type[Projector], believed: Place) -> None:
    cursor.execute(_LOCK, [projector.name])
    row = cursor.fetchone()
    if row is None or row[:2] != (believed.position, believed.state) or believed.state == STOPPED:
        raise Fenced(projector.name)
