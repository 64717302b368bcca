"""Calls of programs on the real database: stored while they are passed on, and always with exactly one end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from backend.application.ports import ClaimLost
from backend.application.runner_port import AsWritten, Finished, RunnerFailure
from backend.model_calls.chunks import BEHIND_S
from backend.model_calls.passage import HELD, Ended
from tests.integration.model_calls.outside_world import OutsideCall, web_process
from tests.integration.model_calls.world import (
    QUICK,
    RUNNER,
    HeldRunner,
    HeldStream,
    World,
    eventually,
    working,
)

pytestmark = pytest.mark.asyncio


def say(stream: HeldStream, text: str) -> None:
    """As a runner's piece comes: what is read from it, then the piece as it was written."""
    stream.say(text)
    stream.give(AsWritten(f"piece {text}"))


async def test_a_piece_is_passed_on_and_stored_before_the_next_one_comes(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        assert world.topics(call.asked) == ["ModelCallRequested.v2", "ModelCallStarted.v1"]
        stream = await runner.stream()
        say(stream, "one")
        assert await call.next() == "piece one"
        await world.chunks_beyond(call.asked, 0)
        say(stream, "two")
        assert await call.next() == "piece two"
        stream.give(Finished("stop"))
        stream.end()
        ended = await call.end()

        assert (ended.ending.outcome, ended.recorded) == ("complete", True)
        reply = await world.reply_of(call.asked)
        assert (reply.content, reply.outcome) == ("onetwo", "complete")
        assert world.queue() == []
        assert world.query("SELECT message_id FROM conversation_prefix") == [
            {"message_id": call.asked.reply_id}
        ]


async def test_a_client_that_leaves_cancels_its_call(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        stream = await runner.stream()
        say(stream, "Half")
        assert await call.next() == "piece Half"
        (await web.worker.shift()).leave(call.asked.call_id, world.owner_id)
        ended = await call.end()

        assert (ended.ending.outcome, ended.recorded) == ("cancelled", True)
        assert stream.closed.is_set(), "the runner is let go"
        reply = await world.reply_of(call.asked)
        assert (reply.content, reply.outcome) == ("Half", "cancelled")
        assert reply.error is not None
        assert reply.error.code == "client_gone"
        ((topic, payload),) = world.ends(call.asked)
        assert (topic, payload["error"]["code"]) == ("ModelCallCancelled.v1", "client_gone")


async def test_a_cancel_from_elsewhere_is_heard(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        say(await runner.stream(), "Half")
        await call.next()
        await asyncio.to_thread(world.cancel, call.asked)
        assert (await call.end()).ending.outcome == "cancelled"
        assert world.topics(call.asked)[2:] == ["ModelCallCancelRequested.v1", "ModelCallCancelled.v1"]


async def test_a_failure_is_told_once_and_not_tried_again(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        (await runner.stream()).fail(RunnerFailure("runner_unreachable", "Not there.", safe_to_retry=True))
        ended = await call.end()
        assert (ended.ending.outcome, ended.ending.safe_to_retry) == ("failed", True)
        assert len(world.ends_of_attempts(call.asked)) == 1
        assert world.queue() == []


async def test_a_reader_that_takes_nothing_holds_the_runner_back(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        stream = await runner.stream()
        for number in range(10 * HELD):
            say(stream, f"{number} ")
        await asyncio.sleep(0.3)
        waiting = stream._pieces.qsize()
        assert waiting > 2 * 8 * HELD, "what nobody takes stays with the runner"
        stream.give(Finished("stop"))
        stream.end()
        pieces = []
        while not isinstance(piece := await call.next(), Ended):
            pieces.append(piece)
        assert pieces == [f"piece {number} " for number in range(10 * HELD)]
        assert (await world.reply_of(call.asked)).content == "".join(f"{n} " for n in range(10 * HELD))


async def test_what_a_killed_web_process_leaves_is_recorded_by_the_sweep(world: World) -> None:
    runner, others = HeldRunner(), HeldRunner()
    async with working(world, others):
        call, waiting = await _killed_in_the_middle(world, runner)
        reply = await world.reply_of(call.asked)
        assert (reply.outcome, reply.content) == ("interrupted", "Half")
        never_sent = await world.reply_of(waiting.asked)
        assert (never_sent.outcome, never_sent.content) == ("interrupted", "")
        assert world.topics(waiting.asked) == ["ModelCallRequested.v2", "ModelCallInterrupted.v1"]
        assert others.streams == [], "nobody else carries out a program's call"
        assert world.queue() == []


async def _killed_in_the_middle(world: World, runner: HeldRunner) -> tuple[OutsideCall, OutsideCall]:
    """One call that has begun to answer and one that waits for it, in a process that is gone without a word."""
    limits = {RUNNER: 1}
    silent = replace(QUICK, heartbeat_s=60.0)
    async with web_process(world, runner, limits=limits, timings=silent) as web:
        call = await web.ask()
        say(await runner.stream(), "Half")
        await call.next()
        await world.chunks_beyond(call.asked, 0)
        waiting = await web.ask("Too late")
        shift = await web.worker.shift()
        # Nothing more is said or stored under this name, as after kill -9. In a thread: whoever holds the row's lock may need the loop.
        stale = "UPDATE model_call_worker SET heartbeat_at = heartbeat_at - interval '1 hour' WHERE worker_id = %s"
        await asyncio.to_thread(world.query, stale, shift.worker_id)
        await eventually(lambda: world.queue() == [])
    return call, waiting


async def test_a_limit_holds_for_programs_and_whoever_waits_can_leave_or_be_cancelled(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner, limits={RUNNER: 1}) as web:
        first = await web.ask()
        stream = await runner.stream()
        left, cancelled, next_one = [await web.ask(text) for text in ("leaves", "cancelled", "next")]
        shift = await web.worker.shift()
        shift.leave(left.asked.call_id, world.owner_id)
        await asyncio.to_thread(world.cancel, cancelled.asked)
        for call in (left, cancelled):
            assert (await call.end()).ending.outcome == "cancelled"
            assert world.topics(call.asked)[-1] == "ModelCallCancelled.v1"
        assert len(runner.streams) == 1
        stream.give(Finished("stop"))
        stream.end()
        await first.end()
        second = await runner.stream(1)
        second.give(Finished("stop"))
        second.end()
        assert (await next_one.end()).recorded


async def test_a_worker_leaves_the_calls_of_a_web_process_alone(world: World) -> None:
    mine, others = HeldRunner(), HeldRunner()
    limits = {RUNNER: 1}
    async with working(world, others, runner_limits=limits), web_process(world, mine, limits=limits) as web:
        call = await web.ask()
        stream = await mine.stream()
        await asyncio.sleep(1.0)
        assert others.streams == []
        stream.give(Finished("stop"))
        stream.end()
        await call.end()


async def test_a_web_process_that_was_taken_for_dead_goes_on_under_a_new_name(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        say(await runner.stream(), "Half")
        await call.next()
        before = (await web.worker.shift()).worker_id
        world.query("UPDATE model_call_worker SET dead = true WHERE worker_id = %s", before)
        ended = await call.end()
        assert not ended.recorded
        await eventually(lambda: web.worker.worker_id != before)
        again = await web.ask("again")
        assert again.asked.call_id != call.asked.call_id
        async with working(world, HeldRunner()):
            assert (await world.reply_of(call.asked)).outcome == "interrupted"


async def test_a_stopped_web_process_records_what_has_come(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        say(await runner.stream(), "Half")
        await call.next()
    ended = await call.end()
    assert (ended.ending.outcome, ended.recorded) == ("interrupted", True)
    reply = await world.reply_of(call.asked)
    assert (reply.content, reply.outcome) == ("Half", "interrupted")


async def test_nothing_more_is_passed_on_while_the_database_does_not_take_what_was(world: World) -> None:
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        call = await web.ask()
        stream = await runner.stream()
        say(stream, "one")
        assert await call.next() == "piece one"
        await world.chunks_beyond(call.asked, 0)
        async with await psycopg.AsyncConnection.connect(world.database_url) as blocking:
            await blocking.execute("SELECT 1 FROM model_call_worker FOR UPDATE")
            say(stream, "two")
            assert await call.next() == "piece two", "its flush is under way"
            await asyncio.sleep(2 * BEHIND_S)
            say(stream, "three")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call.next(), 2 * BEHIND_S)
            assert len(world.chunks(call.asked)) == 1
            await blocking.rollback()
            assert await call.next() == "piece three"
        assert "".join(chunk["text"] for chunk in world.chunks(call.asked)) == "onetwothree"


async def test_a_line_to_the_runner_is_hung_up_where_nothing_is_sent(world: World) -> None:
    """It is made while the request is recorded; without the record, the runner never hears anything."""
    runner = HeldRunner()
    async with web_process(world, runner) as web:
        before = (await web.worker.shift()).worker_id
        world.query("UPDATE model_call_worker SET dead = true WHERE worker_id = %s", before)
        with pytest.raises(ClaimLost):
            await web.ask()
        assert [line.hung_up for line in runner.lines] == [True]
        assert runner.streams == []

        await eventually(lambda: web.worker.worker_id != before)
        call = await web.ask()
        stream = await runner.stream()
        assert [line.hung_up for line in runner.lines] == [True, False]
        stream.end()
        await call.end()
        assert [line.hung_up for line in runner.lines] == [True, True], (
            "hanging up what was used does nothing"
        )
