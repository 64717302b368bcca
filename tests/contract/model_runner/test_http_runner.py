"""What the worker may rely on, whatever a runner does on the socket; and the same on the real llama.cpp."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    StillThere,
    ToolCallFragment,
    Usage,
)
from backend.model_runner.http_client import HttpModelRunner, RunnerTimeouts
from backend.model_runner.script import BadScript, Script, script_of_json
from backend.model_runner.scripted import ScriptedRunner
from tests.support.stack import free_port

BODY = '{"messages":[{"content":"Grüße 👋","role":"user"}],"model":"a-model","stream":true}'.encode()
SHORT = RunnerTimeouts(connect=1.0, first_token=0.4, between_chunks=0.4, listing=0.5)


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedRunner]:
    async with ScriptedRunner(delay_ms=0) as runner:
        yield runner


@pytest_asyncio.fixture
async def client(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    made = HttpModelRunner(scripted.url + "/", api_key="the-key", timeouts=SHORT)
    yield made
    await made.aclose()


async def ask(client: HttpModelRunner, body: bytes = BODY) -> tuple[list[RunnerEvent], RunnerFailure | None]:
    """Everything a call gave, and how it failed if it did."""
    events: list[RunnerEvent] = []
    try:
        async with client.stream_chat(body) as stream:
            async for event in stream:
                events.append(event)
    except RunnerFailure as failure:
        return events, failure
    return events, None


def text_of(events: list[RunnerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


@pytest.mark.asyncio
async def test_the_bytes_go_out_as_they_are_with_the_key_and_without_an_origin(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    await ask(client)
    [request] = scripted.completions
    assert (request.method, request.path, request.body) == ("POST", "/v1/chat/completions", BODY)
    assert request.headers["authorization"] == "Bearer the-key"
    assert request.headers["content-type"] == "application/json"
    assert "origin" not in request.headers
    assert client.url == scripted.url


@pytest.mark.asyncio
async def test_a_good_stream_gives_identity_text_reason_and_usage(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(
        Script().reasoning("Hm").text("Hel").text("lo").tool_call(0, call_id="c", name="f").complete()
    )
    events, failure = await ask(client)
    assert failure is None
    assert [event for event in events if not isinstance(event, ResponseIdentity | Usage)] == [
        Delta("", "Hm"),
        Delta("Hel"),
        Delta("lo"),
        ToolCallFragment(0, "c", "f"),
        Finished("stop"),
    ]
    assert [event for event in events if isinstance(event, ResponseIdentity)] == [
        ResponseIdentity("chatcmpl-scripted", "a-model", "scripted-1")
    ], "told once, though every chunk repeats it"
    assert isinstance(events[-1], Usage)
    assert (events[-1].prompt_tokens, events[-1].completion_tokens) == (11, 7)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("script", "code", "text", "retry"),
    [
        (Script().text("a").cut(), "stream_cut", "a", False),
        (Script().text("a").hold(), "stream_silent", "a", False),
        (Script().hold(), "first_token_timeout", "", False),
        (Script().never(), "first_token_timeout", "", False),
        (Script().cut(), "runner_error", "", False),
        (Script().text("a").error(message="x"), "runner_error", "a", False),
        (Script().text("a").raw(b"data: {\n\n"), "bad_response", "a", False),
        (
            Script().respond(503, {"error": {"type": "unavailable_error", "message": "Loading model"}}),
            "runner_loading",
            "",
            True,
        ),
        (Script().respond(404, "not pulled", "text/plain"), "model_not_found", "", False),
    ],
)
async def test_each_failure_has_its_code_and_gives_what_came_before(
    script: Script, code: str, text: str, retry: bool, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(script)
    events, failure = await ask(client)
    assert failure is not None
    assert (failure.code, text_of(events), failure.safe_to_retry) == (code, text, retry)


@pytest.mark.asyncio
@pytest.mark.parametrize("script", [Script().text("a").end(), Script().text("a").done(), Script().end()])
async def test_an_end_without_a_reason_just_ends(
    script: Script, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(script)
    events, failure = await ask(client)
    assert failure is None
    assert not any(isinstance(event, Finished) for event in events)


@pytest.mark.asyncio
async def test_a_missing_done_changes_nothing(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("a").finish("stop").end())
    events, failure = await ask(client)
    assert failure is None
    assert Finished("stop") in events


@pytest.mark.asyncio
async def test_pings_keep_a_running_stream_alive_but_not_a_silent_beginning(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    running = Script().text("a")
    for _ in range(6):
        running.sleep(150).ping()
    scripted.play(running.text("b").complete())
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "ab"
    assert events.count(StillThere()) == 6

    beginning = Script()
    for _ in range(8):
        beginning.ping().sleep(100)
    scripted.play(beginning.text("too late"))
    events, failure = await ask(client)
    assert failure is not None
    assert failure.code == "first_token_timeout"
    assert text_of(events) == ""


@pytest.mark.asyncio
async def test_a_character_split_over_two_reads_stays_whole(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    data = b'data: {"choices":[{"delta":{"content":"\xf0\x9f\x91\x8b"}}]}\r\n\r\n'
    scripted.play(Script().raw(data[:40]).sleep(20).raw(data[40:]).finish("stop").done())
    events, _ = await ask(client)
    assert text_of(events) == "👋"


@pytest.mark.asyncio
async def test_an_answer_that_is_not_streamed_is_understood(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "All at once"}, "finish_reason": "stop"}]
    }
    scripted.play(Script().respond(200, whole))
    events, failure = await ask(client)
    assert failure is None
    assert (text_of(events), events[-1]) == ("All at once", Finished("stop"))


@pytest.mark.asyncio
async def test_leaving_the_stream_closes_the_connection(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(Script().text("a").hold().text("never"))
    async with client.stream_chat(BODY) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                break
    async with asyncio.timeout(5):
        while not scripted.completions[0].closed_early:  # noqa: ASYNC110  the server's side is only seen by looking
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_nobody_there_is_told_with_the_place_and_can_be_retried() -> None:
    runner = HttpModelRunner(f"http://127.0.0.1:{free_port()}/v1", timeouts=SHORT)
    for failure in ((await ask(runner))[1], await _listing_failure(runner)):
        assert failure is not None
        assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
        assert "127.0.0.1:" in failure.message
    assert await runner.version() is None
    unknown = HttpModelRunner("http://no-such-host.invalid/v1", timeouts=SHORT)
    _, failure = await ask(unknown)
    assert failure is not None
    assert failure.code == "runner_unreachable"
    await runner.aclose()
    await unknown.aclose()


async def _listing_failure(runner: HttpModelRunner) -> RunnerFailure | None:
    try:
        await runner.list_models()
    except RunnerFailure as failure:
        return failure
    return None


@pytest.mark.asyncio
async def test_two_hundred_streams_run_at_once(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.always(Script().text("a").hold().text("b").complete())
    asked = [asyncio.create_task(ask(client)) for _ in range(200)]
    async with asyncio.timeout(20):
        while len(scripted.completions) < 200:  # noqa: ASYNC110  the server's side is only seen by looking
            await asyncio.sleep(0.01)
        release = asyncio.create_task(_release_on_and_on(scripted))
        answers = await asyncio.gather(*asked)
    release.cancel()
    # Under this test's short limits some may fall silent first; none may be lost or mixed up.
    assert {text_of(events) for events, _ in answers} <= {"a", "ab"}
    assert len(answers) == 200


async def _release_on_and_on(scripted: ScriptedRunner) -> None:
    while True:
        scripted.release()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("script", [{}, {"steps": 5}, {"steps": [{"do": "dance"}]}, {"steps": ["text"]}])
def test_a_script_that_cannot_be_played_is_refused(script: object) -> None:
    with pytest.raises(BadScript):
        script_of_json(script)


# ---- the real thing ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_url() -> Iterator[str]:
    assert importlib.util.find_spec("xllamacpp") is not None, "the built-in runner's package is not installed"
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.model_runner.builtin", "--port", str(port), "--host", "127.0.0.1"],
        cwd=Path(__file__).resolve().parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline(), "the built-in runner ended before it was ready"
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(10)


@pytest.mark.real_model
@pytest.mark.asyncio
async def test_the_built_in_runner_streams_lists_and_tells_its_context(real_url: str) -> None:
    runner = HttpModelRunner(real_url)
    [model] = await runner.list_models()
    assert model.demonstration
    assert model.context_tokens == 8192
    body = {
        "model": model.id,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
        "max_tokens": 12,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    events, failure = await ask(runner, json.dumps(body).encode())
    assert failure is None
    assert text_of(events).strip()
    assert any(isinstance(event, Finished) for event in events)
    assert any(isinstance(event, Usage) and event.completion_tokens for event in events)
    await runner.aclose()


@pytest.mark.real_model
@pytest.mark.asyncio
async def test_the_built_in_runners_overflow_is_told_in_numbers(real_url: str) -> None:
    runner = HttpModelRunner(real_url)
    messages = [{"role": "user", "content": "word " * 9000}]
    events, failure = await ask(
        runner, json.dumps({"model": "m", "messages": messages, "stream": True}).encode()
    )
    assert failure is not None
    assert failure.code == "context_overflow"
    assert failure.details["n_ctx"] == 8192
    assert events == []
    await runner.aclose()
