"""Rules of a replay: what is due next, and what starts, stops, resumes and ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.conversation import Conversation
from backend.domain.envelope import Stamp
from backend.domain.errors import (
    ConversationIsDeleted,
    NothingToReplay,
    ReplayNotStopped,
    UnknownMessage,
    UnknownReplay,
)
from backend.domain.replay import (
    Finish,
    Replay,
    ReplayStep,
    SendTurn,
    Stop,
    call_id_of,
    message_id_of,
    reply_id_of,
)
from tests.support.facts import Fact, call_id, fact, message_id
from tests.support.given import given_conversation, refusal_of
from tests.support.histories import reply_recorded, reply_requested, started, user_said

Act = Callable[[Conversation, Stamp], object]

REPLAY = UUID("4e9a0000-0000-4000-8000-000000000001")
DELETED = fact(e.ConversationDeleted)
RESTORED = fact(e.ConversationRestored)
PROBLEM = e.ReplyError("runner_unreachable", "The runner is not there.")

SOURCE = [
    *started(),
    user_said(1, "One"),
    reply_requested(2, parent=1),
    reply_recorded(2, "Two"),
    user_said(3, "Three", parent=2),
    reply_requested(4, parent=3),
    reply_recorded(4, "Four"),
]


def requested(leaf: int = 4, turns: int = 2, **fields: Any) -> Fact:
    values = {"model": "other", "params": {"seed": "7"}, "system_prompt": "Be brief.", **fields}
    return fact(e.ReplayRequested, replay_id=REPLAY, leaf_id=message_id(leaf), turns_total=turns, **values)


def asked(number: int, parent: int, turn: int) -> Fact:
    """The reply that a turn of the replay asked for."""
    asking = reply_requested(number, parent)
    return Fact(asking.event_class, {**asking.fields, "replay": e.ReplayTurn(REPLAY, turn)})


RUNNING = [*SOURCE, requested()]
FIRST_SENT = [*RUNNING, user_said(11, "One"), asked(12, 11, turn=1)]
FIRST_DONE = [*FIRST_SENT, reply_recorded(12, "Twelve")]
SECOND_SENT = [*FIRST_DONE, user_said(13, "Three", parent=12), asked(14, 13, turn=2)]
ALL_DONE = [*SECOND_SENT, reply_recorded(14, "Fourteen")]
STOPPED = fact(e.ReplayStopped, replay_id=REPLAY, turn=1, error=PROBLEM)
RESUMED = fact(e.ReplayResumed, replay_id=REPLAY)
CANCELLED = fact(e.ReplayCancelled, replay_id=REPLAY)
FINISHED = fact(e.ReplayFinished, replay_id=REPLAY, leaf_id=message_id(14))


def start(leaf: int | None = 4, **fields: Any) -> Act:
    values = {"model": "other", "params": {"seed": "7"}, "system_prompt": "Be brief.", **fields}

    def act(conversation: Conversation, stamp: Stamp) -> Replay:
        leaf_id = None if leaf is None else message_id(leaf)
        return conversation.start_replay(replay_id=REPLAY, leaf_id=leaf_id, stamp=stamp, **values)

    return act


def cancel(conversation: Conversation, stamp: Stamp) -> UUID | None:
    return conversation.cancel_replay(REPLAY, stamp)


def resume(conversation: Conversation, stamp: Stamp) -> e.ReplayTurn | None:
    return conversation.resume_replay(REPLAY, stamp)


def step_after(*past: Fact) -> ReplayStep | None:
    return given_conversation(*past).aggregate.replay_step(REPLAY)


# ---- starting -------------------------------------------------------------------------------


def test_a_replay_names_its_branch_its_settings_and_its_number_of_turns() -> None:
    happened = given_conversation(*SOURCE).when(start()).then(requested())
    assert happened.answer == Replay(
        REPLAY, message_id(4), "other", {"seed": "7"}, "Be brief.", turns_total=2
    )


def test_without_a_branch_named_the_selected_one_is_run_again() -> None:
    past = [*SOURCE, fact(e.BranchSelected, leaf_id=message_id(4)), user_said(5, "Elsewhere")]
    given_conversation(*past).when(start(leaf=None)).then(requested(leaf=5, turns=1))


def test_a_branch_can_be_named_by_any_of_its_messages() -> None:
    given_conversation(*SOURCE).when(start(leaf=2)).then(requested(leaf=2, turns=1))


def test_a_branch_can_be_run_again_while_its_last_reply_is_written() -> None:
    past = [*SOURCE, user_said(5, "Five", parent=4), reply_requested(6, parent=5)]
    given_conversation(*past).when(start(leaf=6)).then(requested(leaf=6, turns=3))


def test_an_empty_conversation_has_nothing_to_replay() -> None:
    refusal = (
        given_conversation(*started()).when(start(leaf=None)).then_refused(NothingToReplay, field="leaf_id")
    )
    assert refusal.code == "nothing_to_replay"


def test_an_unknown_branch_is_not_replayed() -> None:
    assert given_conversation(*SOURCE).when(start(leaf=99)).then_refused(UnknownMessage).code == (
        "message_not_found"
    )


def test_a_deleted_conversation_is_not_replayed() -> None:
    given_conversation(*SOURCE, DELETED).when(start()).then_refused(ConversationIsDeleted)


# ---- what is due ----------------------------------------------------------------------------


def test_the_first_turn_begins_another_root() -> None:
    assert step_after(*RUNNING) == SendTurn(1, message_id(1), None)


def test_while_a_reply_is_written_nothing_is_due() -> None:
    assert step_after(*FIRST_SENT) is None
    assert step_after(*SECOND_SENT) is None


@pytest.mark.parametrize("outcome", [outcomes.COMPLETE, outcomes.TRUNCATED])
def test_after_a_reply_the_next_turn_is_due_below_it(outcome: str) -> None:
    past = [*FIRST_SENT, reply_recorded(12, "Twelve", outcome)]
    assert step_after(*past) == SendTurn(2, message_id(3), message_id(12))


def test_after_the_last_reply_the_replay_is_to_be_finished() -> None:
    assert step_after(*ALL_DONE) == Finish(message_id(14))


@pytest.mark.parametrize("outcome", [outcomes.FAILED, outcomes.INTERRUPTED, outcomes.CANCELLED])
def test_a_reply_that_nothing_can_follow_stops_the_replay(outcome: str) -> None:
    step = step_after(*SECOND_SENT, reply_recorded(14, "Half", outcome))
    assert isinstance(step, Stop)
    assert (step.turn, step.error.code) == (2, f"reply_{outcome}")
    assert f"turn 2 of 2 ended as {outcome}" in step.error.message


@pytest.mark.parametrize(
    ("past", "turn"), [(RUNNING, 1), (FIRST_DONE, 1), (ALL_DONE, 2)], ids=["unsent", "first", "last"]
)
def test_a_deleted_conversation_stops_its_replay(past: list[Fact], turn: int) -> None:
    step = step_after(*past, DELETED)
    assert isinstance(step, Stop)
    assert (step.turn, step.error.code) == (turn, "conversation_deleted")


def test_in_a_deleted_conversation_a_running_reply_is_waited_for() -> None:
    assert step_after(*FIRST_SENT, DELETED) is None


@pytest.mark.parametrize("end", [STOPPED, CANCELLED, FINISHED], ids=["stopped", "cancelled", "finished"])
def test_after_its_end_nothing_is_due(end: Fact) -> None:
    assert step_after(*ALL_DONE, end) is None


def test_what_others_do_in_the_conversation_does_not_lead_a_replay_astray() -> None:
    elsewhere = [user_said(20, "Elsewhere", parent=12), reply_requested(21, parent=11)]
    assert step_after(*FIRST_DONE, *elsewhere) == SendTurn(2, message_id(3), message_id(12))


def test_an_unknown_replay_is_refused() -> None:
    conversation = given_conversation(*RUNNING).aggregate
    refusal = refusal_of(lambda: conversation.replay_step(UUID(int=9)), UnknownReplay)
    assert refusal.code == "replay_not_found"


def test_only_a_running_replay_waits_for_a_reply() -> None:
    assert given_conversation(*FIRST_SENT).aggregate.running_replay_of(message_id(12)) == REPLAY
    assert given_conversation(*FIRST_SENT).aggregate.running_replay_of(message_id(2)) is None
    assert given_conversation(*FIRST_SENT, CANCELLED).aggregate.running_replay_of(message_id(12)) is None


# ---- cancelling -----------------------------------------------------------------------------


def test_cancelling_ends_the_replay_and_names_the_running_call() -> None:
    happened = given_conversation(*FIRST_SENT).when(cancel).then(CANCELLED)
    assert happened.answer == call_id(12)


@pytest.mark.parametrize("past", [RUNNING, FIRST_DONE, [*FIRST_DONE, STOPPED]])
def test_between_two_turns_and_after_a_stop_there_is_no_call_to_cancel(past: list[Fact]) -> None:
    assert given_conversation(*past).when(cancel).then(CANCELLED).answer is None


@pytest.mark.parametrize("end", [CANCELLED, FINISHED])
def test_cancelling_again_or_too_late_changes_nothing(end: Fact) -> None:
    given_conversation(*ALL_DONE, end).when(cancel).then_nothing()


def test_a_replay_is_cancelled_also_in_a_deleted_conversation() -> None:
    given_conversation(*FIRST_SENT, DELETED).when(cancel).then(CANCELLED)


def test_an_unknown_replay_is_not_cancelled() -> None:
    given_conversation(*SOURCE).when(cancel).then_refused(UnknownReplay)


# ---- stopping and resuming ------------------------------------------------------------------


def test_a_resumed_replay_asks_again_for_the_reply_that_failed() -> None:
    past = [*FIRST_SENT, reply_recorded(12, "", outcomes.FAILED), STOPPED]
    happened = given_conversation(*past).when(resume).then(RESUMED)
    assert happened.answer == e.ReplayTurn(REPLAY, 1)


@pytest.mark.parametrize("past", [RUNNING, FIRST_DONE], ids=["before any turn", "after a turn"])
def test_a_turn_that_could_not_be_sent_is_simply_due_again(past: list[Fact]) -> None:
    happened = given_conversation(*past, STOPPED).when(resume).then(RESUMED)
    assert happened.answer is None
    assert step_after(*past, STOPPED, RESUMED) == step_after(*past)


def test_the_new_reply_to_a_turn_takes_the_place_of_the_failed_one() -> None:
    again = [
        *FIRST_SENT,
        reply_recorded(12, "", outcomes.FAILED),
        STOPPED,
        RESUMED,
        asked(15, 11, turn=1),
    ]
    assert step_after(*again) is None
    replay = given_conversation(*again).aggregate.replay(REPLAY)
    assert (replay.turn, replay.tries, replay.reply_id) == (1, 2, message_id(15))
    assert step_after(*again, reply_recorded(15, "Now")) == SendTurn(2, message_id(3), message_id(15))


def test_tries_are_counted_anew_for_each_turn() -> None:
    assert given_conversation(*SECOND_SENT).aggregate.replay(REPLAY).tries == 1


@pytest.mark.parametrize(
    ("past", "state"),
    [
        (RUNNING, "running"),
        (FIRST_SENT, "running"),
        ([*RUNNING, CANCELLED], "cancelled"),
        ([*ALL_DONE, FINISHED], "finished"),
    ],
)
def test_only_a_stopped_replay_is_resumed(past: list[Fact], state: str) -> None:
    refusal = given_conversation(*past).when(resume).then_refused(ReplayNotStopped)
    assert refusal.code == "replay_not_stopped"
    assert f"is {state}" in str(refusal)


def test_a_replay_is_resumed_once_its_conversation_is_restored() -> None:
    past = [*FIRST_SENT, reply_recorded(12, "", outcomes.CANCELLED), DELETED, STOPPED]
    given_conversation(*past).when(resume).then_refused(ConversationIsDeleted)
    assert given_conversation(*past, RESTORED).when(resume).then(RESUMED).answer == (e.ReplayTurn(REPLAY, 1))


def test_an_unknown_replay_is_not_resumed() -> None:
    given_conversation(*SOURCE).when(resume).then_refused(UnknownReplay)


# ---- ids ------------------------------------------------------------------------------------


def test_ids_follow_from_replay_turn_and_try_and_never_meet() -> None:
    other = UUID("4e9a0000-0000-4000-8000-000000000002")
    made = [
        make
        for replay in (REPLAY, other)
        for turn in (1, 2, 11, 111)
        for make in (
            message_id_of(replay, turn),
            *(reply_id_of(replay, turn, attempt) for attempt in (1, 2, 11)),
            *(call_id_of(replay, turn, attempt) for attempt in (1, 2, 11)),
        )
    ]
    assert len(set(made)) == len(made)
    # Pinned: a replay may be running while a new release is installed.
    assert message_id_of(REPLAY, 1) == UUID("22a5dd71-040e-5313-9d55-56caa68e2e9a")
    assert reply_id_of(REPLAY, 1, 1) == UUID("576393d9-9004-5340-ac0e-d4c1b6dc8a16")
    assert call_id_of(REPLAY, 1, 1) == UUID("d425989a-a770-50c1-a56c-87a68d971797")
