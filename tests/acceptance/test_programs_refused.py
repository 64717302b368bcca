"""Everything that can be wrong with a program's request: OpenAI's shape, the right status, and a record where a call began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.openai_program import call_of, client_of, curl, latest_call, next_text, token_for
from tests.support.stack import Stack

MODEL = "scripted-model"
HELLO: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def token(person: ApiClient) -> str:
    return token_for(person)


@pytest.fixture
def client(stack: Stack, token: str) -> OpenAI:
    return client_of(stack, token)


def refusal_of(response: httpx.Response, status: int) -> Json:
    assert response.status_code == status, response.text
    error: Json = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return error


def post(person: ApiClient, token: str, content: bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        str(person.http.base_url.join("/v1/chat/completions")),
        content=content,
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=30,
    )


def calls_of(person: ApiClient) -> list[Json]:
    found: list[Json] = person.get("/api/model-calls/")["results"]
    return found


def test_an_unknown_model(client: OpenAI, person: ApiClient, runner: ScriptedRunner) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert MODEL in str(caught.value)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    assert runner.completions == []
    assert calls_of(person) == []


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b"", None),
        (b"not JSON", None),
        (b"[]", None),
        (b'{"model":"scripted-model"}', "messages"),
        (b'{"model":"scripted-model","messages":[]}', "messages"),
        (b'{"messages":[{"role":"user","content":"Hi"}]}', "model"),
        (b'{"model":"scripted-model","messages":[{"role":"user","content":"Hi"}],"n":2}', "n"),
        (b'{"model":"scripted-model","messages":[{"role":"user","content":"\xff"}]}', None),
        (b'{"model":"scripted-model","messages":[{"role":"user","content":"\\u0000"}]}', "messages[0]"),
    ],
)
def test_a_malformed_body(
    person: ApiClient, token: str, runner: ScriptedRunner, content: bytes, param: str | None
) -> None:
    error = refusal_of(post(person, token, content), 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert runner.completions == []


@pytest.mark.parametrize("content", [b"", b"[]", b"x" * (8 * 1024 * 1024 + 1)])
def test_who_may_not_ask_is_told_only_that_whatever_is_wrong_with_the_body(
    person: ApiClient, token: str, content: bytes
) -> None:
    person.request(
        "DELETE", f"/api/tokens/{person.get('/api/tokens/')['results'][0]['id']}/"
    ).raise_for_status()
    error = refusal_of(post(person, token, content), 401)
    assert error["code"] == "invalid_api_key"


def test_a_body_that_is_too_large_says_the_limit(
    person: ApiClient, stack: Stack, token: str, runner: ScriptedRunner, tmp_path: Path
) -> None:
    large = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x" * (8 * 1024 * 1024)}]})
    error = refusal_of(post(person, token, large.encode()), 413)
    assert "8,388,608 bytes (8 MB)" in error["message"]
    body = tmp_path / "large.json"
    body.write_text(large)
    status, answer = curl(
        f"{stack.url}/v1/chat/completions",
        "-H",
        f"Authorization: Bearer {token}",
        "-H",
        "Transfer-Encoding: chunked",
        body=body,
    )
    assert (status, json.loads(answer)["error"]["code"]) == (413, "request_too_large")
    assert runner.completions == []


def test_a_body_of_several_megabytes_is_carried_out(
    person: ApiClient, token: str, runner: ScriptedRunner
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x" * (7 * 1024 * 1024)}]}
    answer = post(person, token, json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    assert len(runner.completions[-1].body) > 7 * 1024 * 1024
    assert call_of(person, answer.headers["X-Model-Call-Id"])["outcome"] == "complete"


def test_tokens_that_are_missing_wrong_or_revoked(
    person: ApiClient, stack: Stack, token: str, runner: ScriptedRunner
) -> None:
    body = json.dumps({"model": MODEL, "messages": HELLO}).encode()
    for header in (
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer \xe9",
        f"Basic {token}",
        f"Bearer {token} x",
    ):
        raw = httpx.post(
            f"{stack.url}/v1/chat/completions",
            content=body,
            headers=[(b"Authorization", header.encode("latin-1"))],
        )
        assert refusal_of(raw, 401)["code"] == "invalid_api_key"
    session_only = person.http.post("/v1/chat/completions", content=body, headers=person.csrf())
    assert refusal_of(session_only, 401)["type"] == "authentication_error"
    (listed,) = person.get("/api/tokens/")["results"]
    assert "token" not in listed
    assert listed["id"] == token[: len(listed["id"])]
    assert post(person, token, body).status_code == 200
    assert person.get("/api/tokens/")["results"][0]["last_used"] is not None
    person.request("DELETE", f"/api/tokens/{listed['id']}/")
    with pytest.raises(openai.AuthenticationError):
        client_of(stack, token).chat.completions.create(model=MODEL, messages=HELLO)
    assert len(runner.completions) == 1


def test_somebody_elses_token_reads_and_joins_nothing_of_mine(
    person: ApiClient, stack: Stack, client: OpenAI, runner: ScriptedRunner
) -> None:
    mine = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    history: Any = [*HELLO, mine.parse().choices[0].message.model_dump(), *HELLO]
    with ApiClient(stack.url) as other:
        other.sign_up()
        theirs = client_of(stack, token_for(other)).chat.completions.with_raw_response.create(
            model=MODEL, messages=history
        )
        assert theirs.headers["X-Conversation-Id"] != mine.headers["X-Conversation-Id"]
        assert other.http.get(f"/api/model-calls/{mine.headers['X-Model-Call-Id']}/").status_code == 404
        (listed,) = person.get("/api/tokens/")["results"]
        assert other.request("DELETE", f"/api/tokens/{listed['id']}/").status_code == 404


OVERFLOW = {
    "error": {
        "code": 400,
        "message": "too long",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9,
        "n_ctx": 4,
    }
}


@pytest.mark.parametrize(
    ("script", "status", "code", "outcome"),
    [
        (Script().respond(400, OVERFLOW), 400, "context_length_exceeded", "failed"),
        (Script().respond(400, {"error": {"message": "bad tool"}}), 400, "runner_refused", "failed"),
        (Script().respond(429, {"error": {"message": "slow down"}}), 429, "rate_limit_exceeded", "failed"),
        (Script().respond(500, b""), 502, "runner_error", "failed"),
        (Script().respond(503, {"error": {"type": "unavailable_error"}}), 503, "runner_loading", "failed"),
        (Script().respond(404, {"error": {"message": "no such model"}}), 404, "model_not_found", "failed"),
        (Script().cut(), 502, "runner_error", "failed"),
        (Script().headers().cut(), 502, "stream_cut", "failed"),
        (Script().respond(200, b"<html>", "text/html"), 502, "bad_response", "failed"),
        (Script().error(message="out of memory"), 502, "runner_error", "failed"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_the_runner_fails_at_is_told_and_recorded(
    person: ApiClient,
    token: str,
    runner: ScriptedRunner,
    script: Script,
    status: int,
    code: str,
    outcome: str,
    stream: bool,
) -> None:
    runner.play(script)
    body = json.dumps({"model": MODEL, "messages": HELLO, "stream": stream}).encode()
    answer = post(person, token, body)
    assert refusal_of(answer, status)["code"] == code
    call = call_of(person, answer.headers["X-Model-Call-Id"])
    assert call["outcome"] == outcome
    assert len(call["attempts"]) == 1, "the program decides whether it asks again"
    assert len(runner.completions) == 1


@pytest.mark.parametrize(
    ("script", "code", "outcome"),
    [
        (Script().text("Half").cut(), "stream_cut", "interrupted"),
        (Script().text("Half").error(message="out of memory"), "runner_error", "failed"),
        (Script().text("Half").end(), "no_finish_reason", "interrupted"),
    ],
)
def test_a_stream_that_breaks_off_ends_with_an_error_and_keeps_its_text(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner, script: Script, code: str, outcome: str
) -> None:
    runner.play(script)
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next_text(stream) == "Half"
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == code
    call = latest_call(person)
    assert (call["outcome"], call["delivered_characters"]) == (outcome, 4)
    assert person.transcript(call["conversation_id"])[-1]["content"] == "Half"


def test_a_runner_that_is_not_there(client: OpenAI, person: ApiClient, runner: ScriptedRunner) -> None:
    client.models.list()
    runner.refuse_for(2)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (503, "runner_unreachable")
    assert latest_call(person)["outcome"] == "failed"


def test_other_addresses_and_methods(person: ApiClient, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert (
        refusal_of(person.http.post("/v1/embeddings", json={}, headers=headers), 404)["code"] == "unknown_url"
    )
    assert (
        refusal_of(person.http.get("/v1/chat/completions", headers=headers), 405)["code"]
        == "method_not_allowed"
    )
    assert refusal_of(person.http.get("/v1/models"), 401)["code"] == "invalid_api_key"
