"""Who comes first where a runner takes only so many calls at once, counted over all workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from backend.model_calls import leases, queue
from backend.model_calls.link import Link
from backend.model_calls.queue import Place
from tests.integration.model_calls.world import HeldRunner, World, eventually, working

pytestmark = pytest.mark.asyncio

LIMITS = {"gpu": 2}


@dataclass
class Desk:
    """A queue filled by hand, and workers that claim from it."""

    world: World
    link: Link

    def wait(
        self, owner: UUID, runner: str | None = "gpu", priority: int = 0, *, paused: bool = False
    ) -> UUID:
        call_id = uuid4()
        self.world.query(
            "INSERT INTO model_call_queue (call_id, owner_id, runner, priority, queued_at, not_before)"
            " VALUES (%s, %s, %s, %s, clock_timestamp(),"
            " clock_timestamp() + CASE WHEN %s THEN interval '1 hour' ELSE interval '0' END)",
            call_id, owner, runner, priority, paused,
        )  # fmt: skip
        return call_id

    async def claim(self, worker: str, limit: int = 100) -> list[UUID]:
        claims = await queue.claim_waiting(self.link, worker, limit, LIMITS)
        return [claim.call_id for claim in claims]

    def finish(self, *call_ids: UUID) -> None:
        self.world.query("DELETE FROM model_call_queue WHERE call_id = ANY(%s)", list(call_ids))

    def places(self, *call_ids: UUID) -> list[Place | None]:
        with psycopg.connect(self.world.database_url) as connection, connection.cursor() as cursor:
            found = queue.read_places(cursor, call_ids)
        return [found.get(call_id) for call_id in call_ids]


@pytest_asyncio.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    link = Link(world.database_url, "test")
    for worker in ("one", "two"):
        await leases.register(link, worker)
    yield Desk(world, link)
    await link.close()


async def test_a_runner_never_has_more_calls_than_its_limit(desk: Desk) -> None:
    calls = [desk.wait(uuid4()) for _ in range(5)]
    assert await desk.claim("one") == calls[:2]
    assert await desk.claim("two") == []
    desk.finish(calls[0])
    assert await desk.claim("two") == [calls[2]]


async def test_workers_that_claim_at_the_same_time_do_not_exceed_it_together(
    desk: Desk, world: World
) -> None:
    for _ in range(40):
        desk.wait(uuid4())
    links = [Link(world.database_url, f"rival {number}") for number in range(6)]
    for number, link in enumerate(links):
        await leases.register(link, f"rival {number}")
    found = await asyncio.gather(
        *(queue.claim_waiting(link, f"rival {number}", 100, LIMITS) for number, link in enumerate(links))
    )
    assert sum(map(len, found)) == 2
    for link in links:
        await link.close()


async def test_a_runner_that_is_full_holds_nobody_up_at_another(desk: Desk) -> None:
    owner = uuid4()
    full = [desk.wait(owner) for _ in range(4)]
    free = [desk.wait(owner, "laptop") for _ in range(4)]
    assert set(await desk.claim("one")) == {*full[:2], *free}


async def test_everybody_has_a_turn_before_anybody_has_a_second_one(desk: Desk) -> None:
    many, few = uuid4(), uuid4()
    first = [desk.wait(many) for _ in range(6)]
    late = desk.wait(few)
    assert set(await desk.claim("one")) == {first[0], late}
    desk.finish(late)
    # One of `many` is running already, so another's first call goes before its second.
    newcomer = desk.wait(few)
    assert await desk.claim("one") == [newcomer]


async def test_what_nobody_waits_for_comes_last(desk: Desk) -> None:
    owner, other = uuid4(), uuid4()
    title = desk.wait(owner, priority=1)
    replies = [desk.wait(other), desk.wait(other)]
    assert set(await desk.claim("one")) == set(replies)
    desk.finish(*replies)
    assert await desk.claim("one") == [title]


async def test_the_place_in_the_queue_is_the_order_in_which_calls_are_claimed(desk: Desk) -> None:
    many, few = uuid4(), uuid4()
    first = [desk.wait(many) for _ in range(3)]
    late, title = desk.wait(few), desk.wait(few, priority=1)
    places = [place.place for place in desk.places(*first, late, title) if place is not None]
    assert places == [1, 3, 4, 2, 5]
    order = []
    while claimed := await desk.claim("one", limit=1):
        order += claimed
        desk.finish(*claimed)
    assert order == [first[0], late, first[1], first[2], title]


async def test_a_place_tells_the_runner_how_many_wait_and_when_the_next_attempt_is(desk: Desk) -> None:
    calls = [desk.wait(uuid4()) for _ in range(5)]
    paused, running, elsewhere = desk.wait(uuid4(), paused=True), calls[0], desk.wait(uuid4(), "laptop")
    assert running in await desk.claim("one", limit=1)
    found = desk.places(calls[1], paused, elsewhere, running)
    assert [place and (place.place, place.waiting, place.runner) for place in found] == [
        (1, 4, "gpu"),
        (None, 0, "gpu"),
        (1, 1, "laptop"),
        None,
    ]
    assert found[1] is not None
    assert found[1].not_before > datetime.now(UTC)


async def test_a_worker_takes_the_next_call_when_one_has_ended(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner, runner_limits={runner.name: 1}):
        first, second = world.ask("first"), world.ask("second")
        stream = await runner.stream(0)
        await asyncio.sleep(0.3)
        assert len(runner.streams) == 1
        stream.say("Done.")
        stream.end()
        await world.reply_of(first if b"first" in stream.body else second)
        await runner.stream(1)
        (await runner.stream(1)).end()
        for asked in (first, second):
            await world.reply_of(asked)


async def test_a_call_for_a_runner_that_is_not_configured_any_more_says_so(world: World) -> None:
    runner = HeldRunner()
    runner.name = "another"
    async with working(world, runner):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert reply.outcome == "failed"
    assert reply.error is not None
    assert (reply.error.code, "another" in reply.error.message) == ("runner_not_configured", True)
    await eventually(lambda: world.queue() == [])
