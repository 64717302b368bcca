"""What is remembered of models, on the cache that all processes of an installation share."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connection

from backend.application.runner_port import RunnerModel
from backend.bootstrap.models_seen import FRESH_S, ModelsSeen

RUNNER = "built-in"
SMALL, BIG = RunnerModel("small", 2048), RunnerModel("big", 8192)


@pytest.fixture(autouse=True)
def _database(fresh_database: str) -> None:
    """Every test on a cache table of its own."""


def aged(seen: ModelsSeen) -> ModelsSeen:
    """The same, as after the few seconds for which it believes what it read."""
    assert seen._read_at is not None
    seen._read_at -= FRESH_S
    return seen


def test_before_anything_was_told_nothing_is_known_and_so_nothing_is_refused() -> None:
    assert ModelsSeen().known_models() is None
    assert ModelsSeen().context_tokens(RUNNER, "small") is None


def test_what_one_process_heard_all_others_know() -> None:
    ModelsSeen().remember_listed(RUNNER, [SMALL, RunnerModel("silent")])
    another = ModelsSeen()
    assert another.known_models() == frozenset({"small", "silent"})
    assert another.context_tokens(RUNNER, "small") == 2048
    assert another.context_tokens(RUNNER, "silent") is None


def test_a_process_that_looked_before_sees_the_news_after_a_few_seconds() -> None:
    another = ModelsSeen()
    assert another.known_models() is None
    ModelsSeen().remember_listed(RUNNER, [SMALL])
    assert another.known_models() is None, "it believes for a moment what it read"
    assert aged(another).known_models() == frozenset({"small"})


def test_the_process_that_was_told_knows_at_once() -> None:
    seen = ModelsSeen()
    assert seen.context_tokens(RUNNER, "small") is None
    seen.remember_context(RUNNER, "small", 512)
    assert seen.context_tokens(RUNNER, "small") == 512
    seen.remember_listed(RUNNER, [BIG])
    assert seen.known_models() == frozenset({"big"})


def test_a_model_that_is_listed_no_more_is_not_known_any_more_but_its_size_is_kept() -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL, BIG])
    seen.remember_listed(RUNNER, [BIG])
    assert ModelsSeen().known_models() == frozenset({"big"})
    assert ModelsSeen().context_tokens(RUNNER, "small") == 2048


def test_what_a_runner_said_when_it_refused_a_prompt_is_kept_beside_the_sizes_of_others() -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL, BIG])
    seen.remember_context(RUNNER, "big", 4096)
    another = ModelsSeen()
    assert (another.context_tokens(RUNNER, "big"), another.context_tokens(RUNNER, "small")) == (4096, 2048)
    assert another.known_models() == frozenset({"small", "big"})


def test_a_list_of_models_does_not_outdo_what_the_runner_refused() -> None:
    seen = ModelsSeen()
    trained_for = RunnerModel("big", 131_072)
    seen.remember_listed(RUNNER, [trained_for])
    seen.remember_context(RUNNER, "big", 4096)
    ModelsSeen().remember_listed(RUNNER, [trained_for])
    assert ModelsSeen().context_tokens(RUNNER, "big") == 4096


def test_a_list_with_another_size_than_before_does() -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL, BIG])
    seen.remember_context(RUNNER, "big", 4096)
    seen.remember_context(RUNNER, "small", 512)
    seen.remember_listed(RUNNER, [SMALL, RunnerModel("big", 16_384)])
    another = ModelsSeen()
    assert (another.context_tokens(RUNNER, "big"), another.context_tokens(RUNNER, "small")) == (16_384, 512)


def test_sizes_that_two_processes_heard_of_different_models_are_both_kept() -> None:
    one, other = ModelsSeen(), ModelsSeen()
    assert one.context_tokens(RUNNER, "small") is other.context_tokens(RUNNER, "big") is None
    one.remember_context(RUNNER, "small", 512)
    other.remember_context(RUNNER, "big", 1024)
    assert (ModelsSeen().context_tokens(RUNNER, "small"), ModelsSeen().context_tokens(RUNNER, "big")) == (
        512,
        1024,
    )


def test_what_two_runners_tell_at_the_same_moment_is_all_kept() -> None:
    for turn in range(5):
        together = threading.Barrier(2)

        def tell(runner: str, together: threading.Barrier = together, model: str = f"model-{turn}") -> None:
            seen = ModelsSeen()
            together.wait(10)
            seen.remember_listed(runner, [RunnerModel(model, 2048)])
            seen.remember_context(runner, model, 1024)
            connection.close()

        threads = [threading.Thread(target=tell, args=(runner,)) for runner in ("first", "gpu")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        after = ModelsSeen()
        for runner in ("first", "gpu"):
            assert after.listed(runner) == frozenset({f"model-{turn}"})
            assert after.context_tokens(runner, f"model-{turn}") == 1024


def test_being_told_the_same_again_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL, BIG])
    seen.remember_context(RUNNER, "small", 512)
    written: list[Any] = []
    monkeypatch.setattr(cache, "set", lambda *arguments, **_: written.append(arguments))
    for _ in range(3):
        seen.remember_listed(RUNNER, [BIG, SMALL])
        seen.remember_context(RUNNER, "small", 512)
    assert written == []


def test_commands_seldom_ask_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL])
    seen.known_models()
    read: list[Any] = []

    def get_many(names: Any) -> dict[str, Any]:
        read.append(names)
        return {}

    monkeypatch.setattr(cache, "get_many", get_many)
    for _ in range(100):
        assert seen.context_tokens(RUNNER, "small") == 2048
    assert read == []


def test_a_connection_that_broke_meanwhile_is_made_anew(fresh_database: str) -> None:
    seen = ModelsSeen()
    seen.remember_listed(RUNNER, [SMALL])
    with psycopg.connect(fresh_database, autocommit=True) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert ended, "there was a connection to end"
    connection.close_if_unusable_or_obsolete()
    assert ModelsSeen().context_tokens(RUNNER, "small") == 2048
