"""How replays end before their last turn: cancelled, stopped and resumed, or with their conversation deleted."""

from __future__ import annotations

from uuid import UUID

import pytest

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import (
    PromptTooLong,
    ReplayNotStopped,
)
from backend.domain.replay import CANCELLED, FINISHED, STOPPED, message_id_of
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, refused
from tests.support.facts import CountedIds
from tests.support.histories import SYSTEM
from tests.support.replays import TooSmall, asked_by, finish, newest, state, stopped_at, texts, with_turns
from tests.support.rivals import RivalStore

# ---- cancelling -----------------------------------------------------------------------------


def test_cancelling_in_mid_turn_asks_the_running_call_to_stop(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    call_id = newest(core, conversation_id, replay_id)
    claim = core.claim(call_id)
    core.begin(call_id, claim)
    answer = core.cancel_replay(conversation_id, replay_id)
    assert (answer.status, set(answer.body)) == (202, {"position"})
    assert store.announced_cancels == [call_id]
    assert core.topics(call_id)[-1] == "ModelCallCancelRequested"
    core.record(call_id, claim, "Half", outcomes.CANCELLED)
    assert store.replays_due == {}
    assert core.advance(conversation_id, replay_id) is None
    assert state(core, conversation_id, replay_id) == CANCELLED


def test_a_reply_that_comes_in_spite_of_the_cancel_is_kept_and_nothing_follows(core: Core) -> None:
    conversation_id = with_turns(core)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    call_id = newest(core, conversation_id, replay_id)
    core.cancel_replay(conversation_id, replay_id)
    core.answer(call_id, "Complete all the same")
    assert core.advance(conversation_id, replay_id) is None
    recorded = core.events(conversation_id)[-1]
    assert isinstance(recorded, e.ReplyRecorded)
    assert recorded.content == "Complete all the same"


def test_cancelling_again_or_after_the_end_stores_nothing(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core, 1)
    cancelled, finished = core.replay(conversation_id), core.replay(conversation_id, model="b")
    core.cancel_replay(conversation_id, cancelled)
    finish(core, conversation_id, finished)
    end = store.end()
    for replay_id in (cancelled, finished):
        assert core.cancel_replay(conversation_id, replay_id).body["position"] == str(end)
    assert store.end() == end
    assert state(core, conversation_id, finished) == FINISHED


# ---- stopping and resuming ------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [outcomes.FAILED, outcomes.INTERRUPTED, outcomes.CANCELLED])
def test_a_failed_turn_stops_the_replay_and_says_which_and_why(
    core: Core, store: InMemoryEventStore, outcome: str
) -> None:
    conversation_id = with_turns(core)
    replay_id = stopped_at(core, conversation_id, outcome=outcome)
    event = core.events(conversation_id)[-1]
    assert isinstance(event, e.ReplayStopped)
    assert (event.turn, event.error.code) == (2, f"reply_{outcome}")
    assert state(core, conversation_id, replay_id) == STOPPED
    assert core.advance(conversation_id, replay_id) is None
    assert store.replays_due == {}


def test_resuming_asks_again_for_the_reply_that_failed_and_goes_on(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = with_turns(core)
    replay_id = stopped_at(core, conversation_id)
    end = store.end()
    answer = core.resume(conversation_id, replay_id)
    assert answer.status == 202
    assert answer.body.keys() == {"reply_id", "call_id", "position"}
    resumed, asked, call = [recorded.event for recorded in store.read_after(end, 9)]
    assert isinstance(resumed, e.ReplayResumed)
    assert isinstance(asked, e.ReplyRequested)
    assert (str(asked.reply_id), str(call.originator_id)) == (answer.body["reply_id"], answer.body["call_id"])
    failed = asked_by(core, conversation_id, replay_id)[1]
    assert (asked.parent_id, asked.replay) == (failed.parent_id, failed.replay)
    assert texts(core, asked.call_id) == [SYSTEM, "1", "R1", "2"]
    assert list(store.queue) == [asked.call_id]
    core.answer(asked.call_id, "R2 at last")
    assert finish(core, conversation_id, replay_id) == ["send", "finish"]
    assert texts(core, newest(core, conversation_id, replay_id)) == [
        SYSTEM,
        "1",
        "R1",
        "2",
        "R2 at last",
        "3",
    ]
    turns = [event.replay.turn for event in asked_by(core, conversation_id, replay_id) if event.replay]
    assert turns == [1, 2, 2, 3]


def test_a_turn_may_fail_many_times(core: Core) -> None:
    conversation_id = with_turns(core)
    replay_id = stopped_at(core, conversation_id)
    for _ in range(4):
        call_id = UUID(core.resume(conversation_id, replay_id).body["call_id"])
        core.answer(call_id, "", outcomes.FAILED)
        assert core.advance(conversation_id, replay_id) == "stop"
    core.answer(UUID(core.resume(conversation_id, replay_id).body["call_id"]), "R2")
    assert finish(core, conversation_id, replay_id) == ["send", "finish"]
    assert len({event.call_id for event in asked_by(core, conversation_id, replay_id)}) == 8


def test_only_a_stopped_replay_is_resumed_and_once(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    running = core.replay(conversation_id, model="b")
    refusal = refused(lambda: core.resume(conversation_id, running), ReplayNotStopped, store)
    assert refusal.code == "replay_not_stopped"
    replay_id = stopped_at(core, conversation_id)
    core.resume(conversation_id, replay_id)
    refused(lambda: core.resume(conversation_id, replay_id), ReplayNotStopped, store)
    core.cancel_replay(conversation_id, running)
    refused(lambda: core.resume(conversation_id, running), ReplayNotStopped, store)


def test_a_stopped_replay_can_be_cancelled_instead(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = with_turns(core)
    replay_id = stopped_at(core, conversation_id)
    core.cancel_replay(conversation_id, replay_id)
    assert state(core, conversation_id, replay_id) == CANCELLED
    assert store.announced_cancels == []


# ---- prompts that do not fit ----------------------------------------------------------------


def test_a_turn_that_does_not_fit_stops_the_replay_before_it_is_sent(store: InMemoryEventStore) -> None:
    models = TooSmall(100)
    core = Core(store, models=models)
    conversation_id = core.start()
    core.turn(conversation_id, "Short")
    core.turn(conversation_id, "Long " * 400)
    replay_id = core.replay(conversation_id, model="tiny")
    assert finish(core, conversation_id, replay_id) == ["send", "stop"]
    event = core.events(conversation_id)[-1]
    assert isinstance(event, e.ReplayStopped)
    assert (event.turn, event.error.code) == (2, "prompt_too_long")
    assert message_id_of(replay_id, 2) not in core.conversation(conversation_id).nodes
    assert store.queue == {}
    again = core.resume(conversation_id, replay_id)
    assert (again.body["reply_id"], again.body["call_id"]) == (None, None)
    assert list(store.replays_due) == [replay_id]
    assert finish(core, conversation_id, replay_id) == ["stop"]
    models.tokens = 4000
    core.resume(conversation_id, replay_id)
    assert finish(core, conversation_id, replay_id) == ["send", "finish"]


def test_a_replay_of_which_no_turn_fits_stops_at_the_first(store: InMemoryEventStore) -> None:
    core = Core(store, models=TooSmall(100))
    conversation_id = core.start()
    core.turn(conversation_id, "Long " * 400)
    replay_id = core.replay(conversation_id, model="tiny")
    assert finish(core, conversation_id, replay_id) == ["stop"]
    event = core.events(conversation_id)[-1]
    assert isinstance(event, e.ReplayStopped)
    assert event.turn == 1
    core.resume(conversation_id, replay_id)
    assert finish(core, conversation_id, replay_id) == ["stop"]


def test_resuming_is_refused_where_the_turn_does_not_fit_any_more(store: InMemoryEventStore) -> None:
    models = TooSmall(4000)
    core = Core(store, models=models)
    conversation_id = core.start()
    core.turn(conversation_id, "Long " * 400)
    replay_id = core.replay(conversation_id, model="tiny")
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "", outcomes.FAILED)
    core.advance(conversation_id, replay_id)
    models.tokens = 100
    refusal = refused(lambda: core.resume(conversation_id, replay_id), PromptTooLong, store)
    assert refusal.code == "prompt_too_long"
    assert state(core, conversation_id, replay_id) == STOPPED


def test_a_replay_cancelled_while_its_turn_is_found_too_long_is_not_stopped_after_its_end(
    store: InMemoryEventStore,
) -> None:
    models = TooSmall(100)
    core = Core(store, models=models)
    conversation_id = core.start()
    core.turn(conversation_id, "Long " * 400)
    replay_id = core.replay(conversation_id, model="tiny")
    models.meanwhile.append(lambda: core.cancel_replay(conversation_id, replay_id))
    assert core.advance(conversation_id, replay_id) is None
    assert [type(event) for event in core.events(conversation_id)][-1] is e.ReplayCancelled
    assert state(core, conversation_id, replay_id) == CANCELLED


def test_a_replay_resumed_while_a_late_step_finds_it_stopped_stays_due(store: InMemoryEventStore) -> None:
    core, rivals = Core(store, models=TooSmall(100)), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = core.start()
    core.turn(conversation_id, "Long " * 400)
    replay_id = core.replay(conversation_id, model="tiny")
    core.advance(conversation_id, replay_id)
    rivals.interrupt(lambda: core.resume(conversation_id, replay_id))
    assert slow.advance(conversation_id, replay_id) is None
    assert list(store.replays_due) == [replay_id]


# ---- deleting -------------------------------------------------------------------------------


def test_deleting_in_mid_turn_stops_the_replay_which_goes_on_after_restoring(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = with_turns(core, 2)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    call_id = newest(core, conversation_id, replay_id)
    core.delete(conversation_id)
    assert store.announced_cancels == [call_id]
    assert core.advance(conversation_id, replay_id) is None
    core.answer(call_id, "", outcomes.CANCELLED)
    assert list(store.replays_due) == [replay_id]
    assert core.advance(conversation_id, replay_id) == "stop"
    event = core.events(conversation_id)[-1]
    assert isinstance(event, e.ReplayStopped)
    assert (event.turn, event.error.code) == (1, "conversation_deleted")
    core.restore(conversation_id)
    core.answer(UUID(core.resume(conversation_id, replay_id).body["call_id"]), "R1")
    assert finish(core, conversation_id, replay_id) == ["send", "finish"]


def test_deleting_between_two_turns_stops_the_replay_and_the_next_turn_is_sent_after_all(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "R1")
    core.delete(conversation_id)
    assert core.advance(conversation_id, replay_id) == "stop"
    core.restore(conversation_id)
    assert core.resume(conversation_id, replay_id).body["call_id"] is None
    assert finish(core, conversation_id, replay_id) == ["send", "finish"]


def test_a_conversation_deleted_and_restored_between_two_turns_goes_on_by_itself(core: Core) -> None:
    conversation_id = with_turns(core, 2)
    replay_id = core.replay(conversation_id)
    core.delete(conversation_id)
    core.restore(conversation_id)
    assert finish(core, conversation_id, replay_id) == ["send", "send", "finish"]
