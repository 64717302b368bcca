"""A conversation's title by the worker: an ordinary recorded call that holds nobody up."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from backend.application.runner_port import Finished
from tests.integration.model_calls.world import Asked, HeldRunner, HeldStream, World, eventually, working

pytestmark = pytest.mark.asyncio


def ended(stream: HeldStream, text: str) -> None:
    stream.say(text)
    stream.give(Finished("stop"))
    stream.end()


def title_call_of(world: World, asked: Asked) -> UUID:
    call_id = world.conversations.load(asked.conversation_id).conversation.title_call_id
    assert call_id is not None
    return call_id


def title_of(world: World, asked: Asked) -> str:
    return world.conversations.load(asked.conversation_id).conversation.title


async def test_the_first_reply_is_followed_by_a_call_for_the_title(world: World) -> None:
    world.titles = True
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask("Why is the sky blue?")
        ended(await runner.stream(0), "Because of scattering.")
        await world.reply_of(asked)
        stream = await runner.stream(1)
        assert b"Write a title" in stream.body
        assert b"Because of scattering." in stream.body
        ended(stream, '"The Blue Sky"')
        await eventually(lambda: title_of(world, asked) == "The Blue Sky")
    call_id = title_call_of(world, asked)
    [(topic, end)] = world.ends(replace(asked, call_id=call_id))
    assert (topic, end["content"], end["final"]) == ("ModelCallCompleted.v1", '"The Blue Sky"', True)
    assert world.queue() == []


async def test_the_next_message_does_not_wait_for_the_title(world: World) -> None:
    world.titles = True
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask("Why is the sky blue?")
        ended(await runner.stream(0), "Because.")
        await world.reply_of(asked)
        title = await runner.stream(1)
        second = world.ask("And at night?", asked.conversation_id)
        ended(await runner.stream(2), "It is dark.")
        assert (await world.reply_of(second)).content == "It is dark."
        ended(title, "Sky")
        await eventually(lambda: title_of(world, asked) == "Sky")


async def test_a_worker_that_dies_over_a_title_leaves_the_first_words(world: World) -> None:
    world.titles = True
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask("Why is the sky blue?")
        ended(await runner.stream(0), "Because.")
        await world.reply_of(asked)
        (await runner.stream(1)).say("Half a")
        await eventually(lambda: world.chunks(replace(asked, call_id=title_call_of(world, asked))))
    assert title_of(world, asked) == "Why is the sky blue?"
    assert world.call(replace(asked, call_id=title_call_of(world, asked))).outcome == "interrupted"
