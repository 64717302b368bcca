"""The process manager of replays on the real database: each turn once, in order, whatever happens to workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from backend.domain import commands as c
from backend.domain import events as e
from backend.domain.replay import reply_id_of
from backend.model_calls.link import Link
from backend.model_calls.replays import repair_replays
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.integration.model_calls.world import (
    RUNNER,
    STREAM_CUT,
    BrokenRunner,
    HeldRunner,
    World,
    eventually,
    working,
)

pytestmark = pytest.mark.asyncio

MANY_TURNS = 500


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedRunner]:
    async with ScriptedRunner(delay_ms=0) as runner:
        runner.always(Script().text("A reply.").complete())
        yield runner


@pytest_asyncio.fixture
async def client(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    runner = HttpModelRunner(scripted.url, name=RUNNER)
    yield runner
    await runner.aclose()


def asked_in_a_row(world: World, turns: int) -> UUID:
    """A conversation whose branch has this many user messages, each below the one before it."""
    conversation_id = UUID(world.run(c.StartConversation(world.owner_id)).body["id"])
    parent: UUID | None = None
    for number in range(turns):
        sent = world.run(
            c.SendUserMessage(world.owner_id, conversation_id, f"Question {number + 1}", parent)
        ).body
        world.run(c.CancelModelCall(world.owner_id, UUID(sent["call_id"])))
        parent = UUID(sent["reply_id"])
    return conversation_id


def start(world: World, conversation_id: UUID) -> UUID:
    command = c.StartReplay(world.owner_id, conversation_id, model="another-model")
    return UUID(world.run(command).body["replay_id"])


def state(world: World, conversation_id: UUID, replay_id: UUID) -> str:
    return world.conversations.load(conversation_id).conversation.replay(replay_id).state


def turns_sent(world: World, conversation_id: UUID) -> list[tuple[int, str]]:
    """The turns of all replays in the order in which they were sent, with the user messages they answer."""
    events = world.store.read_history(conversation_id)[-1].events
    texts = {x.message_id: x.content for x in events if isinstance(x, e.UserMessageSent)}
    return [
        (x.replay.turn, texts[x.parent_id])
        for x in events
        if isinstance(x, e.ReplyRequested) and x.replay is not None
    ]


def expected(turns: int) -> list[tuple[int, str]]:
    return [(number, f"Question {number}") for number in range(1, turns + 1)]


def row(world: World, replay_id: UUID) -> dict[str, object]:
    (found,) = world.query("SELECT * FROM replay_process WHERE replay_id = %s", replay_id)
    return found


async def finished(world: World, conversation_id: UUID, replay_id: UUID, patience_s: float = 15.0) -> None:
    await eventually(lambda: state(world, conversation_id, replay_id) == "finished", patience_s)


async def test_a_branch_is_run_again_turn_by_turn_as_a_new_branch(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    conversation_id = asked_in_a_row(world, 3)
    before = world.store.read_history(conversation_id)[-1].events
    replay_id = start(world, conversation_id)
    async with working(world, client):
        await finished(world, conversation_id, replay_id)
    assert turns_sent(world, conversation_id) == expected(3)
    assert world.store.read_history(conversation_id)[-1].events[: len(before)] == before
    assert [sent.json["model"] for sent in scripted.completions] == ["another-model"] * 3
    roles = [message["role"] for message in scripted.completions[-1].json["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    await eventually(lambda: row(world, replay_id)["due_version"] is None)


async def test_many_turns(world: World, scripted: ScriptedRunner, client: HttpModelRunner) -> None:
    conversation_id = asked_in_a_row(world, MANY_TURNS)
    replay_id = start(world, conversation_id)
    began = time.monotonic()
    async with working(world, client):
        await finished(world, conversation_id, replay_id, patience_s=240)
    print(f"{MANY_TURNS} turns in {time.monotonic() - began:.1f} s")
    assert turns_sent(world, conversation_id) == expected(MANY_TURNS)
    assert len(scripted.completions) == MANY_TURNS


async def test_several_workers_send_each_turn_once(
    world: World, scripted: ScriptedRunner, client: HttpModelRunner
) -> None:
    conversation_ids = [asked_in_a_row(world, 12) for _ in range(3)]
    replays = [(conversation_id, start(world, conversation_id)) for conversation_id in conversation_ids]
    async with working(world, client), working(world, client), working(world, client):
        for replay in replays:
            await finished(world, *replay)
    for conversation_id in conversation_ids:
        assert turns_sent(world, conversation_id) == expected(12)
    assert len(scripted.completions) == 36


async def test_steps_asked_for_by_two_at_once_are_taken_once(world: World) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id = start(world, conversation_id)
    step = c.AdvanceReplay(conversation_id, replay_id)
    await asyncio.gather(*(asyncio.to_thread(world.run, step) for _ in range(8)))
    assert turns_sent(world, conversation_id) == expected(2)[:1]
    assert len(world.queue()) == 1


async def test_a_reply_that_fails_stops_the_replay_and_resuming_goes_on(
    world: World, client: HttpModelRunner
) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id = start(world, conversation_id)
    async with working(world, BrokenRunner(STREAM_CUT)):
        await eventually(lambda: state(world, conversation_id, replay_id) == "failed")
    stopped = [
        x for x in world.store.read_history(conversation_id)[-1].events if isinstance(x, e.ReplayStopped)
    ]
    assert [(x.turn, x.error.code) for x in stopped] == [(1, "reply_failed")]
    async with working(world, client):
        answer = world.run(c.ResumeReplay(world.owner_id, conversation_id, replay_id)).body
        assert UUID(answer["reply_id"]) == reply_id_of(replay_id, 1, 2)
        await finished(world, conversation_id, replay_id)
    assert turns_sent(world, conversation_id) == [expected(1)[0], *expected(2)]


async def test_cancelling_stops_the_reply_that_is_being_written(world: World) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id, runner = start(world, conversation_id), HeldRunner()
    async with working(world, runner):
        stream = await runner.stream()
        stream.say("Half a ")
        await eventually(lambda: world.query("SELECT 1 FROM call_chunk"))
        world.run(c.CancelReplay(world.owner_id, conversation_id, replay_id))
        await asyncio.wait_for(stream.closed.wait(), 5)
        await eventually(lambda: not world.queue())
    assert state(world, conversation_id, replay_id) == "cancelled"
    assert turns_sent(world, conversation_id) == expected(1)
    recorded = world.store.read_history(conversation_id)[-1].events[-1]
    assert isinstance(recorded, e.ReplyRecorded)
    assert (recorded.outcome, recorded.content) == ("cancelled", "Half a ")


async def test_deleting_the_conversation_stops_its_replay(world: World) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id, runner = start(world, conversation_id), HeldRunner()
    async with working(world, runner):
        await runner.stream()
        world.run(c.DeleteConversation(world.owner_id, conversation_id))
        await eventually(lambda: state(world, conversation_id, replay_id) == "failed")
    assert turns_sent(world, conversation_id) == expected(1)


async def test_a_step_that_became_due_meanwhile_stays_due(world: World) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id = start(world, conversation_id)
    due = row(world, replay_id)["due_version"]
    assert due == world.conversations.load(conversation_id).conversation.version
    world.query("UPDATE replay_process SET due_version = due_version + 1000")
    world.run(c.AdvanceReplay(conversation_id, replay_id))
    assert row(world, replay_id)["due_version"] == due + 1000


async def test_a_replay_whose_row_was_lost_goes_on_when_a_worker_starts(
    world: World, client: HttpModelRunner
) -> None:
    conversation_id = asked_in_a_row(world, 2)
    replay_id = start(world, conversation_id)
    world.query("DELETE FROM replay_process")
    async with working(world, client):
        await finished(world, conversation_id, replay_id)
    assert row(world, replay_id)["owner_id"] == world.owner_id
    assert turns_sent(world, conversation_id) == expected(2)


async def test_repair_keeps_only_what_is_missing(world: World) -> None:
    conversation_id = asked_in_a_row(world, 1)
    kept, lost = start(world, conversation_id), start(world, conversation_id)
    world.query("DELETE FROM replay_process WHERE replay_id = %s", lost)
    link = Link(world.database_url, "test")
    assert await repair_replays(link) == [lost]
    assert await repair_replays(link) == []
    await link.close()
    assert row(world, kept)["conversation_id"] == conversation_id


async def test_a_row_that_no_event_explains_is_forgotten(world: World, client: HttpModelRunner) -> None:
    conversation_id = asked_in_a_row(world, 1)
    replay_id = start(world, conversation_id)
    unknown = UUID(int=7)
    world.query(
        "INSERT INTO replay_process (replay_id, conversation_id, owner_id, due_version) VALUES (%s, %s, %s, 1)",
        unknown,
        conversation_id,
        world.owner_id,
    )
    async with working(world, client):
        await finished(world, conversation_id, replay_id)
        await eventually(
            lambda: not world.query("SELECT 1 FROM replay_process WHERE replay_id = %s", unknown)
        )
