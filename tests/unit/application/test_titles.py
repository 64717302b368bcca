"""Titles by a model: asked for once, after the first reply that says something, and never in anybody's way."""

from __future__ import annotations

from uuid import UUID

import pytest

from backend.application.history import rebuild_prompt
from backend.application.ports import AT_ONCE, LATER, QueueCall
from backend.domain import commands as c
from backend.domain.titles import UNTITLED
from backend.event_store.memory import InMemoryEventStore
from tests.support.builders import OWNER, World


@pytest.fixture
def world() -> World:
    return World(titles=True)


def titles_of(world: World, conversation_id: UUID) -> list[str]:
    topics = [row.topic for row in world.store.read_stream(conversation_id, 0, 100)]
    return [topic for topic in topics if topic in ("TitleRequested.v1", "ConversationTitled.v1")]


def title_call(world: World, conversation_id: UUID) -> UUID:
    call_id = world.conversation(conversation_id).title_call_id
    assert call_id is not None
    return call_id


def answer_title(world: World, conversation_id: UUID, content: str, **fields: str) -> None:
    call_id = title_call(world, conversation_id)
    world.record(call_id, world.begin(call_id), content, **fields)


def test_the_first_words_are_the_title_until_there_is_a_better_one(world: World) -> None:
    conversation_id = world.start()
    assert world.conversation(conversation_id).title == UNTITLED
    world.send(conversation_id, "Why is the sky blue?\nI wonder.")
    world.send(conversation_id, "Another root", parent_id=None)
    assert world.conversation(conversation_id).title == "Why is the sky blue?"


def test_the_first_reply_asks_for_a_title_in_its_own_commit(world: World) -> None:
    conversation_id = world.start()
    before = world.store.end()
    sent = world.turn(conversation_id, "Why is the sky blue?", "Because of scattering.")
    call = world.call(title_call(world, conversation_id))
    assert (call.purpose, call.reply_id, call.conversation_id) == ("title", None, conversation_id)
    assert call.prompt_request.model == world.call(sent.call_id).prompt_request.model
    last = [recorded.event.TOPIC for recorded in world.store.read_after(before, 100)][-4:]
    assert last == ["ReplyRecorded.v1", "TitleRequested.v1", "ModelCallCompleted.v1", "ModelCallRequested.v2"]
    assert call.id in world.store.queue


def test_titles_wait_behind_replies(world: World) -> None:
    conversation_id = world.start()
    sent = world.turn(conversation_id)
    assert QueueCall.of(world.call(title_call(world, conversation_id))).priority == LATER
    assert QueueCall.of(world.call(sent.call_id)).priority == AT_ONCE


def test_the_models_answer_becomes_the_title(world: World) -> None:
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?")
    answer_title(world, conversation_id, 'Title: "The Blue Sky"')
    assert world.conversation(conversation_id).title == "The Blue Sky"
    assert titles_of(world, conversation_id) == ["TitleRequested.v1", "ConversationTitled.v1"]


@pytest.mark.parametrize(
    ("content", "outcome"),
    [("", "failed"), ("Half a ti", "interrupted"), ("", "cancelled"), ("...", "complete")],
)
def test_a_title_call_that_comes_to_nothing_changes_nothing(world: World, content: str, outcome: str) -> None:
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?")
    answer_title(world, conversation_id, content, outcome=outcome)
    assert world.conversation(conversation_id).title == "Why is the sky blue?"
    assert titles_of(world, conversation_id) == ["TitleRequested.v1"]
    assert world.call(title_call(world, conversation_id)).outcome == outcome


def test_it_is_asked_for_once_only(world: World) -> None:
    conversation_id = world.start()
    world.turn(conversation_id)
    answer_title(world, conversation_id, "", outcome="failed")
    world.turn(conversation_id)
    assert titles_of(world, conversation_id) == ["TitleRequested.v1"]


def test_a_reply_without_a_word_is_not_the_first_one(world: World) -> None:
    conversation_id = world.start()
    failed = world.send(conversation_id, "Why?")
    world.record(failed.call_id, world.begin(failed.call_id), "", outcome="failed")
    assert titles_of(world, conversation_id) == []
    world.turn(conversation_id)
    assert titles_of(world, conversation_id) == ["TitleRequested.v1"]


def test_a_title_that_was_given_at_the_start_is_left_alone(world: World) -> None:
    conversation_id = world.start(title="Mine")
    world.turn(conversation_id)
    assert world.conversation(conversation_id).title == "Mine"
    assert titles_of(world, conversation_id) == []


@pytest.mark.parametrize("title", ["Mine", "Why is the sky blue?"])
def test_a_title_that_is_given_meanwhile_stays(world: World, title: str) -> None:
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?")
    world.run(c.ChangeConversation(OWNER, conversation_id, title=title))
    answer_title(world, conversation_id, "The Blue Sky")
    assert world.conversation(conversation_id).title == title
    assert titles_of(world, conversation_id) == ["TitleRequested.v1"]


def test_the_title_of_a_deleted_conversation_is_recorded_all_the_same(world: World) -> None:
    conversation_id = world.start()
    world.turn(conversation_id)
    world.run(c.DeleteConversation(OWNER, conversation_id))
    answer_title(world, conversation_id, "The Blue Sky")
    assert world.conversation(conversation_id).title == "The Blue Sky"


def test_a_fork_keeps_the_title_it_came_with(world: World) -> None:
    conversation_id = world.start()
    sent = world.turn(conversation_id, "Why is the sky blue?")
    fork = UUID(world.run(c.ForkConversation(OWNER, conversation_id, sent.reply_id)).body["id"])
    before = titles_of(world, fork)
    assert before == []
    history = world.store.read_stream(fork, 0, 10)
    assert "blue" in history[0].payload["title"]


def test_switched_off_nothing_is_asked() -> None:
    world = World(store=InMemoryEventStore(), titles=False)
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?")
    assert titles_of(world, conversation_id) == []
    assert world.conversation(conversation_id).title == "Why is the sky blue?"


def test_the_prompt_of_a_title_is_rebuilt_as_it_was_recorded(world: World) -> None:
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?" * 200, "Because.")
    rebuilt = rebuild_prompt(world.store, world.call(title_call(world, conversation_id)))
    assert rebuilt.identical
    assert len(rebuilt.prompt.messages[1]["content"]) < 1200
