"""Every test of the handlers begins with an empty store in memory."""

from __future__ import annotations

import pytest

from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core


@pytest.fixture
def store() -> InMemoryEventStore:
    return InMemoryEventStore()


@pytest.fixture
def core(store: InMemoryEventStore) -> Core:
    return Core(store)
