"""Workers that die, are taken for dead, or are told to stop: what was shown is always in the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from backend.application.ports import ClaimLost
from backend.application.runner_port import Delta, Finished, RunnerEvent
from backend.domain.commands import RecordModelCallResult, StartModelCallAttempt
from backend.domain.errors import AttemptRefused
from backend.domain.model_call import AttemptResult
from backend.model_calls import leases, queue
from backend.model_calls.link import Link
from backend.model_calls.sweep import Sweep
from backend.model_calls.timings import WorkerTimings
from tests.integration.model_calls.world import (
    QUICK,
    Asked,
    Ears,
    HeldRunner,
    HeldStream,
    World,
    eventually,
    working,
)

pytestmark = pytest.mark.asyncio


class TalkingRunner(HeldRunner):
    """Answers at once."""

    @asynccontextmanager
    async def stream_chat(self, body: bytes) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        self.streams.append(HeldStream(body))

        async def pieces() -> AsyncIterator[RunnerEvent]:
            for word in ("one ", "two ", "three"):
                yield Delta(word)
                await asyncio.sleep(0)
            yield Finished("stop")

        yield pieces()


async def test_two_workers_share_the_calls_and_send_each_once(world: World) -> None:
    asked = [world.ask(f"question {number}") for number in range(25)]
    first, second = TalkingRunner(), TalkingRunner()
    timings = WorkerTimings(**{**vars(QUICK), "stream_limit": 3})
    async with working(world, first, timings), working(world, second, timings):
        asked += [world.ask(f"question {number}") for number in range(25, 50)]
        for one in asked:
            reply = await world.reply_of(one)
            assert (reply.content, reply.outcome) == ("one two three", "complete")
    assert len(first.streams) + len(second.streams) == 50
    assert len({stream.body for stream in (*first.streams, *second.streams)}) == 50
    assert first.streams
    assert second.streams
    assert all(world.topics(one).count("ModelCallStarted.v1") == 1 for one in asked)
    assert world.queue() == []


async def test_a_worker_found_dead_drops_its_streams_and_goes_on_under_a_new_id(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner) as worker:
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Shown before.")
        await eventually(lambda: world.chunks(asked))
        before = worker.worker_id
        world.query("UPDATE model_call_worker SET dead = true")
        await asyncio.wait_for(stream.closed.wait(), 10)
        reply = await world.reply_of(asked)
        assert (reply.content, reply.outcome) == ("Shown before.", "interrupted")
        assert reply.error is not None
        assert reply.error.code == "worker_lost"
        assert worker.worker_id != before
        assert world.live_workers() == [worker.worker_id]
        again = world.ask("again")
        second = await runner.stream(1)
        second.say("Fine.")
        second.give(Finished("stop"))
        second.end()
        assert (await world.reply_of(again)).content == "Fine."


async def test_a_flush_that_meets_the_death_of_its_worker_is_refused(world: World, ears: Ears) -> None:
    runner = HeldRunner()
    slow_beats = WorkerTimings(**{**vars(QUICK), "heartbeat_s": 5.0, "lease_s": 30.0, "sweep_s": 0.5})
    async with working(world, runner, slow_beats):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("stored ")
        await eventually(lambda: world.chunks(asked))
        with psycopg.connect(world.database_url) as judge:
            judge.execute("UPDATE model_call_worker SET dead = true")
            stream.say("refused")
            # The flush is under way now and waits for the lease's row.
            await eventually(
                lambda: world.query(
                    "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE %s AND wait_event_type = 'Lock'",
                    "%model-calls chunks%",
                )
            )
            judge.commit()
        await asyncio.wait_for(stream.closed.wait(), 10)
        assert [chunk["text"] for chunk in world.chunks(asked)] == ["stored "]
        assert ears.text(asked) == "stored "
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("stored ", "interrupted")


async def test_marking_a_worker_dead_waits_for_its_flush_in_flight(world: World) -> None:
    """What was shown last is there when the judge begins to read."""
    world.query(
        "INSERT INTO model_call_worker (worker_id, heartbeat_at) VALUES ('silent', now() - interval '1 h')"
    )
    link = Link(world.database_url, "test")
    await leases.register(link, "judge")
    with psycopg.connect(world.database_url) as flush:
        flush.execute("SELECT 1 FROM model_call_worker WHERE worker_id = 'silent' AND NOT dead FOR SHARE")
        judging = asyncio.create_task(leases.mark_silent_workers_dead(link, "judge", 0.5))
        await asyncio.sleep(0.3)
        assert not judging.done()
        flush.commit()
    assert await judging == ["silent"]
    await link.close()


async def test_a_call_claimed_but_not_started_by_a_dead_worker_is_claimed_again(world: World) -> None:
    asked = world.ask()
    world.query("INSERT INTO model_call_worker (worker_id, dead) VALUES ('gone', true)")
    world.query("UPDATE model_call_queue SET claimed_by = 'gone', claim = 1, claimed_at = now()")
    async with working(world, TalkingRunner()):
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("one two three", "complete")


async def test_a_claim_whose_answer_was_lost_is_found_by_its_own_worker(world: World) -> None:
    async with working(world, TalkingRunner()) as worker:
        await eventually(world.live_workers)
        asked = world.ask()
        reply = await world.reply_of(asked)
        # As if the claiming statement had been committed and its answer lost on the way.
        world.query(
            "INSERT INTO model_call_queue (call_id, owner_id, claimed_by, claim) VALUES (%s, %s, %s, 7)",
            asked.call_id,
            world.owner_id,
            worker.worker_id,
        )
        await eventually(lambda: world.queue() == [])
    assert reply.outcome == "complete"
    assert len(world.replies(asked)) == 1


async def test_nobody_is_declared_dead_for_a_lease_period_after_the_database_was_away(world: World) -> None:
    world.query(
        "INSERT INTO model_call_worker (worker_id, heartbeat_at) VALUES ('silent', now() - interval '1 h')"
    )
    link = Link(world.database_url, "test")
    await leases.register(link, "judge")
    sweep = Sweep(link, "judge", WorkerTimings(lease_s=1.0))
    sweep.database_was_away()
    await sweep.run([])
    assert "silent" in world.live_workers()
    await asyncio.sleep(1.1)
    await leases.beat(link, "judge")
    await sweep.run([])
    assert world.live_workers() == ["judge"]
    await link.close()


async def test_a_judge_that_is_silent_itself_judges_nobody(world: World) -> None:
    world.query(
        "INSERT INTO model_call_worker (worker_id, heartbeat_at) VALUES ('silent', now() - interval '1 h')"
    )
    world.query(
        "INSERT INTO model_call_worker (worker_id, heartbeat_at) VALUES ('judge', now() - interval '1 h')"
    )
    link = Link(world.database_url, "test")
    assert await leases.mark_silent_workers_dead(link, "judge", 1.0) == []
    await link.close()


async def test_a_dead_worker_claims_nothing(world: World) -> None:
    world.ask()
    world.query("INSERT INTO model_call_worker (worker_id, dead) VALUES ('gone', true)")
    link = Link(world.database_url, "test")
    assert await queue.claim_waiting(link, "gone", 10) == []
    await leases.register(link, "alive")
    assert len(await queue.claim_waiting(link, "alive", 10)) == 1
    await link.close()


async def test_a_stop_lets_a_reply_finish_that_is_nearly_done(world: World) -> None:
    runner = HeldRunner()
    timings = WorkerTimings(**{**vars(QUICK), "stop_grace_s": 10.0})
    async with working(world, runner, timings) as worker:
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Nearly ")
        await eventually(lambda: world.chunks(asked))
        worker.stop()
        await asyncio.sleep(0.2)
        stream.say("done.")
        stream.give(Finished("stop"))
        stream.end()
    reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("Nearly done.", "complete")
    assert world.live_workers() == []


async def test_a_stop_records_what_a_longer_reply_has_so_far(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner) as worker:
        asked = world.ask()
        stream = await runner.stream()
        stream.say("So far")
        await eventually(lambda: world.chunks(asked))
        worker.stop()
        waiting = world.ask("nobody takes this any more")
    reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("So far", "interrupted")
    assert reply.error is not None
    assert reply.error.code == "worker_stopped"
    assert stream.closed.is_set()
    assert world.live_workers() == []
    assert [row["call_id"] for row in world.queue()] == [waiting.call_id]
    async with working(world, TalkingRunner()):
        assert (await world.reply_of(waiting)).outcome == "complete"


def _left_by_a_dead_worker(world: World, *texts: str) -> Asked:
    """A call whose worker had started it, stored these chunks, and is dead now."""
    asked = world.ask()
    world.query("INSERT INTO model_call_worker (worker_id) VALUES ('gone')")
    world.query(
        "UPDATE model_call_queue SET claimed_by = 'gone', claim = 1, claimed_at = now() - interval '3 seconds'"
    )
    world.run(StartModelCallAttempt(asked.call_id, "runner", None, "gone", 1), actor="model-calls:gone")
    for seq, text in enumerate(texts):
        world.query("INSERT INTO call_chunk VALUES (%s, %s, 1, %s, '')", asked.call_id, seq, text)
    return asked


async def test_a_call_left_by_a_dead_worker_is_recorded_as_it_stands(world: World) -> None:
    asked = _left_by_a_dead_worker(world, "shown ", "before")
    world.query("UPDATE model_call_worker SET dead = true")
    async with working(world, HeldRunner()):
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("shown before", "interrupted")
    end = world.ends(asked)[0][1]
    assert (end["attempt"], end["chunk_count"], end["delivered_characters"]) == (1, 2, 12)
    assert 2_900 <= end["first_token_ms"] <= end["duration_ms"]


async def test_a_call_left_by_a_dead_worker_that_somebody_cancelled_is_cancelled(world: World) -> None:
    asked = _left_by_a_dead_worker(world, "shown")
    world.cancel(asked)
    world.query("UPDATE model_call_worker SET dead = true")
    async with working(world, HeldRunner()):
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome, reply.error) == ("shown", "cancelled", None)


async def test_a_worker_that_was_only_slow_cannot_record_over_the_one_that_took_over(world: World) -> None:
    asked = _left_by_a_dead_worker(world, "shown")
    world.query("UPDATE model_call_worker SET dead = true")
    async with working(world, HeldRunner()):
        await world.reply_of(asked)
    late = RecordModelCallResult(
        call_id=asked.call_id,
        result=AttemptResult(attempt=1, outcome="complete", finish_reason="stop"),
        content="shown and more",
        reasoning="",
        tool_calls=(),
        reply_error=None,
        worker="gone",
        claim=1,
    )
    with pytest.raises((ClaimLost, AttemptRefused)):
        world.run(late)
    assert [reply.content for reply in world.replies(asked)] == ["shown"]


async def test_every_worker_that_dies_is_forgotten_after_an_hour(world: World) -> None:
    world.query("INSERT INTO model_call_worker VALUES ('old', now(), now() - interval '2 hours', true)")
    world.query("INSERT INTO model_call_worker VALUES ('recent', now(), now() - interval '1 minute', true)")
    link = Link(world.database_url, "test")
    await leases.prune_dead_workers(link)
    await link.close()
    assert [row["worker_id"] for row in world.query("SELECT worker_id FROM model_call_worker")] == ["recent"]


async def test_what_a_living_worker_has_claimed_meanwhile_is_not_taken_from_it(world: World) -> None:
    """A take-over that had to wait decides on what is there when it goes on, not on what was there when it began."""
    asked = world.ask()
    link = Link(world.database_url, "test")
    taking = Link(world.database_url, "taking")
    try:
        for worker in ("gone", "taker"):
            await leases.register(link, worker)
        [claim] = await queue.claim_waiting(link, "gone", 1)
        await leases.retire(link, "gone")
        async with await psycopg.AsyncConnection.connect(world.database_url) as holding:
            # As a third worker does that judges whether the taker is dead.
            await holding.execute("SELECT 1 FROM model_call_worker WHERE worker_id = 'taker' FOR UPDATE")
            taken = asyncio.create_task(queue.take_over_from_the_dead(taking, "taker", 100))
            await eventually(lambda: world.waiting_for_a_lock() == 1)
            await queue.release(link, claim)
            await leases.register(link, "alive")
            [again] = await queue.claim_waiting(link, "alive", 1)
        assert await taken == []
        [row] = world.queue()
        assert (row["claimed_by"], row["claim"]) == ("alive", again.number)
        assert asked.call_id == again.call_id
    finally:
        await link.close()
        await taking.close()


async def test_calls_of_a_worker_that_nobody_knows_are_taken_over(world: World) -> None:
    asked = world.ask()
    link = Link(world.database_url, "test")
    try:
        await leases.register(link, "taker")
        world.query("UPDATE model_call_queue SET claimed_by = 'unknown', claim = 4")
        [claim] = await queue.take_over_from_the_dead(link, "taker", 100)
        assert (claim.call_id, claim.worker, claim.number) == (asked.call_id, "taker", 5)
    finally:
        await link.close()
