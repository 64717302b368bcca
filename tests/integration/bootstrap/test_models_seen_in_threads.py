"""Threads that ask what is known of models at the same time do not wait for the one that reads it."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from backend.bootstrap.models_seen import ModelsSeen

# By its full name: the package has a function of the same name.
module = sys.modules[ModelsSeen.__module__]


@pytest.mark.usefixtures("fresh_database")
def test_while_one_thread_reads_the_others_go_on_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds a database connection, and the one that reads may have to wait for one to become free."""
    seen = ModelsSeen()
    assert seen.known_models() is None
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    reading, go_on = threading.Event(), threading.Event()

    def slow(keys: list[str]) -> dict[str, Any]:
        reading.set()
        assert go_on.wait(10)
        return {}

    monkeypatch.setattr(module, "cache", SimpleNamespace(get_many=slow))
    reader = threading.Thread(target=seen.known_models)
    reader.start()
    assert reading.wait(10)
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    asked = threading.Event()

    def ask() -> None:
        seen.known_models()
        asked.set()

    other = threading.Thread(target=ask)
    other.start()
    was_answered = asked.wait(5)
    go_on.set()
    reader.join(10)
    other.join(10)

    assert was_answered
