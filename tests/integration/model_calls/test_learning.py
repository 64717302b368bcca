"""What a worker learns of its runner's models, at its start and from refusals; and that it never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from backend.application.runner_port import RunnerFailure, RunnerModel
from backend.model_calls import learning
from backend.model_calls.worker import ModelCallWorker
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import CONTEXT_TOKENS, MODEL_ID, ScriptedRunner
from tests.integration.model_calls.world import QUICK, RUNNER, HeldRunner, World, eventually

pytestmark = pytest.mark.asyncio

OVERFLOW = {
    "error": {
        "code": 400,
        "type": "exceed_context_size_error",
        "message": "the request exceeds the available context size",
        "n_prompt_tokens": 9000,
        "n_ctx": 4096,
    }
}


class Memory:
    """Keeps what it is told, or fails to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.listed: list[list[RunnerModel]] = []
        self.contexts: list[tuple[str, int]] = []
        self._failing = failing

    def remember_listed(self, runner: str, models: Iterable[RunnerModel]) -> None:
        self.listed.append(list(models))
        self._fail_if_told()

    def remember_context(self, runner: str, model: str, context_tokens: int) -> None:
        self.contexts.append((model, context_tokens))
        self._fail_if_told()

    def _fail_if_told(self) -> None:
        if self._failing:
            raise OSError("the cache is gone")


@asynccontextmanager
async def learning_worker(
    world: World, runner: HttpModelRunner | HeldRunner, models: Memory
) -> AsyncIterator[None]:
    worker = ModelCallWorker(
        database_url=world.database_url,
        store=world.store,
        run_command=world.run,
        runners=[runner],
        conversations=world.conversations,
        models=models,
        timings=QUICK,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)


@asynccontextmanager
async def scripted_runner(*scripts: Script) -> AsyncIterator[HttpModelRunner]:
    async with ScriptedRunner(delay_ms=0) as scripted:
        scripted.play(*scripts)
        client = HttpModelRunner(scripted.url, name=RUNNER)
        yield client
        await client.aclose()


class LateRunner(HeldRunner):
    """Cannot be reached the first times it is asked for its models."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.asked = 0

    async def list_models(self) -> tuple[RunnerModel, ...]:
        self.asked += 1
        if self.asked <= self.refusals:
            raise RunnerFailure("runner_unreachable", "Nobody answers.")
        return (RunnerModel("late-model", 1024),)


async def test_at_its_start_a_worker_tells_which_models_there_are(world: World) -> None:
    models = Memory()
    async with scripted_runner() as runner, learning_worker(world, runner, models):
        await eventually(lambda: models.listed)
    ((model,),) = models.listed
    assert (model.id, model.context_tokens) == (MODEL_ID, CONTEXT_TOKENS)


async def test_a_runner_that_is_still_starting_is_asked_again_until_it_answers_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "PAUSE_S", 0.02)
    models, runner = Memory(), LateRunner(refusals=3)
    async with learning_worker(world, runner, models):
        await eventually(lambda: models.listed)
        await asyncio.sleep(0.2)
    assert runner.asked == 4
    assert models.listed == [[RunnerModel("late-model", 1024)]]


async def test_a_runner_that_never_answers_is_left_alone_after_some_tries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "PAUSE_S", 0.001)
    models, runner = Memory(), LateRunner(refusals=10_000)
    async with learning_worker(world, runner, models):
        await eventually(lambda: runner.asked >= learning.TRIES)
        await asyncio.sleep(0.1)
        assert runner.asked == learning.TRIES
        asked = world.ask()
        stream = await runner.stream()
        stream.fail(RunnerFailure("runner_error", "It broke."))
        assert (await world.reply_of(asked)).outcome == "failed", "calls are worked on all the same"
    assert models.listed == []


async def test_replies_do_not_wait_for_the_list_of_models(world: World) -> None:
    models, runner = Memory(), LateRunner(refusals=10_000)
    async with learning_worker(world, runner, models):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Here.")
        stream.fail(RunnerFailure("stream_cut", "The connection broke."))
        assert (await world.reply_of(asked)).content == "Here."
    assert models.listed == [], "it was still waiting to ask again, and yet the worker ended"


async def test_a_refusal_that_names_the_size_is_remembered_for_the_model_that_was_asked(world: World) -> None:
    models = Memory()
    async with (
        scripted_runner(Script().respond(400, OVERFLOW)) as runner,
        learning_worker(world, runner, models),
    ):
        reply = await world.reply_of(world.ask())
        assert reply.error is not None
        assert reply.error.code == "context_overflow"
        await eventually(lambda: models.contexts)
    assert models.contexts == [("scripted-model", 4096)]


async def test_another_failure_teaches_nothing(world: World) -> None:
    models = Memory()
    async with (
        scripted_runner(Script().respond(404, "model not pulled", "text/plain")) as runner,
        learning_worker(world, runner, models),
    ):
        assert (await world.reply_of(world.ask())).outcome == "failed"
    assert models.contexts == []


async def test_what_cannot_be_kept_is_logged_and_the_reply_is_recorded_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    models = Memory(failing=True)
    async with (
        scripted_runner(Script().respond(400, OVERFLOW)) as runner,
        learning_worker(world, runner, models),
    ):
        await eventually(lambda: models.listed)
        assert (await world.reply_of(world.ask())).outcome == "failed"
        assert (await world.reply_of(world.ask())).outcome == "complete"
    assert models.contexts == [("scripted-model", 4096)]
    kept = [
        record for record in caplog.records if "could not be kept: the cache is gone" in record.getMessage()
    ]
    assert len(kept) == 2
