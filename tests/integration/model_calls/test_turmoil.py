"""Many replies while workers are declared dead, people cancel and connections break: what always holds."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from backend.application.runner_port import Delta, Finished, RunnerEvent
from tests.integration.model_calls.test_database_away import Door
from tests.integration.model_calls.world import Asked, Ears, HeldRunner, HeldStream, World, working

pytestmark = pytest.mark.asyncio

WHOLE = "".join(f"{number} " for number in range(120))

_KILL_ONE = """
UPDATE model_call_worker SET dead = true WHERE worker_id IN (
    SELECT worker_id FROM model_call_worker WHERE NOT dead ORDER BY random() LIMIT 1
)
"""


class SteadyRunner(HeldRunner):
    """Counts slowly enough for something to happen meanwhile."""

    @asynccontextmanager
    async def stream_chat(self, body: bytes) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        self.streams.append(HeldStream(body))

        async def pieces() -> AsyncIterator[RunnerEvent]:
            for number in range(120):
                yield Delta(f"{number} ")
                await asyncio.sleep(0.01)
            yield Finished("stop")

        yield pieces()


async def test_every_reply_is_recorded_once_with_all_that_was_shown(world: World, ears: Ears) -> None:
    runner, door, chance = SteadyRunner(), Door(world.database_url), random.Random(5)
    asked: list[Asked] = []
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(working(world, runner))
        for turn in range(10):
            for number in range(4):
                asked.append(await asyncio.to_thread(world.ask, f"question {turn}.{number}"))
            await asyncio.sleep(0.3)
            match turn % 3:
                case 0:
                    await asyncio.to_thread(world.query, _KILL_ONE)
                case 1:
                    await asyncio.to_thread(world.cancel, chance.choice(asked))
                case 2:
                    await asyncio.to_thread(door.throw_out, "verbatim model-calls%")
        outcomes: Counter[str] = Counter()
        for one in asked:
            reply = await world.reply_of(one)
            outcomes[reply.outcome] += 1
            assert WHOLE.startswith(reply.content)
            assert reply.content.startswith(ears.text(one)), "what was shown is in the record"
            assert "".join(chunk["text"] for chunk in world.chunks(one)) == reply.content
            assert reply.content == WHOLE or reply.outcome != "complete"
    assert outcomes["complete"] > 0
    assert outcomes["interrupted"] > 0
    assert outcomes["failed"] == 0
    assert world.queue() == []
    assert len({stream.body for stream in runner.streams}) == len(runner.streams), "nothing is sent twice"
