"""An attempt that came to nothing is made again, where that repeats nothing; each has its own start and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from backend.application.runner_port import Finished, RunnerFailure
from backend.model_calls.timings import WorkerTimings
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.integration.model_calls.world import QUICK, RUNNER, Asked, HeldRunner, World, eventually, working

pytestmark = pytest.mark.asyncio

LOADING = Script().respond(
    503, {"error": {"code": 503, "type": "unavailable_error", "message": "Loading model"}}
)
SLOW_RETRIES = WorkerTimings(
    heartbeat_s=0.2, lease_s=1.5, sweep_s=0.1, stop_grace_s=0.3, stop_limit_s=3.0, retry_pace=1000
)


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedRunner]:
    async with ScriptedRunner() as runner:
        yield runner


@pytest_asyncio.fixture
async def client(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    runner = HttpModelRunner(scripted.url, name=RUNNER)
    yield runner
    await runner.aclose()


def attempts(world: World, asked: Asked) -> list[tuple[int, bool, str | None]]:
    """Number, whether it was the last, and the code of its failure."""
    return [
        (end["attempt"], end["final"], end["error"]["code"] if end["error"] else None)
        for _, end in world.ends_of_attempts(asked)
    ]


async def test_a_runner_that_is_loading_is_asked_again_until_it_answers(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    scripted.play(LOADING, LOADING, LOADING, Script().text("Here I am.").complete())
    async with working(world, client):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome, reply.error) == ("Here I am.", "complete", None)
    assert attempts(world, asked) == [
        (1, False, "runner_loading"),
        (2, False, "runner_loading"),
        (3, False, "runner_loading"),
        (4, True, None),
    ]
    assert world.topics(asked).count("ModelCallStarted.v1") == 4
    assert [request.body for request in scripted.completions] == [scripted.completions[0].body] * 4
    assert world.queue() == []


async def test_a_busy_runner_is_asked_five_times_and_then_said_to_be_busy(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    scripted.always(Script().respond(429, {"error": {"message": "too many requests"}}))
    async with working(world, client):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("", "failed")
    assert reply.error is not None
    assert reply.error.code == "runner_busy"
    assert attempts(world, asked) == [(n, n == 5, "runner_busy") for n in range(1, 6)]


@pytest.mark.parametrize(
    "failure",
    [
        Script().respond(500, {"error": {"message": "out of memory"}}),
        Script().respond(400, {"error": {"message": "no"}}),
        Script().cut(),
        Script().text("One").cut(),
        Script().text("One").error(error={"type": "unavailable_error", "message": "Loading model"}),
    ],
    ids=["500", "400", "closed without an answer", "cut after a word", "loading after a word"],
)
async def test_what_may_have_been_begun_is_never_asked_again(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner, failure: Script
) -> None:
    scripted.play(failure)
    async with working(world, client):
        asked = world.ask()
        await world.reply_of(asked)
        await asyncio.sleep(0.3)
    assert [final for _, final, _ in attempts(world, asked)] == [True]
    assert len(scripted.completions) == 1


async def test_a_cancel_between_two_attempts_ends_the_call_at_once(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    scripted.always(LOADING)
    async with working(world, client, timings=SLOW_RETRIES):
        asked = world.ask()
        await eventually(lambda: attempts(world, asked))
        began = time.monotonic()
        world.cancel(asked)
        reply = await world.reply_of(asked)
        assert time.monotonic() - began < 5
    assert (reply.content, reply.outcome) == ("", "cancelled")
    assert attempts(world, asked) == [(1, False, "runner_loading"), (0, True, None)]
    assert len(scripted.completions) == 1
    assert world.queue() == []


async def test_another_worker_makes_the_next_attempt(world: World) -> None:
    first, second = HeldRunner(), HeldRunner()
    async with working(world, first):
        asked = world.ask()
        (await first.stream()).fail(RunnerFailure("runner_loading", "Loading.", safe_to_retry=True))
        await eventually(lambda: attempts(world, asked))
    async with working(world, second):
        stream = await second.stream()
        stream.say("Hello.")
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("Hello.", "complete")
    assert [chunk["attempt"] for chunk in world.chunks(asked)] == [2]


async def test_a_worker_that_stops_hands_over_what_nobody_has_seen_a_word_of(world: World) -> None:
    first, second = HeldRunner(), HeldRunner()
    async with working(world, first, timings=QUICK):
        silent, begun = world.ask("silent"), world.ask("begun")
        streams = [await first.stream(0), await first.stream(1)]
        next(stream for stream in streams if b"begun" in stream.body).say("So far")
        await eventually(lambda: world.chunks(begun))
    assert (await world.reply_of(begun)).outcome == "interrupted"
    assert world.replies(silent) == []
    async with working(world, second):
        stream = await second.stream()
        stream.say("Hello.")
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(silent)
    assert (reply.content, reply.outcome) == ("Hello.", "complete")
    assert attempts(world, silent) == [(1, False, "worker_stopped"), (2, True, None)]
