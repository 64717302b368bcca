"""What holds for every model runner, asked through the HTTP client: the scripted one and the real llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from backend.application.runner_port import Delta, Finished, ModelRunner, ResponseIdentity, StillThere, Usage
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import BUILTIN_MODEL, PATIENT, ask, body_asking, text_of

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(params=["scripted", pytest.param("real", marks=pytest.mark.real_model)])
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[HttpModelRunner]:
    if request.param == "real":
        client = HttpModelRunner(request.getfixturevalue("real_url"), name="built-in", timeouts=PATIENT)
        yield client
        await client.aclose()
        return
    async with ScriptedRunner() as scripted:
        client = HttpModelRunner(scripted.url, name="scripted", timeouts=PATIENT)
        yield client
        await client.aclose()


async def test_a_reply_streams_in_pieces_and_ends_with_a_reason_and_usage(runner: ModelRunner) -> None:
    events, failure = await ask(runner, body_asking("Say hello."))
    assert failure is None
    assert events[0] == StillThere(), "the headers are the first sign of life"
    assert len([event for event in events if isinstance(event, Delta)]) > 1
    assert text_of(events).strip()
    [finished] = [event for event in events if isinstance(event, Finished)]
    assert finished.reason in ("stop", "length")
    assert isinstance(events[-1], Usage)
    assert events[-1].prompt_tokens
    assert events[-1].completion_tokens


async def test_who_answers_is_told_before_the_text_and_once(runner: ModelRunner) -> None:
    events, _ = await ask(runner, body_asking("Say hello."))
    identities = [event for event in events if isinstance(event, ResponseIdentity)]
    assert len(identities) == 1
    assert identities[0].response_id
    assert identities[0].response_model == BUILTIN_MODEL
    first_text = next(place for place, event in enumerate(events) if isinstance(event, Delta))
    assert events.index(identities[0]) < first_text


async def test_the_only_model_is_listed_with_what_one_request_may_hold(runner: ModelRunner) -> None:
    [model] = await runner.list_models()
    assert model.context_tokens == 8192
    assert model.demonstration == (runner.name == "built-in")


async def test_the_version_is_a_text_or_unknown(runner: ModelRunner) -> None:
    version = await runner.version()
    assert (version is not None) == (runner.name == "built-in")


async def test_after_leaving_in_mid_stream_the_next_call_is_answered(runner: ModelRunner) -> None:
    for _ in range(4):  # more often than the real one has slots
        async with runner.stream_chat(body_asking("Tell me a very long story.", max_tokens=2000)) as stream:
            async for event in stream:
                if isinstance(event, Delta):
                    break
    async with asyncio.timeout(30):
        events, failure = await ask(runner, body_asking("Say hello."))
    assert failure is None
    assert text_of(events)


async def test_two_replies_at_once_do_not_mix(runner: ModelRunner) -> None:
    answers = await asyncio.gather(*(ask(runner, body_asking("Say hello.")) for _ in range(2)))
    assert [failure for _, failure in answers] == [None, None]
    assert all(isinstance(events[-1], Usage) for events, _ in answers)
    assert len(
        {event for events, _ in answers for event in events if isinstance(event, ResponseIdentity)}
    ) in (1, 2)


@pytest.mark.real_model
async def test_the_built_in_runners_overflow_is_told_in_numbers(real_url: str) -> None:
    runner = HttpModelRunner(real_url)
    events, failure = await ask(runner, body_asking("word " * 9000))
    assert events == []
    assert failure is not None
    assert (failure.code, failure.http_status) == ("context_overflow", 400)
    assert failure.details["n_ctx"] == 8192
    assert failure.details["n_prompt_tokens"] > 9000
    assert "too many" in failure.message
    await runner.aclose()


@pytest.mark.real_model
async def test_the_built_in_runner_refuses_what_is_no_request(real_url: str) -> None:
    runner = HttpModelRunner(real_url)
    for body in (b"{", b'{"messages": 5, "model": "%s"}' % BUILTIN_MODEL.encode()):
        events, failure = await ask(runner, body)
        assert events == []
        assert failure is not None
        assert failure.code in ("runner_refused", "runner_error")
        assert "It said: " in failure.message
    await runner.aclose()


@pytest.mark.real_model
async def test_the_built_in_runner_says_which_models_it_has_when_asked_for_another(real_url: str) -> None:
    runner = HttpModelRunner(real_url)
    for body in (body_asking("Say hello.", model="another"), b'{"messages": []}'):
        events, failure = await ask(runner, body)
        assert events == []
        assert failure is not None
        assert (failure.code, failure.http_status) == ("model_not_found", 404)
        assert f"It has: {BUILTIN_MODEL}." in failure.message
    await runner.aclose()
