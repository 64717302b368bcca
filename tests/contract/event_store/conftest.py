"""The two event stores that must behave alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from uuid import UUID

import psycopg
import pytest

from backend.application.ports import EventStore, RecordedEvent
from backend.event_store.memory import InMemoryEventStore
from backend.event_store.store import PostgresEventStore
from backend.event_store.subscription import EventReader
from backend.model_calls.companions import COMPANION_STEPS


class StoreUnderTest(Protocol):
    """A store, and what a contract needs to look at it from outside."""

    @property
    def store(self) -> EventStore: ...

    def read_after(self, position: int, limit: int) -> list[RecordedEvent]: ...

    def queued(self) -> list[UUID]: ...


class InMemory:
    def __init__(self) -> None:
        self.store = InMemoryEventStore()

    def read_after(self, position: int, limit: int) -> list[RecordedEvent]:
        return self.store.read_after(position, limit)

    def queued(self) -> list[UUID]:
        return list(self.store.queue)


class OnPostgres:
    def __init__(self, url: str) -> None:
        self.url = url
        self.store = PostgresEventStore(url, COMPANION_STEPS)
        self._reader = EventReader(url)

    def read_after(self, position: int, limit: int) -> list[RecordedEvent]:
        return self._reader.read_after(position, limit)

    def queued(self) -> list[UUID]:
        with psycopg.connect(self.url) as connection:
            return [row[0] for row in connection.execute("SELECT call_id FROM model_call_queue")]

    def close(self) -> None:
        self._reader.close()
        self.store.close()


@pytest.fixture
def on_postgres(fresh_database: str) -> Iterator[OnPostgres]:
    opened = OnPostgres(fresh_database)
    yield opened
    opened.close()


@pytest.fixture(params=["in memory", "on PostgreSQL"])
def under_test(request: pytest.FixtureRequest) -> StoreUnderTest:
    made: StoreUnderTest = (
        InMemory() if request.param == "in memory" else request.getfixturevalue("on_postgres")
    )
    return made
