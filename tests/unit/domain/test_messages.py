"""Rules of a conversation's tree: who may answer whom, and that nothing is ever changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.conversation import SELECTED_LEAF, Conversation, ReplyPlace
from backend.domain.conversation_changes import Settings
from backend.domain.envelope import Stamp
from backend.domain.errors import (
    AttemptRefused,
    ConversationIsDeleted,
    ReplyPending,
    UnknownMessage,
    UnknownParent,
    VersionConflict,
    WrongMessageKind,
)
from tests.support.facts import CONVERSATION, OWNER, call_id, fact, message_id, stamper
from tests.support.given import given_call, given_conversation
from tests.support.histories import reply_recorded, reply_requested, started, user_said

Act = Callable[[Conversation, Stamp], object]

DELETED = fact(e.ConversationDeleted)
QUESTION = user_said(1, "Hi")
PENDING = reply_requested(2, parent=1)
ANSWER = reply_recorded(2, "Hello")


def send(number: int, content: str = "Hi", parent: int | str | None = "selected") -> Act:
    parent_id = SELECTED_LEAF if isinstance(parent, str) else None if parent is None else message_id(parent)

    def act(conversation: Conversation, stamp: Stamp) -> None:
        conversation.send_user_message(
            message_id=message_id(number), parent_id=parent_id, content=content, stamp=stamp
        )

    return act


def request(number: int, parent: int) -> Act:
    def act(conversation: Conversation, stamp: Stamp) -> None:
        conversation.request_reply(
            reply_id=message_id(number),
            place=ReplyPlace(message_id(parent)),
            call_id=call_id(number),
            stamp=stamp,
        )

    return act


def record(number: int, content: str = "Hello", outcome: str = outcomes.COMPLETE) -> Act:
    def act(conversation: Conversation, stamp: Stamp) -> None:
        conversation.record_reply(
            reply_id=message_id(number),
            content=content,
            reasoning="",
            tool_calls=[],
            finish_reason="stop" if outcome == outcomes.COMPLETE else None,
            outcome=outcome,
            error=None,
            stamp=stamp,
        )

    return act


def test_a_conversation_starts_with_its_settings_as_events() -> None:
    conversation = Conversation.start(
        conversation_id=CONVERSATION,
        owner_id=OWNER,
        title="Tea",
        settings=Settings("Be kind.", "smol", {"seed": "7"}),
        stamp=stamper(),
    )
    events = conversation.collect_events()
    assert [type(event) for event in events] == [
        e.ConversationStarted,
        e.SystemPromptChanged,
        e.ModelSettingsChanged,
    ]
    assert (conversation.id, conversation.owner_id, conversation.title) == (CONVERSATION, OWNER, "Tea")
    assert conversation.settings == Settings("Be kind.", "smol", {"seed": "7"})
    assert (conversation.version, conversation.selected_leaf_id, conversation.forked_from) == (3, None, None)
    assert (conversation.pinned, conversation.archived, conversation.deleted) == (False, False, False)


def test_every_event_carries_who_when_and_as_part_of_what() -> None:
    happened = given_conversation(*started()).when(send(1))
    expected = stamper()()
    event = happened.events[0]
    assert (event.originator_id, event.originator_version) == (CONVERSATION, 4)
    assert (event.event_id, event.timestamp, event.actor) == (expected.event_id, expected.at, expected.actor)
    assert (event.correlation_id, event.causation_id) == (expected.correlation_id, None)


def test_the_first_message_is_a_root_and_selects_itself() -> None:
    happened = given_conversation(*started()).when(send(1)).then(QUESTION)
    assert happened.aggregate.selected_leaf_id == message_id(1)


def test_without_a_parent_named_a_message_answers_the_selected_leaf() -> None:
    given_conversation(*started(), QUESTION, PENDING, ANSWER).when(send(3, "More")).then(
        user_said(3, "More", parent=2)
    )


def test_an_earlier_message_can_be_answered_and_makes_a_sibling() -> None:
    past = [*started(), QUESTION, PENDING, ANSWER, user_said(3, "More", parent=2)]
    happened = (
        given_conversation(*past).when(send(4, "Other", parent=2)).then(user_said(4, "Other", parent=2))
    )
    assert happened.aggregate.selected_leaf_id == message_id(4)
    assert happened.aggregate.nodes[message_id(3)].parent_id == message_id(2)


def test_a_second_root_is_a_sibling_of_the_first() -> None:
    given_conversation(*started(), QUESTION).when(send(2, "Again", parent=None)).then(user_said(2, "Again"))


def test_an_unknown_parent_is_refused_by_name() -> None:
    refusal = (
        given_conversation(*started()).when(send(1, parent=9)).then_refused(UnknownParent, field="parent_id")
    )
    assert str(message_id(9)) in str(refusal)
    assert refusal.code == "parent_not_found"


def test_a_pending_reply_cannot_be_answered_by_default() -> None:
    refusal = given_conversation(*started(), QUESTION, PENDING).when(send(3)).then_refused(ReplyPending)
    assert refusal.code == "reply_pending"


def test_a_pending_reply_cannot_be_answered_by_name() -> None:
    given_conversation(*started(), QUESTION, PENDING).when(send(3, parent=2)).then_refused(ReplyPending)


def test_beside_a_pending_reply_any_other_message_can_be_answered() -> None:
    given_conversation(*started(), QUESTION, PENDING).when(send(3, "Else", parent=1)).then(
        user_said(3, "Else", parent=1)
    )
    given_conversation(*started(), QUESTION, PENDING).when(send(3, "Else", parent=None)).then(
        user_said(3, "Else")
    )


@pytest.mark.parametrize("outcome", sorted(outcomes.FINAL_OUTCOMES))
def test_a_recorded_reply_can_be_answered_however_it_ended(outcome: str) -> None:
    past = [*started(), QUESTION, PENDING, reply_recorded(2, "", outcome)]
    given_conversation(*past).when(send(3)).then(user_said(3, "Hi", parent=2))


def test_a_requested_reply_is_a_pending_node_and_selects_itself() -> None:
    happened = given_conversation(*started(), QUESTION).when(request(2, 1)).then(PENDING)
    node = happened.aggregate.nodes[message_id(2)]
    assert (node.is_pending, node.parent_id, node.call_id) == (True, message_id(1), call_id(2))
    assert happened.aggregate.selected_leaf_id == message_id(2)
    assert happened.aggregate.pending_call_ids == (call_id(2),)


def test_a_reply_cannot_be_requested_below_an_unknown_message() -> None:
    given_conversation(*started()).when(request(2, 1)).then_refused(UnknownMessage)


def test_a_reply_cannot_be_requested_below_a_reply() -> None:
    past = [*started(), QUESTION, PENDING, ANSWER]
    given_conversation(*past).when(request(3, 2)).then_refused(WrongMessageKind, field="message_id")


def test_a_recorded_reply_never_moves_the_selection() -> None:
    past = [*started(), QUESTION, PENDING, user_said(3, "Elsewhere")]
    happened = given_conversation(*past).when(record(2)).then(ANSWER)
    assert happened.aggregate.selected_leaf_id == message_id(3)
    assert happened.aggregate.pending_call_ids == ()


def test_a_reply_is_recorded_once_only() -> None:
    past = [*started(), QUESTION, PENDING, ANSWER]
    refusal = given_conversation(*past).when(record(2, "Other words")).then_refused(AttemptRefused)
    assert "complete" in str(refusal)


@pytest.mark.parametrize("number", [1, 9], ids=["a user's message", "an unknown id"])
def test_only_a_reply_can_be_recorded(number: int) -> None:
    given_conversation(*started(), QUESTION, PENDING).when(record(number)).then_refused(UnknownMessage)


def test_a_reply_is_recorded_also_in_a_deleted_conversation() -> None:
    given_conversation(*started(), QUESTION, PENDING, DELETED).when(record(2)).then(ANSWER)


def test_two_replies_can_be_pending_and_each_is_recorded() -> None:
    past = [*started(), QUESTION, PENDING, reply_requested(3, parent=1)]
    given = given_conversation(*past)
    assert given.aggregate.pending_call_ids == (call_id(2), call_id(3))
    happened = given.when(record(3, "Second")).then(reply_recorded(3, "Second"))
    assert happened.aggregate.pending_call_ids == (call_id(2),)


def test_regenerating_answers_the_same_user_message_again() -> None:
    conversation = given_conversation(*started(), QUESTION, PENDING, ANSWER).aggregate
    assert conversation.place_of_another_reply(message_id(1)) == ReplyPlace(message_id(1))
    assert conversation.place_of_another_reply(message_id(2)) == ReplyPlace(message_id(1))


def test_regenerating_a_continuation_continues_the_same_reply_again() -> None:
    past = [*started(), QUESTION, PENDING, ANSWER, reply_requested(3, parent=2, continues=2)]
    conversation = given_conversation(*past).aggregate
    again = ReplyPlace(message_id(2), continues=message_id(2))
    assert conversation.place_of_another_reply(message_id(3)) == again


def test_regenerating_an_unknown_message_is_refused() -> None:
    def act(conversation: Conversation, stamp: Stamp) -> ReplyPlace:
        return conversation.place_of_another_reply(message_id(3))

    given_conversation(*started()).when(act).then_refused(UnknownMessage)


@pytest.mark.parametrize("act", [send(3), send(3, parent=None), request(3, 1)])
def test_a_deleted_conversation_takes_no_new_messages(act: Act) -> None:
    refusal = given_conversation(*started(), QUESTION, DELETED).when(act).then_refused(ConversationIsDeleted)
    assert refusal.code == "conversation_deleted"


def test_a_restored_conversation_goes_on_where_it_was() -> None:
    past = [*started(), QUESTION, PENDING, ANSWER, DELETED, fact(e.ConversationRestored)]
    given_conversation(*past).when(send(3)).then(user_said(3, "Hi", parent=2))


def test_an_expected_version_that_is_not_the_present_one_is_refused() -> None:
    given = given_conversation(*started())
    given.when(lambda c, stamp: c.check_version(3)).then_nothing()
    given.when(lambda c, stamp: c.check_version(None)).then_nothing()
    refusal = given.when(lambda c, stamp: c.check_version(2)).then_refused(VersionConflict)
    assert "at version 3" in str(refusal)
    assert "expected 2" in str(refusal)


def test_texts_are_not_kept_in_the_aggregate() -> None:
    secret = "a text that only its event should hold"
    beginning = "Only the first words are kept, for a title. " * 2
    past = [*started(), user_said(1, beginning + secret), PENDING, reply_recorded(2, secret)]
    assert secret not in repr(vars(given_conversation(*past).aggregate))


def test_no_events_make_no_aggregate_and_a_call_is_not_a_conversation() -> None:
    assert Conversation.from_events([]) is None
    call = given_call(
        fact(
            e.ModelCallRequested,
            owner_id=OWNER,
            conversation_id=None,
            reply_id=None,
            purpose="title",
            source="api",
            runner=None,
            prompt_request=None,
            body_sha256="",
            body_length=0,
        )
    )
    assert Conversation.from_events(call.past) is None
