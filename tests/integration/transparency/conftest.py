"""A store with something in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from backend.transparency.hashes import Connection
    from tests.integration.projections.talk import Talk


@pytest.fixture
def connection(fresh_database: str) -> Iterator[Connection]:
    with psycopg.connect(fresh_database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    """Three turns of one conversation, stored."""
    from tests.integration.commands.support import store
    from tests.integration.projections.talk import Talk

    told = Talk()
    for word in ("one", "two", "three"):
        told.say(f"Question {word}")
        told.reply(f"Answer {word}")
    store(told, fresh_database)
    return told
