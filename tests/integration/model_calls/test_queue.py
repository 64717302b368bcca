"""The queue: what rides along in an append, and how the queue is made to fit the events again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from backend.application.conversations import Conversations
from backend.application.ports import ClaimFence, ClaimLost, DequeueUnclaimedCall, QueueCall
from backend.application.runner_port import Finished
from backend.domain.commands import EraseConversations, StartModelCallAttempt
from backend.domain.envelope import Envelope
from backend.model_calls.link import Link
from backend.model_calls.persistence import Persistence
from backend.model_calls.repair import repair_queue
from backend.model_calls.stored_chunks import remove_old_chunks
from tests.integration.model_calls.world import QUICK, Asked, HeldRunner, SystemClock, World, working


def _stamp() -> Envelope:
    return Envelope(uuid4(), SystemClock().now(), "model-calls:w", uuid4())


def _claim(world: World, asked: Asked, worker: str, claim: int) -> None:
    world.query(
        "UPDATE model_call_queue SET claimed_by = %s, claim = %s WHERE call_id = %s",
        worker,
        claim,
        asked.call_id,
    )


def test_a_requested_call_is_queued_in_the_same_commit(world: World) -> None:
    asked = world.ask()
    (row,) = world.queue()
    assert (row["call_id"], row["conversation_id"], row["owner_id"]) == (
        asked.call_id,
        asked.conversation_id,
        world.owner_id,
    )
    assert (row["claimed_by"], row["claim"]) == (None, 0)


def test_queueing_a_call_twice_stores_nothing(world: World) -> None:
    asked = world.ask()
    before = world.store.end()
    call = world.call(asked)
    call.request_cancel(by="x", stamp=_stamp)
    with pytest.raises(Exception, match="model_call_queue"):
        world.append(call, companions=[QueueCall(asked.call_id, None, world.owner_id)])
    assert world.store.end() == before


@pytest.mark.parametrize(("worker", "claim"), [("other", 2), ("mine", 1), ("mine", 3)])
def test_a_fence_with_a_stale_claim_stores_nothing(world: World, worker: str, claim: int) -> None:
    asked = world.ask()
    _claim(world, asked, "mine", 2)
    before = world.store.end()
    with pytest.raises(ClaimLost, match=str(asked.call_id)):
        world.run(StartModelCallAttempt(asked.call_id, "runner", None, worker, claim))
    assert world.store.end() == before
    assert world.topics(asked) == ["ModelCallRequested.v2"]
    assert len(world.queue()) == 1


def test_a_fence_holds_and_a_finished_call_leaves_the_queue(world: World) -> None:
    asked = world.ask()
    _claim(world, asked, "mine", 2)
    world.run(StartModelCallAttempt(asked.call_id, "runner", None, "mine", 2))
    assert len(world.queue()) == 1
    world.append(companions=[ClaimFence(asked.call_id, "mine", 2, done=True)])
    assert world.queue() == []
    with pytest.raises(ClaimLost):
        world.append(companions=[ClaimFence(asked.call_id, "mine", 2, done=True)])


def test_a_claimed_call_cannot_be_taken_out_of_the_queue(world: World) -> None:
    asked = world.ask()
    _claim(world, asked, "mine", 1)
    before = world.store.end()
    call = world.call(asked)
    call.request_cancel(by="x", stamp=_stamp)
    with pytest.raises(ClaimLost, match=str(asked.call_id)):
        world.append(call, companions=[DequeueUnclaimedCall(asked.call_id)])
    assert world.store.end() == before
    assert len(world.queue()) == 1


@pytest.mark.asyncio
async def test_the_queue_is_repaired_from_the_events(world: World) -> None:
    missing, kept, ended, held, erased = (
        world.ask(name) for name in ("missing", "kept", "ended", "held", "erased")
    )
    world.cancel(ended)
    world.cancel(erased)
    world.run(EraseConversations((erased.conversation_id,), by="Ada", reason="asked for"))
    _claim(world, held, "somebody", 3)
    never_requested = uuid4()
    world.query("DELETE FROM model_call_queue WHERE call_id = %s", missing.call_id)
    for call_id in (ended.call_id, erased.call_id, never_requested):
        world.query(
            "INSERT INTO model_call_queue (call_id, owner_id) VALUES (%s, %s)", call_id, world.owner_id
        )
    link = Link(world.database_url, "test")
    with ThreadPoolExecutor(1) as executor:
        persistence = Persistence(world.store, Conversations(world.store), world.run, executor, QUICK)
        queued, taken_out = await repair_queue(link, persistence)
        assert queued == [missing.call_id]
        assert set(taken_out) == {ended.call_id, erased.call_id, never_requested}
        assert await repair_queue(link, persistence) == ([], [])
    await link.close()
    rows = {row["call_id"]: row for row in world.queue()}
    assert set(rows) == {missing.call_id, kept.call_id, held.call_id}
    assert rows[missing.call_id]["conversation_id"] == missing.conversation_id
    assert (rows[held.call_id]["claimed_by"], rows[held.call_id]["claim"]) == ("somebody", 3)


@pytest.mark.asyncio
async def test_a_call_missing_from_the_queue_is_found_when_a_worker_starts(world: World) -> None:
    asked = world.ask()
    world.query("DELETE FROM model_call_queue")
    runner = HeldRunner()
    async with working(world, runner):
        stream = await runner.stream()
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
    assert reply.outcome == "complete"


@pytest.mark.asyncio
async def test_chunks_go_only_a_while_after_the_end(world: World) -> None:
    running, fresh, old = uuid4(), uuid4(), uuid4()
    for call_id in (running, fresh, old):
        world.query("INSERT INTO call_chunk (call_id, seq, attempt, text) VALUES (%s, 0, 1, 'x')", call_id)
    world.query("INSERT INTO call_chunk_end (call_id) VALUES (%s)", fresh)
    world.query(
        "INSERT INTO call_chunk_end (call_id, ended_at) VALUES (%s, now() - interval '11 minutes')", old
    )
    link = Link(world.database_url, "test")
    await remove_old_chunks(link, 600)
    await link.close()
    left = {row["call_id"] for row in world.query("SELECT call_id FROM call_chunk")}
    assert left == {running, fresh}
    assert [row["call_id"] for row in world.query("SELECT call_id FROM call_chunk_end")] == [fresh]
