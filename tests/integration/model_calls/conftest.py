"""Fixtures of the worker's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.model_calls.world import Ears, World, listening


@pytest.fixture
def world(fresh_database: str) -> Iterator[World]:
    made = World(fresh_database)
    yield made
    made.close()


@pytest.fixture
def ears(world: World) -> Iterator[Ears]:
    with listening(world.database_url) as heard:
        yield heard
