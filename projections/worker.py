"""The projection worker: keeps every read model up with the event store. Here one looks when a screen is stale.

Takes the worker's lock, listens before it reads, and then applies batch after batch, rows and position in one
transaction: one for all read models that are at the same place, which in quiet times is all of them. When much
happens, it pauses between batches, so that each takes in more. Any number may run; one works and the others stand by. It never
appends events, and it may be killed at any moment: nothing is lost or applied twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg
from django.db import Error as DjangoDatabaseError
from django.db import connections

from backend.application.ports import RecordedEvent
from backend.event_store.codec import UnreadableEvent
from backend.event_store.subscription import EventReader
from projections.batches import (
    Fenced,
    Place,
    PoisonEvent,
    apply_batch,
    apply_to_several,
    ensure_places,
    is_database_trouble,
    places,
    stop,
    tidy,
)
from projections.locks import WORKER_KEYS, LockSession, lock_session, rebuild_keys
from projections.position_table import REBUILDING, RUNNING, STOPPED, ProjectionPosition
from projections.projector import Projector
from projections.rebuild import NOT_EMPTIED, empty_tables, finish
from projections.registry import PROJECTORS

logger = logging.getLogger(__name__)

BATCH_SIZE: Final = 500
WAIT_S: Final = 1.0
_LONGEST_REST_S: Final = 0.05
_GATHER_S: Final = 0.008
_STANDBY_STEP_S: Final = 0.25
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_TIDY_EVERY_S: Final = 600.0


def run(
    stop_event: threading.Event,
    *,
    database_url: str,
    projectors: tuple[type[Projector], ...] = PROJECTORS,
    batch_size: int = BATCH_SIZE,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Work until `stop_event` is set, then finish the batch and return. Outlives losing the database.

    alive: called about once a second, for as long as the worker works or stands by.
    """
    pause = _FIRST_PAUSE_S
    while not stop_event.is_set():
        reader = EventReader(database_url)
        began = time.monotonic()
        try:
            with lock_session(database_url) as locks:
                if _stand_by(locks, stop_event, alive):
                    _Session(reader, locks, projectors, batch_size, alive).run(stop_event)
        except (psycopg.Error, DjangoDatabaseError) as error:
            if not is_database_trouble(error):
                raise
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            logger.warning(
                "The projection worker lost the database, trying again in %.1f s: %s", pause, error
            )
            stop_event.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        finally:
            _close_quietly(reader)


def _close_quietly(reader: EventReader) -> None:
    """Let go of connections, of which some may be broken already."""
    reader.close()
    connections.close_all()


def _stand_by(locks: LockSession, stop_event: threading.Event, alive: Callable[[], None]) -> bool:
    """Wait until this worker is the active one. False when it is asked to stop before that."""
    told = False
    while not stop_event.is_set():
        if locks.try_take(WORKER_KEYS):
            logger.info("This projection worker is the active one now.")
            return True
        if not told:
            logger.info("Another projection worker is active; this one stands by.")
            told = True
        alive()
        stop_event.wait(_STANDBY_STEP_S)
    return False


