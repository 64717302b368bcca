"""The worker and the HTTP client together, against a runner on a real socket that behaves as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.patience import RunnerTimeouts
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.integration.model_calls.world import RUNNER, Ears, World, eventually, working

pytestmark = pytest.mark.asyncio

TIMEOUTS = RunnerTimeouts(connect=2.0, first_token=2.0, between_chunks=0.5)


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedRunner]:
    async with ScriptedRunner() as runner:
        yield runner


@pytest_asyncio.fixture
async def client(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    runner = HttpModelRunner(scripted.url, name=RUNNER, timeouts=TIMEOUTS)
    yield runner
    await runner.aclose()


async def test_a_whole_reply_over_http(
    world: World, ears: Ears, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    scripted.play(Script().reasoning("Hm.").words("Every word is kept.", delay_ms=5).complete())
    async with working(world, client):
        asked = world.ask("Is it kept?")
        reply = await world.reply_of(asked)
    assert (reply.content, reply.reasoning, reply.outcome) == ("Every word is kept.", "Hm.", "complete")
    await eventually(lambda: ears.text(asked) == reply.content)
    (sent,) = scripted.completions
    assert len(sent.body) == world.call(asked).body_length
    assert sent.json["messages"][-1]["content"] == "Is it kept?"
    end = world.ends(asked)[0][1]
    assert (end["usage"], end["usage_source"]) == ({"prompt_tokens": 11, "completion_tokens": 7}, "runner")
    assert (end["response_id"], end["response_model"]) == ("chatcmpl-scripted", "scripted-model")


OVERFLOW = {
    "error": {
        "code": 400,
        "type": "exceed_context_size_error",
        "message": "the request exceeds the available context size",
        "n_prompt_tokens": 9000,
        "n_ctx": 8192,
    }
}


@pytest.mark.parametrize(
    ("script", "content", "outcome", "code", "http_status"),
    [
        (Script().respond(400, OVERFLOW), "", "failed", "context_overflow", 400),
        (Script().respond(404, "model not pulled", "text/plain"), "", "failed", "model_not_found", 404),
        (Script().respond(500, b"", "text/plain"), "", "failed", "runner_error", 500),
        (Script().never(), "", "failed", "first_token_timeout", None),
        (Script().text("So ").text("far").cut(), "So far", "interrupted", "stream_cut", None),
        (Script().text("So far").sleep(5_000), "So far", "interrupted", "stream_silent", None),
        (Script().text("So far").end(), "So far", "interrupted", "no_finish_reason", None),
        (Script().text("So far").error(message="out of memory"), "So far", "failed", "runner_error", None),
        (Script().text("So far").complete("length"), "So far", "truncated", "length", None),
        (Script().ping().end(), "", "failed", "empty_response", None),
    ],
)
async def test_each_way_to_fail_has_its_outcome_and_its_words(
    world: World,
    scripted: ScriptedRunner,
    client: HttpModelRunner,
    script: Script,
    content: str,
    outcome: str,
    code: str,
    http_status: int | None,
) -> None:
    scripted.play(script)
    async with working(world, client):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == (content, outcome)
    assert reply.error is not None
    assert reply.error.code == code
    assert len(reply.error.message) > 30
    assert ("The text up to there is kept." in reply.error.message) == bool(content)
    end: dict[str, Any] = world.ends(asked)[0][1]
    if outcome != "truncated":
        assert (end["error"]["code"], end["error"]["http_status"]) == (code, http_status)
    assert end["attempt"] == 1
    assert len(scripted.completions) == 1
    assert world.queue() == []


async def test_a_runner_that_is_not_there_is_said_to_be_so(world: World) -> None:
    async with ScriptedRunner() as gone:
        url = gone.url
    client = HttpModelRunner(url, name=RUNNER, timeouts=TIMEOUTS)
    async with working(world, client):
        asked = world.ask()
        reply = await world.reply_of(asked)
    await client.aclose()
    assert reply.outcome == "failed"
    assert reply.error is not None
    assert reply.error.code == "runner_unreachable"
    assert "Start it, then retry" in reply.error.message
    attempts = [(end["attempt"], end["final"]) for _, end in world.ends_of_attempts(asked)]
    assert attempts == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize(
    ("script", "content"),
    [
        (Script().never(), ""),
        (Script().headers().hold(), ""),
        (
            Script().data({"choices": [], "prompt_progress": {"total": 900, "processed": 256}}).ping().hold(),
            "",
        ),
        (Script().text("So far").hold(), "So far"),
    ],
    ids=["no answer yet", "headers only", "reading the prompt", "in mid-stream"],
)
async def test_a_cancel_closes_the_connection_whatever_the_runner_is_doing(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner, script: Script, content: str
) -> None:
    scripted.play(script)
    async with working(world, client):
        asked = world.ask()
        await eventually(lambda: scripted.completions)
        await asyncio.sleep(0.2)
        world.cancel(asked)
        reply = await world.reply_of(asked)
        await eventually(lambda: scripted.completions[0].closed_early, 2)
    assert (reply.content, reply.outcome, reply.error) == (content, "cancelled", None)
    assert len(scripted.completions) == 1


async def test_how_far_the_prompt_is_read_is_told(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner, ears: Ears
) -> None:
    progress = Script()
    for processed in (256, 512, 900):
        progress.data({"choices": [], "prompt_progress": {"total": 900, "processed": processed}}).sleep(50)
    scripted.play(progress.text("Read.").complete())
    async with working(world, client):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert reply.content == "Read."
    told = [frame["p"] for frame in ears.frames if frame.get("state") == "prefill"]
    assert told[-1] == [900, 900]
    assert told == sorted(told)


async def test_a_cancel_in_mid_stream_closes_the_connection(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    scripted.play(Script().text("So far").hold().text("never said").complete())
    async with working(world, client):
        asked = world.ask()
        await eventually(lambda: world.chunks(asked))
        world.cancel(asked)
        reply = await world.reply_of(asked)
        await eventually(lambda: scripted.completions[0].closed_early, 2)
    assert (reply.content, reply.outcome) == ("So far", "cancelled")
