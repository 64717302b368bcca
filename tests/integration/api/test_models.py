"""`/api/models/` tells what the runner offers, quickly, whatever state the runner is in."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from django.conf import settings

from backend import bootstrap
from backend.application.runner_port import RunnerModel
from backend.config.runner_settings import RunnerSettings
from backend.model_runner.scripted import CONTEXT_TOKENS, MODEL_ID, ScriptedRunner
from tests.integration.api.support import Person


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    from backend.api import runner_status

    runner_status.forget()


def _runner(name: str, url: str, **fields: Any) -> RunnerSettings:
    return RunnerSettings(
        **{
            "name": name,
            "url": url,
            "api_key": "",
            "kind": "openai-compatible",
            "limit": None,
            "continues": False,
        }
        | fields
    )


def _use(monkeypatch: pytest.MonkeyPatch, url: str, model: str, *others: RunnerSettings) -> None:
    monkeypatch.setattr(settings, "MODEL_RUNNERS", (_runner("first", url), *others))
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


@pytest.mark.parametrize("configured", [MODEL_ID, f"gpu::{MODEL_ID}"])
def test_the_configured_model_may_be_named_with_its_runner(
    ann: Person, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    with ScriptedRunner().in_thread() as gpu:
        _use(monkeypatch, "http://127.0.0.1:9/v1", configured, _runner("gpu", gpu.url))
        results = ann.get("/api/models/")["results"]

    assert [(m["id"], m["runner"], m["default"], m["reachable"]) for m in results] == [
        (MODEL_ID, "gpu", True, True)
    ]


def test_the_configured_model_stands_with_its_runner_while_that_is_away(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedRunner().in_thread() as first:
        _use(monkeypatch, first.url, f"gpu::{MODEL_ID}", _runner("gpu", "http://127.0.0.1:9/v1"))
        results = ann.get("/api/models/")["results"]

    assert [(m["id"], m["runner"], m["default"], m["reachable"]) for m in results] == [
        (MODEL_ID, "first", False, True),
        (f"gpu::{MODEL_ID}", "gpu", True, False),
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


def test_the_models_of_all_runners_are_one_list(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedRunner().in_thread() as one, ScriptedRunner().in_thread() as two:
        second = _runner("second", two.url.replace("//", "//ann:secret@"), kind="vllm", limit=4)
        _use(monkeypatch, one.url, "", second)
        answer = ann.get("/api/models/")

    assert [(m["id"], m["name"], m["runner"], m["default"]) for m in answer["results"]] == [
        (MODEL_ID, MODEL_ID, "first", True),
        (f"second::{MODEL_ID}", MODEL_ID, "second", False),
    ]
    assert [(r["name"], r["kind"], r["limit"], r["models"], r["reachable"]) for r in answer["runners"]] == [
        ("first", "openai-compatible", None, 1, True),
        ("second", "vllm", 4, 1, True),
    ]
    assert "secret" not in str(answer)


def test_a_runner_that_hangs_slows_nobody_down_once_it_is_known(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedRunner().in_thread() as well, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hanging = _runner("hanging", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        _use(monkeypatch, well.url, "", hanging)
        ann.get("/api/models/")
        monkeypatch.setattr("backend.api.runner_status.FRESH_S", 0.0)
        began = time.monotonic()
        answer = ann.get("/api/models/")
        took = time.monotonic() - began

    assert [m["id"] for m in answer["results"]] == [MODEL_ID]
    assert [r["reachable"] for r in answer["runners"]] == [True, False]
    assert took < 1.5, "it is asked anew, but not waited for"


def test_a_host_that_is_looked_for_in_vain_is_waited_for_only_once(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, give_up = socket.getaddrinfo, threading.Event()

    def look(host: Any, *arguments: Any, **named: Any) -> Any:
        if host in ("nowhere.invalid", b"nowhere.invalid"):
            give_up.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return find(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    _use(monkeypatch, "http://nowhere.invalid/v1", "")
    try:
        ann.get("/api/models/")
        began = time.monotonic()
        answer = ann.get("/api/models/")
        took = time.monotonic() - began
    finally:
        give_up.set()

    assert answer["runners"][0]["reachable"] is False
    assert took < 1, "it is still looked for, but not waited for again"


@pytest.mark.usefixtures("projected")
def test_a_message_goes_to_the_runner_that_is_named(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, "http://127.0.0.1:9/v1", "", _runner("gpu", "http://127.0.0.1:10/v1", kind="llama.cpp"))
    bootstrap.models_seen().remember_listed("first", [RunnerModel("small")])
    bootstrap.models_seen().remember_listed("gpu", [RunnerModel("small"), RunnerModel("large")])
    conversation = ann.start(model="small")
    for model, runner, sent in (
        ("small", "first", "small"),
        ("gpu::small", "gpu", "small"),
        ("large", "gpu", "large"),
        ("nobody-has-it", "first", "nobody-has-it"),
        ("nobody::small", "first", "nobody::small"),
    ):
        asked = ann.send(conversation["id"], "Hello", model=model, parent_id=None)
        call = ann.get(f"/api/model-calls/{asked['call_id']}/", after=asked["position"])
        assert (call["runner"], call["model"]) == (runner, sent)
        prompt = ann.get(f"/api/model-calls/{asked['call_id']}/prompt/")
        assert prompt["identical"]
        assert ("return_progress" in prompt["body"]) is (runner == "gpu")
        assert call["queue"]["place"] >= 1
        assert (call["queue"]["runner"], call["queue"]["retry_at"]) == (runner, None)
