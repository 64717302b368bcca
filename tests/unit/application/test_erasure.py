"""Erasing conversations: what goes, what stays, and what is refused."""

from __future__ import annotations

from uuid import UUID

import pytest

from backend.application.conversations import Conversations
from backend.application.history import load_own_conversation
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain.errors import (
    CallsUnderWay,
    ConversationIsErased,
    ForksRemain,
    InvalidInput,
    ModelCallIsErased,
    UnknownConversation,
    UnknownModelCall,
)
from tests.support.builders import OWNER, STRANGER, World, names_of

SECRET = "the-word-that-must-go"


def erase(world: World, *ids: UUID, by: str = "operator a", reason: str = "asked for") -> None:
    world.run(c.EraseConversations(ids, by=by, reason=reason), actor="operator a")


@pytest.fixture
def world() -> World:
    return World()


def test_of_the_events_only_places_and_digests_stay(world: World) -> None:
    conversation_id = world.start(title=SECRET, system_prompt=SECRET)
    sent = world.turn(conversation_id, SECRET, SECRET)
    before = world.store.read_stream(conversation_id, 0, 100)
    erase(world, conversation_id)
    after = world.store.read_stream(conversation_id, 0, 100)
    assert [(row.position, row.version, row.topic) for row in after[:-1]] == [
        (row.position, row.version, row.topic) for row in before
    ]
    assert after[-1].topic == "ConversationErased.v1"
    assert all(list(row.payload) == ["erased"] for row in after[:-1])
    rows = [*after, *world.store.read_stream(sent.call_id, 0, 100)]
    assert SECRET.encode() not in b"".join(row.payload_bytes for row in rows)
    assert names_of(world.store.read_events(sent.call_id)) == ["ErasedEvent"] * 3


def test_the_erasure_says_what_calls_there_were(world: World) -> None:
    conversation_id = world.start()
    sent = world.turn(conversation_id)
    requested, *_, ended = world.store.read_events(sent.call_id)
    erase(world, conversation_id)
    erasure = world.store.read_events(conversation_id)[-1]
    assert isinstance(erasure, e.ConversationErased)
    assert (erasure.owner_id, erasure.by, erasure.reason) == (OWNER, "operator a", "asked for")
    (call,) = erasure.calls
    assert (call.call_id, call.versions, call.purpose, call.outcome) == (sent.call_id, 3, "reply", "complete")
    assert (call.requested_at, call.ended_at) == (requested.timestamp, ended.timestamp)
    assert (call.prompt_tokens, call.completion_tokens, call.duration_ms) == (11, 7, 120)


def test_afterwards_its_owner_is_told_and_nobody_else(world: World) -> None:
    conversation_id = world.start()
    sent = world.turn(conversation_id)
    erase(world, conversation_id)
    for attempt in (
        lambda: world.send(conversation_id),
        lambda: load_own_conversation(world.store, conversation_id, OWNER),
        lambda: world.run(c.RestoreConversation(OWNER, conversation_id)),
        lambda: erase(world, conversation_id),
    ):
        with pytest.raises(ConversationIsErased, match=r"operator a \(asked for\)"):
            attempt()
    with pytest.raises(UnknownConversation):
        load_own_conversation(world.store, conversation_id, STRANGER)
    with pytest.raises(UnknownConversation):
        world.run(c.DeleteConversation(STRANGER, conversation_id))
    with pytest.raises(ModelCallIsErased):
        world.store.read_call(sent.call_id)
    with pytest.raises(UnknownModelCall) as refused:
        world.run(c.CancelModelCall(STRANGER, sent.call_id))
    assert refused.value.code == "model_call_not_found"


def test_what_a_process_keeps_in_memory_is_dropped(world: World) -> None:
    conversation_id = world.start()
    world.turn(conversation_id, SECRET)
    kept = Conversations(world.store)
    kept.load(conversation_id)
    erase(world, conversation_id)
    for _ in range(2):
        with pytest.raises(ConversationIsErased):
            kept.load(conversation_id)
    assert conversation_id not in kept._kept


def test_a_call_that_has_not_ended_is_waited_for(world: World) -> None:
    conversation_id = world.start()
    sent = world.send(conversation_id)
    with pytest.raises(CallsUnderWay, match=str(sent.call_id)):
        erase(world, conversation_id)
    world.run(c.DeleteConversation(OWNER, conversation_id))
    claim = world.begin(sent.call_id)
    with pytest.raises(CallsUnderWay):
        erase(world, conversation_id)
    world.record(sent.call_id, claim, outcome="cancelled")
    erase(world, conversation_id)


def test_a_title_that_is_being_made_is_waited_for() -> None:
    world = World(titles=True)
    conversation_id = world.start()
    world.turn(conversation_id)
    (title_call,) = world.store.queue
    with pytest.raises(CallsUnderWay, match=str(title_call)):
        erase(world, conversation_id)
    world.record(title_call, world.begin(title_call), SECRET)
    erase(world, conversation_id)
    assert names_of(world.store.read_events(title_call)) == ["ErasedEvent"] * 3


def test_forks_hold_the_same_words_and_must_go_too(world: World) -> None:
    source = world.start()
    sent = world.turn(source, SECRET)
    fork = _fork(world, source, sent.reply_id)
    with pytest.raises(ForksRemain) as refused:
        erase(world, source)
    assert refused.value.fork_ids == {fork}
    assert world.conversation(source).version == world.store.read_events(source)[-1].originator_version
    erase(world, fork, source)
    for conversation_id in (fork, source):
        assert isinstance(world.store.read_events(conversation_id)[-1], e.ConversationErased)


def test_a_fork_alone_leaves_its_source(world: World) -> None:
    source = world.start()
    sent = world.turn(source)
    fork = _fork(world, source, sent.reply_id)
    erase(world, fork)
    world.turn(source, "And on it goes")
    with pytest.raises(ConversationIsErased):
        world.send(fork)


@pytest.mark.parametrize("field", ["by", "reason"])
@pytest.mark.parametrize("text", ["", "  ", "x" * 1025, "nul\x00"])
def test_who_and_why_must_be_said(world: World, field: str, text: str) -> None:
    conversation_id = world.start()
    end = world.store.end()
    with pytest.raises(InvalidInput) as refused:
        erase(world, conversation_id, **{field: text})
    assert list(refused.value.fields) == [field]
    assert world.store.end() == end


def _fork(world: World, source: UUID, message_id: UUID) -> UUID:
    return UUID(world.run(c.ForkConversation(OWNER, source, message_id)).body["id"])
