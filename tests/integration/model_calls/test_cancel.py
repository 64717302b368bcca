"""Stopping a reply: before anybody works on it, before its first word, and in the middle."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from backend.application.runner_port import Finished
from backend.domain.commands import DeleteConversation
from backend.domain.envelope import Envelope
from tests.integration.model_calls.world import HeldRunner, SystemClock, World, eventually, working

pytestmark = pytest.mark.asyncio


async def test_a_call_nobody_has_claimed_ends_with_the_wish_itself(world: World) -> None:
    asked = world.ask()
    world.cancel(asked)
    assert world.queue() == []
    runner = HeldRunner()
    async with working(world, runner):
        after = world.ask("something else")
        stream = await runner.stream()
        stream.give(Finished("stop"))
        stream.end()
        await world.reply_of(after)
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome, reply.error) == ("", "cancelled", None)
    assert len(runner.streams) == 1, "the cancelled call was never sent"


async def test_a_call_cancelled_while_it_waits_in_a_deleted_conversation_is_not_sent(world: World) -> None:
    asked = world.ask()
    world.run(DeleteConversation(world.owner_id, asked.conversation_id))
    assert len(world.queue()) == 1
    runner = HeldRunner()
    async with working(world, runner):
        reply = await world.reply_of(asked)
    assert reply.outcome == "cancelled"
    assert runner.streams == []
    assert world.ends(asked)[0][1]["attempt"] == 0
    assert world.queue() == []


async def test_a_cancel_before_the_first_word_closes_the_connection(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        world.cancel(asked)
        await asyncio.wait_for(stream.closed.wait(), 5)
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("", "cancelled")
    (topic, end) = world.ends(asked)[0]
    assert (topic, end["attempt"], end["first_token_ms"]) == ("ModelCallCancelled.v1", 1, None)


async def test_a_cancel_in_mid_stream_keeps_what_was_received(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("So far")
        await eventually(lambda: world.chunks(asked))
        world.cancel(asked)
        world.cancel(asked)
        await asyncio.wait_for(stream.closed.wait(), 5)
        reply = await world.reply_of(asked)
        world.cancel(asked)
    assert (reply.content, reply.outcome, reply.error) == ("So far", "cancelled", None)
    assert world.topics(asked).count("ModelCallCancelRequested.v1") == 1
    assert world.queue() == []


async def test_a_cancel_whose_announcement_was_missed_is_found_by_the_sweep(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("So far")
        await eventually(lambda: world.chunks(asked))
        call = world.call(asked)
        call.request_cancel(
            by="user",
            stamp=lambda: Envelope(uuid4(), SystemClock().now(), "user:x", uuid4()),
        )
        world.append(call)
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("So far", "cancelled")
    assert stream.closed.is_set()
