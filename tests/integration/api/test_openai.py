"""One web process with its endpoint for programs, on the real database and a scripted runner."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.integration.api.live_support import WebServer, web_server
from tests.integration.api.support import Person, token_of
from tests.support.openai_program import next_text
from tests.support.stack import wait_until

if TYPE_CHECKING:
    from backend.accounts.models import User

HELLO: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as runner:
        yield runner


@pytest.fixture
def server(
    fresh_database: str, runner: ScriptedRunner, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WebServer]:
    monkeypatch.setenv("MODEL_RUNNER_URL", runner.url)
    with web_server(fresh_database) as server:
        yield server


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user("owner@example.org")


@pytest.fixture
def client(server: WebServer, owner: User) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key=token_of(owner), max_retries=0, timeout=20)


def test_calls_of_one_process(client: OpenAI, server: WebServer, owner: User, runner: ScriptedRunner) -> None:
    assert [model.id for model in client.models.list()] == [MODEL_ID]

    runner.play(Script().text("Hello ").text("there").complete())
    whole = client.chat.completions.with_raw_response.create(model=MODEL_ID, messages=HELLO)
    message = whole.parse().choices[0].message
    assert message.content == "Hello there"

    runner.play(Script().words("one two three").complete())
    history: Any = [*HELLO, message.model_dump(), *HELLO]
    with client.chat.completions.with_streaming_response.create(
        model=MODEL_ID, messages=history, stream=True
    ) as streamed:
        chunks: list[ChatCompletionChunk] = list(streamed.parse())
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(texts) == "one two three"
        assert streamed.headers["X-Conversation-Id"] == whole.headers["X-Conversation-Id"]

    body = b' {"messages":[{"content":"H\\u00ef","role":"user"}],  "x":1.0, "model":"scripted-model"}'
    headers = {"Authorization": f"Bearer {client.api_key}"}
    answer = httpx.post(f"{server.url}/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert runner.completions[-1].body == body

    for bad, status in ((b"{", 400), (b"x" * (8 * 1024 * 1024 + 1), 413)):
        refused = httpx.post(f"{server.url}/v1/chat/completions", content=bad, headers=headers, timeout=20)
        assert refused.status_code == status
        assert refused.json()["error"]["type"] == "invalid_request_error"
    wrong = httpx.post(
        f"{server.url}/v1/chat/completions", content=body, headers={"Authorization": "Bearer x"}
    )
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")


def test_calls_end_soon_after_their_token_is_revoked_or_its_owner_deactivated(
    server: WebServer, make_user: Callable[..., User], runner: ScriptedRunner, fresh_database: str
) -> None:
    runner.always(Script().text("first").hold().complete())
    revoked, deactivated = make_user("revoked@example.org"), make_user("deactivated@example.org")

    def ask(user: User, stream: bool) -> Future[httpx.Response]:
        return threads.submit(
            httpx.post,
            f"{server.url}/v1/chat/completions",
            json={"model": MODEL_ID, "messages": HELLO, "stream": stream},
            headers={"Authorization": f"Bearer {token_of(user)}"},
            timeout=30,
        )

    def codes_of_ended() -> list[str]:
        rows = database.execute("SELECT state FROM events WHERE topic = 'ModelCallCancelled.v1'").fetchall()
        return [json.loads(bytes(state))["error"]["code"] for (state,) in rows]

    with (
        ThreadPoolExecutor(4) as threads,
        psycopg.connect(fresh_database, autocommit=True) as database,
    ):
        answers = [(stream, ask(user, stream)) for user in (revoked, deactivated) for stream in (True, False)]
        wait_until(lambda: len(runner.completions) == 4, "four calls at the runner")
        database.execute("DELETE FROM accounts_apitoken WHERE user_id = %s", (revoked.pk,))
        database.execute("UPDATE accounts_user SET is_active = false WHERE id = %s", (deactivated.pk,))
        told = [(stream, answer.result(30)) for stream, answer in answers]
        assert codes_of_ended() == ["access_ended"] * 4
    for stream, answer in told:
        assert answer.status_code == (200 if stream else 401)
        assert ("first" in answer.text) == stream
        assert '"code": "invalid_api_key"' in answer.text


def test_a_stopped_process_ends_what_it_passes_on(
    client: OpenAI, server: WebServer, runner: ScriptedRunner
) -> None:
    runner.play(Script().text("first").hold().complete())
    stream = client.chat.completions.create(model=MODEL_ID, messages=HELLO, stream=True)
    assert next_text(stream) == "first"
    assert server.stop() < 5
    with pytest.raises(Exception, match="stopped"):
        list(stream)


def test_tokens_are_made_shown_once_and_revoked(ann: Person, bob: Person) -> None:
    made = ann.command("POST", "/api/tokens/", {"name": " Editor "}, status=201)
    assert made["token"].startswith(made["id"])
    (listed,) = ann.get("/api/tokens/")["results"]
    assert (listed["name"], listed["last_used"]) == ("Editor", None)
    assert made["token"] not in json.dumps(listed)
    assert bob.get("/api/tokens/")["results"] == []
    assert bob.ask("DELETE", f"/api/tokens/{made['id']}/").status_code == 404
    assert ann.ask("DELETE", f"/api/tokens/{made['id']}/").status_code == 204
    assert ann.get("/api/tokens/")["results"] == []
    for name in ("", "   ", "x" * 151, "é" * 500, "half \ud83e", 7, None):
        refused = ann.ask("POST", "/api/tokens/", {"name": name})
        assert refused.status_code == 400
        assert "several messages" not in refused.json()["errors"]["name"][0]
    for name in ("é" * 150, "🧪" * 150):
        assert ann.command("POST", "/api/tokens/", {"name": name}, status=201)["name"] == name
