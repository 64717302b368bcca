"""People, and the workers behind the interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.integration.api.support import Person, StandInWorker, projecting

if TYPE_CHECKING:
    from django.test import Client

    from backend.accounts.models import User


@pytest.fixture
def person_for(client_for: Callable[[User], Client]) -> Callable[[User], Person]:
    return lambda user: Person(client_for(user))


@pytest.fixture
def ann(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("ann@example.org"))


@pytest.fixture
def bob(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("bob@example.org"))


@pytest.fixture
def worker(fresh_database: str) -> StandInWorker:
    return StandInWorker(fresh_database)


@pytest.fixture
def projected(fresh_database: str) -> Iterator[None]:
    """Read tables follow the events while the test runs."""
    with projecting(fresh_database):
        yield
