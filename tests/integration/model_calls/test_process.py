"""The worker as the process that people run: killed in the middle, and told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.integration.model_calls.world import RUNNER, Ears, HeldRunner, World, eventually, working

pytestmark = pytest.mark.asyncio

MANAGE = Path(__file__).resolve().parents[3] / "backend" / "manage.py"


@contextmanager
def worker_process(world: World, runner_url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), "run_model_calls"],
        env={
            **os.environ,
            "DATABASE_URL": world.database_url,
            "MODEL_RUNNER_URL": runner_url,
            "MODEL_RUNNER_NAME": RUNNER,
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


async def test_what_was_shown_before_a_kill_is_in_the_recorded_reply(world: World, ears: Ears) -> None:
    async with ScriptedRunner() as scripted:
        scripted.play(*[Script().words("word " * 2_000, delay_ms=2).complete()] * 3)
        with worker_process(world, scripted.url) as process:
            asked = [world.ask(f"question {number}") for number in range(3)]
            for one in asked:
                await eventually(lambda one=one: len(ears.text(one)) > 100, 30)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 10)
        await asyncio.sleep(0.5)
        shown = {one.call_id: ears.text(one) for one in asked}
        async with working(world, HeldRunner()):
            for one in asked:
                reply = await world.reply_of(one)
                assert reply.outcome == "interrupted"
                assert reply.error is not None
                assert reply.error.code == "worker_lost"
                assert reply.content.startswith(shown[one.call_id])
                assert shown[one.call_id]
                end = world.ends(one)[0][1]
                assert end["delivered_characters"] == len(reply.content)
                assert end["duration_ms"] >= end["first_token_ms"] > 0
    assert world.queue() == []


async def test_a_worker_told_to_stop_keeps_the_text_and_exits_with_0(world: World) -> None:
    async with ScriptedRunner() as scripted:
        scripted.play(Script().text("So far").hold())
        with worker_process(world, scripted.url) as process:
            asked = world.ask()
            await eventually(lambda: world.chunks(asked), 30)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("So far", "interrupted")
    assert reply.error is not None
    assert reply.error.code == "worker_stopped"
    assert world.live_workers() == []
