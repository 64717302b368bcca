"""Replays through commands: turn by turn, whatever is repeated, raced, stopped, resumed, cancelled or deleted."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from backend.application.conversations import Conversations
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import (
    InvalidParameter,
    NothingToReplay,
    ReplayChangesNothing,
    UnknownConversation,
    UnknownMessage,
    UnknownModel,
    UnknownReplay,
)
from backend.domain.replay import FINISHED
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, refused
from tests.support.facts import OWNER, STRANGER, CountedIds
from tests.support.histories import MODEL, SYSTEM
from tests.support.replays import TooSmall, asked_by, finish, newest, state, texts, with_turns
from tests.support.rivals import RivalStore

UNKNOWN = UUID("4e9a0000-0000-4000-8000-00000000dead")

# ---- turn by turn ---------------------------------------------------------------------------


def test_a_replay_is_one_event_and_makes_its_first_step_due(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    end = store.end()
    answer = core.run(
        c.StartReplay(OWNER, conversation_id, model="big", params={"seed": 1}, system_prompt="")
    )
    replay_id = UUID(answer.body["replay_id"])
    assert (answer.status, answer.body["turns_total"]) == (202, 3)
    assert answer.body["version"] == core.conversation(conversation_id).version
    assert answer.body["position"] == str(end + 1)
    (event,) = [recorded.event for recorded in store.read_after(end, 9)]
    assert isinstance(event, e.ReplayRequested)
    assert (event.model, event.params, event.system_prompt) == ("big", {"seed": "1"}, "")
    assert list(store.replays_due) == [replay_id]


def test_what_a_replay_does_not_name_is_what_is_in_force(core: Core) -> None:
    conversation_id = core.start(params={"seed": 3})
    core.turn(conversation_id)
    cases: list[tuple[dict[str, Any], tuple[object, ...]]] = [
        ({"model": "big"}, ("big", {"seed": "3"}, None)),
        ({"params": {"seed": 4}}, (MODEL, {"seed": "4"}, None)),
        ({"system_prompt": "Other."}, (MODEL, {"seed": "3"}, "Other.")),
    ]
    for fields, expected in cases:
        replay_id = core.replay(conversation_id, **fields)
        replay = core.conversation(conversation_id).replay(replay_id)
        assert (replay.model, replay.params, replay.system_prompt) == expected


def test_a_branch_is_sent_again_turn_by_turn_as_a_new_branch(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    source = core.conversation(conversation_id).nodes.copy()
    replay_id = core.replay(conversation_id, model="big", params={"seed": 1}, system_prompt="Be brief.")
    assert finish(core, conversation_id, replay_id) == ["send", "send", "send", "finish"]
    calls = [reply.call_id for reply in asked_by(core, conversation_id, replay_id)]
    assert [texts(core, call_id) for call_id in calls] == [
        ["Be brief.", "1"],
        ["Be brief.", "1", "R1", "2"],
        ["Be brief.", "1", "R1", "2", "R2", "3"],
    ]
    for call_id in calls:
        call = store.read_call(call_id)
        assert (call.purpose, call.prompt_request.model) == ("replay", "big")
        assert call.prompt_request.params == {"seed": "1"}
    after = core.conversation(conversation_id)
    assert [after.nodes[message_id] for message_id in source] == list(source.values())
    assert len(after.nodes.leaves()) == 2
    assert after.replay(replay_id).state == FINISHED
    assert after.selected_leaf_id == after.nodes.leaves()[1] == after.replay(replay_id).reply_id
    last = core.events(conversation_id)[-1]
    assert isinstance(last, e.ReplayFinished)
    assert last.leaf_id == after.selected_leaf_id
    assert store.replays_due == {}


def test_each_turn_is_one_commit_of_message_reply_and_call(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    end = store.end()
    assert core.advance(conversation_id, replay_id) == "send"
    said, asked, call = [recorded.event for recorded in store.read_after(end, 9)]
    assert isinstance(said, e.UserMessageSent)
    assert isinstance(asked, e.ReplyRequested)
    assert isinstance(call, e.ModelCallRequested)
    assert (said.parent_id, said.content) == (None, "1")
    assert (asked.parent_id, asked.replay) == (said.message_id, e.ReplayTurn(replay_id, 1))
    assert list(store.queue) == [call.originator_id] == [asked.call_id]
    assert store.replays_due == {}


def test_a_recorded_reply_makes_the_next_step_due_in_the_same_commit(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    elsewhere = core.turn(conversation_id, "Elsewhere", parent_id=None)
    assert store.replays_due == {}
    core.answer(newest(core, conversation_id, replay_id))
    assert list(store.replays_due) == [replay_id]
    assert core.advance(conversation_id, replay_id) == "send"
    assert elsewhere.reply_id not in core.conversation(conversation_id).nodes.path(
        core.conversation(conversation_id).selected_leaf_id
    )


def test_a_truncated_reply_is_gone_on_from(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "Half", outcomes.TRUNCATED)
    assert core.advance(conversation_id, replay_id) == "send"
    assert texts(core, newest(core, conversation_id, replay_id)) == [SYSTEM, "1", "Half", "2"]


def test_the_system_prompt_in_force_when_a_turn_is_sent_is_its_own(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    replay_id = core.replay(conversation_id, model="big")
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "R")
    core.change(conversation_id, system_prompt="Changed.", model="other")
    core.advance(conversation_id, replay_id)
    call_id = newest(core, conversation_id, replay_id)
    assert texts(core, call_id) == ["Changed.", "1", "R", "2"]
    assert core.request_of(call_id).model == "big"


def test_a_replays_branch_can_be_replayed(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    first = core.replay(conversation_id)
    finish(core, conversation_id, first)
    second = core.replay(conversation_id, system_prompt="Again.")
    assert finish(core, conversation_id, second) == ["send", "send", "finish"]
    assert texts(core, newest(core, conversation_id, second)) == ["Again.", "1", "R1", "2"]
    assert len(core.conversation(conversation_id).nodes.leaves()) == 3


def test_an_inherited_branch_is_replayed_in_the_fork(core: Core) -> None:
    source_id = with_turns(core, 2)
    leaf = core.conversation(source_id).selected_leaf_id
    assert leaf is not None
    fork_id = core.fork(source_id, leaf)
    core.turn(fork_id, "3", "3!")
    core.delete(source_id)
    replay_id = core.replay(fork_id)
    assert finish(core, fork_id, replay_id) == ["send", "send", "send", "finish"]
    assert texts(core, newest(core, fork_id, replay_id)) == [SYSTEM, "1", "R1", "2", "R2", "3"]


def test_two_replays_of_one_branch_do_not_disturb_each_other(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    first, second = core.replay(conversation_id, model="a"), core.replay(conversation_id, model="b")
    core.advance(conversation_id, first)
    # The second was requested before the first one's turn selected itself, and keeps its branch.
    assert finish(core, conversation_id, second) == ["send", "send", "finish"]
    core.answer(newest(core, conversation_id, first), "A1")
    assert finish(core, conversation_id, first) == ["send", "finish"]
    assert texts(core, newest(core, conversation_id, first)) == [SYSTEM, "1", "A1", "2"]
    assert texts(core, newest(core, conversation_id, second)) == [SYSTEM, "1", "R1", "2"]


def test_texts_are_sent_again_exactly_as_they_were(core: Core) -> None:
    text = 'Quotes " and \\ and \n lines \x01 \x7f \u2028 שלום 🫖 \ufeff'
    conversation_id = core.start()
    core.turn(conversation_id, text)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    assert texts(core, newest(core, conversation_id, replay_id)) == [SYSTEM, text]


def test_five_hundred_turns(store: InMemoryEventStore) -> None:
    core = Core(store, conversations=Conversations(store))
    conversation_id = with_turns(core, 500)
    replay_id = core.replay(conversation_id)
    steps = 0
    call_ids: set[UUID] = set()
    while core.advance(conversation_id, replay_id) == "send":
        steps += 1
        (call_id,) = store.queue
        call_ids.add(call_id)
        core.answer(call_id, f"R{steps}")
    assert (steps, len(call_ids)) == (500, 500)
    assert state(core, conversation_id, replay_id) == FINISHED
    last = newest(core, conversation_id, replay_id)
    assert texts(core, last)[-3:] == ["499", "R499", "500"]
    branch = core.conversation(conversation_id).nodes.path(
        core.conversation(conversation_id).selected_leaf_id
    )
    assert len(branch) == 1000
    assert len({node.message_id for node in branch}) == 1000


# ---- repeats and rivals ---------------------------------------------------------------------


def test_a_step_asked_for_twice_is_taken_once(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    assert core.advance(conversation_id, replay_id) == "send"
    end = store.end()
    assert core.advance(conversation_id, replay_id) is None
    assert core.advance(conversation_id, replay_id) is None
    assert store.end() == end
    finish(core, conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id))
    finish(core, conversation_id, replay_id)
    end = store.end()
    assert core.advance(conversation_id, replay_id) is None
    assert store.end() == end


@pytest.mark.parametrize("turn", [1, 2, 3, 4], ids=["first", "second", "third", "finish"])
def test_of_two_workers_at_the_same_step_one_takes_it(store: InMemoryEventStore, turn: int) -> None:
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    for _ in range(turn - 1):
        core.advance(conversation_id, replay_id)
        core.answer(newest(core, conversation_id, replay_id))
    taken: list[str | None] = []
    rivals.interrupt(lambda: taken.append(core.advance(conversation_id, replay_id)))
    assert slow.advance(conversation_id, replay_id) is None
    assert slow.pauses == [1]
    assert taken == ["finish" if turn == 4 else "send"]
    sent = [event.replay.turn for event in asked_by(core, conversation_id, replay_id) if event.replay]
    assert sent == list(range(1, min(turn, 3) + 1))
    assert len(store.queue) == (0 if turn == 4 else 1)


def test_somebody_who_writes_at_the_same_time_delays_a_turn_by_one_try(store: InMemoryEventStore) -> None:
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    rivals.interrupt(lambda: core.change(conversation_id, system_prompt="Meanwhile."))
    assert slow.advance(conversation_id, replay_id) == "send"
    assert texts(core, newest(core, conversation_id, replay_id)) == ["Meanwhile.", "1"]


def test_a_cancel_at_the_same_time_as_a_turn_wins(store: InMemoryEventStore) -> None:
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    rivals.interrupt(lambda: core.cancel_replay(conversation_id, replay_id))
    assert slow.advance(conversation_id, replay_id) is None
    assert asked_by(core, conversation_id, replay_id) == []


def test_what_becomes_due_while_a_step_finds_nothing_to_do_stays_due(store: InMemoryEventStore) -> None:
    """Such a step appends no event, so no version conflict tells it that it is late."""
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    rivals.interrupt(lambda: core.answer(newest(core, conversation_id, replay_id)))
    assert slow.advance(conversation_id, replay_id) is None
    assert list(store.replays_due) == [replay_id]
    assert slow.advance(conversation_id, replay_id) == "send"
    assert store.replays_due == {}


# ---- refusals -------------------------------------------------------------------------------


def test_what_cannot_be_replayed(store: InMemoryEventStore) -> None:
    core = Core(store, models=TooSmall(4000))
    conversation_id = with_turns(core, 1)
    empty_id = core.start()
    same = refused(lambda: core.run(c.StartReplay(OWNER, conversation_id)), ReplayChangesNothing, store)
    assert (same.code, list(same.fields)) == ("replay_changes_nothing", ["model"])
    nothing = refused(lambda: core.replay(empty_id, model="big"), NothingToReplay, store)
    assert (nothing.code, list(nothing.fields)) == ("nothing_to_replay", ["leaf_id"])
    model = refused(lambda: core.replay(conversation_id, model="missing"), UnknownModel, store)
    assert (model.code, list(model.fields)) == ("model_unknown", ["model"])
    assert "'missing'" in str(model)
    assert f"big, {MODEL}, tiny" in str(model)
    unknown = refused(
        lambda: core.replay(conversation_id, model="big", leaf_id=UNKNOWN), UnknownMessage, store
    )
    assert unknown.code == "message_not_found"
    params = {"temperature": "hot"}
    wrong = refused(lambda: core.replay(conversation_id, params=params), InvalidParameter, store)
    assert list(wrong.fields) == ["params.temperature"]


def test_while_no_models_are_known_any_may_be_named(core: Core) -> None:
    conversation_id = with_turns(core, 1)
    replay_id = core.replay(conversation_id, model="not listed yet")
    assert core.conversation(conversation_id).replay(replay_id).model == "not listed yet"


def test_a_replay_is_known_to_the_owner_of_its_conversation_only(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id, other_id = with_turns(core), with_turns(core, 1)
    replay_id = core.replay(conversation_id)
    stranger = Core(store, owner_id=STRANGER)
    for act in (stranger.cancel_replay, stranger.resume):
        refused(partial(act, conversation_id, replay_id), UnknownConversation, store)
    for act in (core.cancel_replay, core.resume):
        for where, which in ((conversation_id, UNKNOWN), (other_id, replay_id)):
            refusal = refused(partial(act, where, which), UnknownReplay, store)
            assert refusal.code == "replay_not_found"
    refused(lambda: core.advance(conversation_id, UNKNOWN), UnknownReplay, store)
    refused(lambda: core.advance(UNKNOWN, replay_id), UnknownConversation, store)
