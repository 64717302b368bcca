"""Fills a read model anew from the first event on. First version: into emptied tables, queries answer 503.

Works beside a running projection worker, which leaves a read model alone while it is marked as being
rebuilt. A rebuild that is killed is finished by the worker, or by starting it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from backend.event_store.subscription import EventReader
from projections.batches import Place, PoisonEvent, apply_batch, change_place, ensure_places, stop
from projections.locks import lock_session, rebuild_keys
from projections.position_table import REBUILDING, RUNNING, ProjectionPosition
from projections.projector import Projector

BATCH_SIZE: Final = 1000
NOT_EMPTIED: Final = -1
"""The position of a read model that is marked for a rebuild while its old rows are still there."""


@dataclass(frozen=True)
class Progress:
    """events: applied so far. position of end: how far it has come, and must come."""

    events: int
    position: int
    end: int


class RebuildRunning(Exception):
    """Somebody is rebuilding this read model already."""

    def __init__(self, read_model: str) -> None:
        super().__init__(f"The read model {read_model} is being rebuilt already. Wait for that to end.")


def rebuild(
    projector: type[Projector],
    *,
    database_url: str,
    report: Callable[[Progress], None],
    batch_size: int = BATCH_SIZE,
) -> Progress:
    """Empty the read model's tables and replay all events into them; `report` is told after each batch.

    Raises RebuildRunning, PoisonEvent (the read model is stopped then), UnreadableEvent, or a database error.
    """
    reader = EventReader(database_url)
    try:
        with lock_session(database_url) as locks:
            if not locks.try_take(rebuild_keys(projector.name)):
                raise RebuildRunning(projector.name)
            ensure_places([projector])
            _mark(projector)
            return _replay(projector, empty_tables(projector), reader, report, batch_size)
    finally:
        reader.close()


def empty_tables(projector: type[Projector]) -> Place:
    """Delete all rows of a read model that is marked for it. Raises Fenced where it is not."""

    def empty(row: ProjectionPosition) -> None:
        for table in projector.tables:
            # Not TRUNCATE: it would empty the table also for queries that began before the mark was set.
            table._default_manager.all().delete()
        row.position = 0

    return change_place(projector, NOT_EMPTIED, empty)


def finish(projector: type[Projector], place: Place) -> Place:
    """Put a read model that has caught up into service. Raises Fenced."""

    def mark(row: ProjectionPosition) -> None:
        row.state = RUNNING

    return change_place(projector, place.position, mark)


def _mark(projector: type[Projector]) -> None:
    """In a commit of its own, so that the worker never waits for the emptying of a large table."""
    with transaction.atomic():
        row = ProjectionPosition.objects.select_for_update().get(name=projector.name)
        row.position, row.state, row.error = NOT_EMPTIED, REBUILDING, ""
        row.save()


def _replay(
    projector: type[Projector],
    place: Place,
    reader: EventReader,
    report: Callable[[Progress], None],
    batch_size: int,
) -> Progress:
    events = 0
    while batch := reader.read_after(place.position, batch_size):
        try:
            place = apply_batch(projector, place, batch)
        except PoisonEvent as poison:
            stop(poison)
            raise
        events += len(batch)
        report(Progress(events, place.position, max(reader.end(), place.position)))
    finish(projector, place)
    return Progress(events, place.position, place.position)
