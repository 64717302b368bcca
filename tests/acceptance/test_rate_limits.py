"""More than is allowed, asked of the running product: refused in the shape each kind of caller knows, and nobody else is concerned."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.openai_program import token_for
from tests.support.stack import Stack, running_stack

CONVERSATIONS = "/api/conversations/"


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def three_an_hour(runner: ScriptedRunner) -> Iterator[Stack]:
    settings = {"MODEL_RUNNER_URL": runner.url, "MODEL_RUNNER_MODEL": MODEL_ID}
    with running_stack(**settings, COMMAND_RATE="3/h") as stack:
        yield stack


@pytest.fixture
def ann(three_an_hour: Stack) -> Iterator[ApiClient]:
    with ApiClient(three_an_hour.url) as client:
        client.sign_up()
        yield client


def test_browser_and_programs_of_one_person_have_one_allowance(
    three_an_hour: Stack, ann: ApiClient, runner: ScriptedRunner
) -> None:
    token = token_for(ann)
    program = {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        assert httpx.post(f"{three_an_hour.url}{CONVERSATIONS}", json={}, headers=program).status_code == 201

    refused = ann.request("POST", CONVERSATIONS, {})
    assert (refused.status_code, refused.headers["Content-Type"]) == (429, "application/problem+json")
    assert refused.json()["code"] == "too_many_requests"
    assert 1100 < int(refused.headers["Retry-After"]) <= 1200

    body = {"model": MODEL_ID, "messages": [{"role": "user", "content": "Hi"}]}
    call = httpx.post(f"{three_an_hour.url}/v1/chat/completions", json=body, headers=program)
    error = call.json()["error"]
    assert (call.status_code, error["type"], error["code"]) == (
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
    )
    assert 1100 < int(call.headers["Retry-After"]) <= 1200
    assert runner.completions == []

    # Reading goes on, and so does whoever else is there.
    assert len(ann.get(CONVERSATIONS, after=ann.get("/api/tokens/")["position"])["results"]) == 2
    with ApiClient(three_an_hour.url) as bob:
        bob.sign_up()
        bob.start_conversation()


def test_whoever_is_over_it_can_still_log_out(ann: ApiClient) -> None:
    answers = [ann.request("POST", CONVERSATIONS, {}).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 429]
    ann.request("DELETE", "/_allauth/browser/v1/auth/session")
    assert ann.http.get("/api/me/").status_code == 401
