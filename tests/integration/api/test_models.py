"""`/api/models/` tells what the runner offers, quickly, whatever state the runner is in."""

from __future__ import annotations

import socket
import time

import pytest
from django.conf import settings

from backend.model_runner.scripted import CONTEXT_TOKENS, MODEL_ID, ScriptedRunner
from tests.integration.api.support import Person


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    from backend.api import runner_status

    runner_status.forget()


def _use(monkeypatch: pytest.MonkeyPatch, url: str, model: str) -> None:
    monkeypatch.setattr(settings, "MODEL_RUNNER_URL", url)
    monkeypatch.setattr(settings, "MODEL_RUNNER_MODEL", model)


@pytest.mark.parametrize("configured", ["", MODEL_ID])
def test_the_runners_models_are_listed_with_their_context(
    ann: Person, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    with ScriptedRunner().in_thread() as runner:
        _use(monkeypatch, runner.url, configured)
        answer = ann.get("/api/models/")

    assert [(m["id"], m["context_tokens"]) for m in answer["results"]] == [(MODEL_ID, CONTEXT_TOKENS)]
    model, told = answer["results"][0], answer["runners"][0]
    assert (model["default"], model["reachable"], model["runner"]) == (True, True, told["name"])
    assert (told["url"], told["reachable"], told["error"]) == (runner.url, True, None)
    assert told["kind"] == "openai-compatible"


def test_the_configured_model_is_there_although_the_runner_does_not_list_it(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedRunner().in_thread() as runner:
        _use(monkeypatch, runner.url, "org/another")
        results = ann.get("/api/models/")["results"]

    assert [(m["id"], m["name"], m["default"]) for m in results] == [
        ("org/another", "another", True),
        (MODEL_ID, MODEL_ID, False),
    ]


def test_a_runner_that_went_away_is_told_with_the_models_it_had(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.api.runner_status.FRESH_S", 0.0)
    with ScriptedRunner().in_thread() as runner:
        _use(monkeypatch, runner.url, "")
        assert ann.get("/api/models/")["results"][0]["reachable"] is True

    answer = ann.get("/api/models/")

    assert [(m["id"], m["reachable"]) for m in answer["results"]] == [(MODEL_ID, False)]
    assert answer["runners"][0]["reachable"] is False
    assert answer["runners"][0]["error"]


def test_a_runner_that_never_answers_does_not_hold_the_page_up(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        _use(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "")
        began = time.monotonic()
        answer = ann.get("/api/models/")
        took = time.monotonic() - began
        again = time.monotonic()
        ann.get("/api/models/")

    assert answer["results"] == []
    assert "2 seconds" in answer["runners"][0]["error"]
    assert took < 3
    assert time.monotonic() - again < 1, "the answer is remembered for a moment"
