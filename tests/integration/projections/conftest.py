"""Fixtures of the tests of projections. Imported before Django is set up, so what needs Django comes later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from backend.event_store.store import PostgresEventStore


@pytest.fixture
def store(fresh_database: str) -> Iterator[PostgresEventStore]:
    """The real event store on the test's own database."""
    from tests.integration.projections.real_store import real_store

    with real_store(fresh_database) as found:
        yield found
