"""The logs of a whole installation: everything is found again by its ids, and nothing that anybody wrote stands in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import PASSWORD, ApiClient
from tests.support.stack import Stack, running_stack, wait_until

QUESTION, ANSWER, THOUGHT = "zebra-question", "giraffe-answer", "walrus-thought"
TITLE, SYSTEM, SOUGHT, EMAIL = "okapi-title", "narwhal-system", "axolotl-sought", "quokka@example.org"
PROGRAM, WRONG_PASSWORD = "pangolin-of-a-program", "capybara-password"


@pytest.fixture(scope="module", params=["INFO", "DEBUG"])
def stack(request: pytest.FixtureRequest, shared_runner: ScriptedRunner) -> Iterator[Stack]:
    shared_runner.reset()
    settings = {"MODEL_RUNNER_URL": shared_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID, "TITLES": "off"}
    with running_stack(LOG_FORMAT="json", LOG_LEVEL=request.param, **settings) as running:
        yield running
    shared_runner.reset()


def logs_of(stack: Stack) -> dict[str, str]:
    folder = Path(stack.data_dir) / "logs"
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in folder.iterdir()}


def lines_of(stack: Stack, part: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs_of(stack)[f"{part}.log"].splitlines()]


def test_a_day_s_work_is_told_without_a_word_of_it(stack: Stack, shared_runner: ScriptedRunner) -> None:
    shared_runner.play(
        Script().reasoning(THOUGHT).text(ANSWER).complete(),
        Script().text(ANSWER).cut(),
        Script().text(ANSWER).complete(),
    )
    with ApiClient(stack.url) as ann:
        ann.sign_up(EMAIL)
        conversation = ann.start_conversation(title=TITLE, system_prompt=SYSTEM)
        sent = ann.send(conversation["id"], QUESTION)
        assert ann.wait_for_reply(conversation["id"], sent["reply_id"])["outcome"] == "complete"
        assert ann.say(conversation["id"], QUESTION)["outcome"] == "interrupted"
        ann.get("/api/search/", q=SOUGHT)
        ann.http.get(f"/api/conversations/{conversation['id']}/export/markdown/").raise_for_status()
        ann.http.get("/api/audit/export/", params={"format": "jsonl"}).raise_for_status()
        assert (
            ann.request("POST", "/api/conversations/", {"title": TITLE, "params": QUESTION}).status_code
            == 400
        )
        token = ann.command("POST", "/api/tokens/", {"name": "a program"}, status=201)["token"]
        body = {"model": MODEL_ID, "messages": [{"role": "user", "content": PROGRAM}]}
        program = ann.http.post(
            "/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        assert program.status_code == 200, program.text
        user_id = ann.get("/api/me/")["id"]
    with ApiClient(stack.url) as stranger:
        stranger.http.get("/_allauth/browser/v1/config").raise_for_status()
        login = {"email": EMAIL, "password": WRONG_PASSWORD}
        stranger.http.post("/_allauth/browser/v1/auth/login", json=login, headers=stranger.csrf())
        taken = stranger.http.post("/_allauth/browser/v1/auth/signup", json=login, headers=stranger.csrf())
        assert taken.status_code in (400, 401, 403)
    call_id = program.headers["X-Model-Call-Id"]
    wait_until(lambda: call_id in logs_of(stack)["web.log"], "the line of the last call")

    written = (
        QUESTION,
        ANSWER,
        THOUGHT,
        TITLE,
        SYSTEM,
        SOUGHT,
        EMAIL,
        PROGRAM,
        PASSWORD,
        WRONG_PASSWORD,
        token,
    )
    found = [(name, word) for name, text in logs_of(stack).items() for word in written if word in text]
    assert found == []

    # The command, the worker's work and the program's call are found by their ids.
    [command] = [
        line
        for line in lines_of(stack, "web")
        if line.get("call_id") == sent["call_id"] and line.get("method") == "POST"
    ]
    assert (command["status"], command["user_id"], command["conversation_id"]) == (
        202,
        user_id,
        conversation["id"],
    )
    assert command["path"] == f"/api/conversations/{conversation['id']}/messages/"
    worked = [line for line in lines_of(stack, "model-calls") if line.get("call_id") == sent["call_id"]]
    assert [line["part"] for line in worked] == ["model-calls"] * len(worked) != []
    assert {line["conversation_id"] for line in worked} == {conversation["id"]}
    [asked] = [line for line in lines_of(stack, "web") if line.get("path") == "/v1/chat/completions"]
    assert (asked["call_id"], asked["user_id"], asked["status"]) == (call_id, user_id, 200)
    assert program.headers["X-Request-Id"] == asked["request_id"]


def test_every_line_of_ours_is_one_object(stack: Stack) -> None:
    with ApiClient(stack.url) as ann:
        ann.sign_up()
    for part in ("web", "projections", "model-calls"):
        lines = lines_of(stack, part)
        assert lines != []
        assert {"time", "level", "part", "logger", "message"} <= set.intersection(
            *({*line} for line in lines)
        )
