"""How far the read models are: waiting for them, and reading rows with the position they belong to.

For queries and health checks. Changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from projections.locks import WORKER_KEYS
from projections.position_table import REBUILDING, RUNNING, ProjectionPosition
from projections.registry import projector_named, read_model_names

WAIT_S: Final = 2.0
_FIRST_STEP_S: Final = 0.002
_LONGEST_STEP_S: Final = 0.005


class ReadModelBehind(Exception):
    """A read model has not passed a position in the time given. Asking again later helps."""

    def __init__(self, read_model: str, position: int) -> None:
        super().__init__(
            f"The read model {read_model} has not reached position {position} yet. Try again in a moment; "
            "if it stays so, see `manage.py projection_status`."
        )
        self.read_model = read_model
        self.position = position


class Rebuilding(Exception):
    """A read model is being filled anew and cannot be asked. Asking again later helps."""

    def __init__(self, read_model: str) -> None:
        super().__init__(f"The read model {read_model} is being rebuilt. Try again in a moment.")
        self.read_model = read_model


@dataclass(frozen=True)
class ReadModelStatus:
    """state: running, stopped or rebuilding. error: why it is stopped, else empty."""

    name: str
    position: int
    state: str
    error: str
    updated_at: datetime | None


@dataclass(frozen=True)
class Snapshot:
    """One moment of one read model. position: of the last event that its rows show."""

    read_model: str
    position: int


def statuses() -> tuple[ReadModelStatus, ...]:
    """Every read model, in the order of the registry; one that never ran is at position 0."""
    rows = ProjectionPosition.objects.in_bulk()
    found = []
    for name in read_model_names():
        row = rows.get(name)
        if row is None:
            found.append(ReadModelStatus(name, 0, RUNNING, "", None))
        else:
            found.append(ReadModelStatus(name, row.position, row.state, row.error, row.updated_at))
    return tuple(found)


def position_of(read_model: str) -> int:
    """The position of the last event that a read model has taken in. Raises UnknownReadModel."""
    return _state_of(read_model)[0]


def wait_until(read_model: str, position: int, timeout_s: float = WAIT_S) -> bool:
    """Whether the read model has passed `position` within `timeout_s` seconds. Raises UnknownReadModel.

    Looks again every few milliseconds. Not for use inside a transaction, which would see nothing change.
    """
    deadline = time.monotonic() + timeout_s
    step = _FIRST_STEP_S
    while position_of(read_model) < position:
        if time.monotonic() + step > deadline:
            return False
        time.sleep(step)
        step = min(step + 0.001, _LONGEST_STEP_S)
    return True


@contextmanager
def snapshot(read_model: str, *, after: int | None = None, timeout_s: float = WAIT_S) -> Iterator[Snapshot]:
    """All queries inside see the read model at one moment, whose position is given.

    after: first wait until this position is passed. Raises ReadModelBehind when it is not within
    `timeout_s` seconds, Rebuilding while the tables are being filled anew, and UnknownReadModel.
    Needs the default connection outside of a transaction.
    """
    if after is not None and not wait_until(read_model, after, timeout_s):
        if _state_of(read_model)[1] == REBUILDING:
            raise Rebuilding(read_model)
        raise ReadModelBehind(read_model, after)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        position, state = _state_of(read_model)
        if state == REBUILDING:
            raise Rebuilding(read_model)
        yield Snapshot(read_model, position)


def worker_is_active() -> bool:
    """Whether some process holds the projection worker's lock on this database at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
            " AND classid = %s AND objid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            WORKER_KEYS,
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _state_of(read_model: str) -> tuple[int, str]:
    name = projector_named(read_model).name
    found = ProjectionPosition.objects.filter(name=name).values_list("position", "state").first()
    return found if found is not None else (0, RUNNING)