class _Session:
    """The work of an active worker between gaining the lock and losing it."""

    def __init__(
        self,
        reader: EventReader,
        locks: LockSession,
        projectors: tuple[type[Projector], ...],
        batch_size: int,
        alive: Callable[[], None],
    ) -> None:
        self._alive = alive
        self._reader = reader
        self._locks = locks
        self._projectors = projectors
        self._batch_size = batch_size
        self._places: dict[str, Place] = {}
        self._adopted: set[str] = set()
        self._looked_at = 0.0
        self._tidied_at: float | None = None

    def run(self, stop_event: threading.Event) -> None:
        with self._reader.listen() as listener:  # before the first read, or an event could fall in between
            ensure_places(self._projectors)
            self._retry_stopped()
            self._places = places()
            while not stop_event.is_set():
                self._look_around()
                began = time.monotonic()
                if self._round(stop_event):
                    continue
                if not stop_event.is_set():
                    self._tidy_if_due()
                    self._rest(time.monotonic() - began)
                    if listener.wait(WAIT_S):
                        # What happens next mostly does at once, as a call's start after its request; it is taken
                        # along. And whoever waits for a first token gets the processor before we do.
                        time.sleep(_GATHER_S)

    def _rest(self, worked_s: float) -> None:
        """As long as the work took, at most. After a single turn's event that is a few milliseconds."""
        time.sleep(min(worked_s, _LONGEST_REST_S))

    def _round(self, stop_event: threading.Event) -> bool:
        """Give each read model its next batch. Whether there is more to do at once.

        A batch that is not full ends with the newest event there was; of later ones a notification tells.
        """
        fetched: dict[int, list[RecordedEvent]] = {}
        together, progressed = self._advance_together(fetched)
        for projector in self._projectors:
            if stop_event.is_set():
                break
            if projector in together:
                continue
            place = self._places[projector.name]
            if place.state == STOPPED or (place.state == REBUILDING and projector.name not in self._adopted):
                continue
            try:
                try:
                    progressed |= self._advance(projector, place, fetched)
                except PoisonEvent as poison:
                    self._stop(poison)
            except Fenced:
                logger.info(
                    "The read model %s was moved on by somebody else; reading its place again.",
                    projector.name,
                )
                self._places = places()
                progressed = True
        return progressed

    def _advance_together(
        self, fetched: dict[int, list[RecordedEvent]]
    ) -> tuple[list[type[Projector]], bool]:
        """Take all read models that are in service at the same place one batch further.

        Returns those that are done with for this round, and whether the batch was a full one. None are where
        that is not possible: then nothing has happened, and each goes on alone.
        """
        running = [each for each in self._projectors if self._places[each.name].state == RUNNING]
        places = {self._places[each.name] for each in running}
        if len(running) < 2 or len(places) != 1:
            return [], False
        place = places.pop()
        try:
            batch = fetched[place.position] = self._reader.read_after(place.position, self._batch_size)
        except UnreadableEvent:
            return [], False
        if batch:
            reached = apply_to_several(running, place, batch)
            if reached is None:
                return [], False
            self._places.update({each.name: reached for each in running})
        return running, len(batch) >= self._batch_size

    def _advance(
        self, projector: type[Projector], place: Place, fetched: dict[int, list[RecordedEvent]]
    ) -> bool:
        if place.position == NOT_EMPTIED:
            self._places[projector.name] = empty_tables(projector)
            return True
        if place.position not in fetched:
            fetched[place.position] = self._read(projector, place.position)
        batch = fetched[place.position]
        if batch:
            self._places[projector.name] = apply_batch(projector, place, batch)
            return True
        if place.state == REBUILDING:
            self._places[projector.name] = finish(projector, place)
            self._let_go(projector)
        return False

    def _stop(self, poison: PoisonEvent) -> None:
        logger.error("The read model %s is stopped at %s", poison.projector.name, poison)
        stop(poison)
        self._places = places()
        self._let_go(poison.projector)

    def _let_go(self, projector: type[Projector]) -> None:
        """End the care for a rebuild that somebody else had broken off, if we had taken that on."""
        if projector.name in self._adopted:
            self._adopted.discard(projector.name)
            self._locks.release(rebuild_keys(projector.name))

    def _read(self, projector: type[Projector], position: int) -> list[RecordedEvent]:
        """What follows a position: fewer events where a later one cannot be read. Raises PoisonEvent."""
        limit = self._batch_size
        while True:
            try:
                return self._reader.read_after(position, limit)
            except UnreadableEvent as error:
                if limit == 1:
                    raise PoisonEvent(
                        projector, f"the event after position {position}", position, error
                    ) from error
                limit //= 2

    def _look_around(self) -> None:
        """Once a second: do we still hold the lock, and did a rebuild begin, end or die meanwhile?"""
        now = time.monotonic()
        if now - self._looked_at < WAIT_S:
            return
        self._looked_at = now
        self._locks.check()
        self._alive()
        self._places = places()
        for projector in self._projectors:
            name = projector.name
            abandoned = self._places[name].state == REBUILDING and name not in self._adopted
            if abandoned and self._locks.try_take(rebuild_keys(name)):
                # Look again under the lock: the rebuild may have ended in the meantime.
                self._places[name] = places()[name]
                if self._places[name].state == REBUILDING:
                    logger.warning("The rebuild of %s was broken off; finishing it.", name)
                    self._adopted.add(name)
                else:
                    self._locks.release(rebuild_keys(name))

    def _retry_stopped(self) -> None:
        """A new start may bring a release that can read what the last one could not."""
        ProjectionPosition.objects.filter(state=STOPPED).update(state=RUNNING, error="")

    def _tidy_if_due(self) -> None:
        now = time.monotonic()
        if self._tidied_at is not None and now - self._tidied_at < _TIDY_EVERY_S:
            return
        self._tidied_at = now
        for projector in self._projectors:
            place = self._places[projector.name]
            if place.state == RUNNING:
                try:
                    tidy(projector, place)
                except Fenced:
                    logger.info(
                        "The read model %s was moved on by somebody else; tidying it later.", projector.name
                    )
