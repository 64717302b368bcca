"""What is told of the queue and of those who work on it, to whoever watches an installation."""

from __future__ import annotations

import psycopg
import pytest

from backend.model_calls.queue_figures import queue_figures, workers_alive
from tests.integration.model_calls.outside_world import web_process
from tests.integration.model_calls.world import RUNNER, HeldRunner, World, working

pytestmark = pytest.mark.asyncio


def told(world: World) -> tuple[dict[str, tuple[int, int, float]], int]:
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        return queue_figures(connection), workers_alive(connection, 10)


async def test_they_tell_who_waits_how_long_and_who_is_at_work(world: World) -> None:
    assert told(world) == ({}, 0)
    for _ in range(3):
        world.ask()
    world.query("UPDATE model_call_queue SET queued_at = queued_at - interval '1 minute'")
    (waiting, running, oldest_s), workers = told(world)[0][RUNNER], told(world)[1]
    assert (waiting, running, workers) == (3, 0, 0)
    assert 60 <= oldest_s < 120

    runner = HeldRunner()
    async with working(world, runner, runner_limits={RUNNER: 2}):
        for _ in range(2):
            await runner.stream()
        (waiting, running, oldest_s), workers = told(world)[0][RUNNER], told(world)[1]
        assert (waiting, running, workers) == (1, 2, 1)
        assert oldest_s >= 60


async def test_a_web_process_is_no_worker_for_everybody(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        await web.ask()
        await runner.stream()
        figures, workers = told(world)
        assert (figures[RUNNER][:2], workers) == ((0, 1), 0)
        assert world.query("SELECT count(*) AS those FROM model_call_worker WHERE NOT dead") == [{"those": 1}]
