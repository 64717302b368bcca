"""Where calls stand that wait for their runner, as the API and the live stream tell it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypedDict, cast
from uuid import UUID

import psycopg
from django.db import connection

from backend.model_calls.queue import read_places


class QueuePlace(TypedDict):
    """place: 1 is next; None while the call waits for its next attempt, at retry_at (RFC 3339)."""

    place: int | None
    waiting: int
    runner: str | None
    retry_at: str | None


def places_of(call_ids: Collection[UUID]) -> dict[UUID, QueuePlace]:
    """The calls among these that wait; one that runs or has ended is left out."""
    if not call_ids:
        return {}
    with connection.cursor() as cursor:
        places = read_places(cast("psycopg.Cursor[Any]", cursor), call_ids)
    return {
        call_id: QueuePlace(
            place=place.place,
            waiting=place.waiting,
            runner=place.runner,
            retry_at=None if place.place is not None else place.not_before.isoformat(),
        )
        for call_id, place in places.items()
    }
