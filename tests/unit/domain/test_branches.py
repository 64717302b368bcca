"""Rules of branches: edits and continuations beside what was there, and which branches are looked at and in sight.

1 (user)                 4 (user, another root)
├─ 2 (reply)             └─ 5 (reply)
│   ├─ 3 (user)
│   └─ 6 (user)
└─ 7 (reply)
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.envelope import Stamp
from backend.domain.errors import (
    ConversationIsDeleted,
    LastVisibleBranch,
    NothingToContinue,
    ReplyPending,
    UnknownMessage,
    WrongMessageKind,
)
from tests.support.facts import Fact, call_id, fact, message_id
from tests.support.given import Happened, given_conversation, refusal_of
from tests.support.histories import reply_recorded, reply_requested, started, user_said

Act = Callable[[Conversation, Stamp], object]

DELETED = fact(e.ConversationDeleted)
TREE = [
    *started(),
    user_said(1, "One"),
    reply_requested(2, parent=1),
    reply_recorded(2, "Two"),
    user_said(3, "Three", parent=2),
    user_said(4, "Four"),
    reply_requested(5, parent=4),
    reply_recorded(5, "Five"),
    user_said(6, "Six", parent=2),
    reply_requested(7, parent=1),
    reply_recorded(7, "Seven"),
]


def selected(number: int) -> Fact:
    return fact(e.BranchSelected, leaf_id=message_id(number))


def hidden(number: int) -> Fact:
    return fact(e.BranchHidden, leaf_id=message_id(number))


def shown(number: int) -> Fact:
    return fact(e.BranchShown, leaf_id=message_id(number))


def select(number: int) -> Act:
    return lambda c, stamp: c.select_branch(message_id(number), stamp)


def hide(number: int) -> Act:
    return lambda c, stamp: c.hide_branch(message_id(number), stamp)


def show(number: int) -> Act:
    return lambda c, stamp: c.show_branch(message_id(number), stamp)


def edit(number: int, new: int, content: str = "Instead") -> Act:
    def act(conversation: Conversation, stamp: Stamp) -> None:
        conversation.edit_user_message(
            edited_id=message_id(number), message_id=message_id(new), content=content, stamp=stamp
        )

    return act


def visible(happened: Happened[Conversation]) -> list[int]:
    return numbers(happened.aggregate.nodes.visible_leaves())


def numbers(ids: list[UUID]) -> list[int]:
    return [int(str(message)[-12:]) for message in ids]


# ---- editing --------------------------------------------------------------------------------


def test_an_edit_is_a_sibling_of_the_edited_message_which_stays() -> None:
    happened = given_conversation(*TREE).when(edit(3, 8)).then(user_said(8, "Instead", parent=2))
    assert happened.aggregate.selected_leaf_id == message_id(8)
    assert message_id(3) in happened.aggregate.nodes


def test_an_edited_first_message_is_another_root() -> None:
    given_conversation(*TREE).when(edit(1, 8)).then(user_said(8, "Instead"))


def test_an_edited_message_can_be_edited_again() -> None:
    past = [*TREE, user_said(8, "Instead", parent=2)]
    given_conversation(*past).when(edit(8, 9)).then(user_said(9, "Instead", parent=2))


def test_a_message_can_be_edited_while_its_reply_is_written() -> None:
    past = [*started(), user_said(1, "One"), reply_requested(2, parent=1)]
    given_conversation(*past).when(edit(1, 3)).then(user_said(3, "Instead"))


def test_a_reply_cannot_be_edited_as_if_it_were_a_user_message() -> None:
    refusal = given_conversation(*TREE).when(edit(2, 8)).then_refused(WrongMessageKind, field="message_id")
    assert refusal.code == "wrong_message_kind"
    assert "is a reply; this needs a user message" in str(refusal)


def test_an_unknown_message_cannot_be_edited() -> None:
    refusal = given_conversation(*TREE).when(edit(99, 8)).then_refused(UnknownMessage)
    assert refusal.code == "message_not_found"
    assert str(message_id(99)) in str(refusal)


# ---- continuing -----------------------------------------------------------------------------


def unfinished(outcome: str, text: str = "Half an ans") -> list[Fact]:
    return [
        *started(),
        user_said(1, "One"),
        reply_requested(2, parent=1),
        reply_recorded(2, text, outcome),
    ]


@pytest.mark.parametrize("outcome", sorted(outcomes.FINAL_OUTCOMES - {outcomes.COMPLETE}))
def test_a_reply_with_some_text_that_did_not_end_well_can_be_continued(outcome: str) -> None:
    conversation = given_conversation(*unfinished(outcome)).aggregate
    assert conversation.place_of_continuation(message_id(2)) == ReplyPlace(message_id(2), message_id(2))


def test_a_continuation_hangs_below_the_reply_it_continues() -> None:
    def act(conversation: Conversation, stamp: Stamp) -> None:
        place = conversation.place_of_continuation(message_id(2))
        conversation.request_reply(reply_id=message_id(3), place=place, call_id=call_id(3), stamp=stamp)

    given_conversation(*unfinished(outcomes.TRUNCATED)).when(act).then(
        reply_requested(3, parent=2, continues=2)
    )


def test_a_continuation_can_be_continued_and_done_again() -> None:
    past = [
        *unfinished(outcomes.TRUNCATED),
        reply_requested(3, parent=2, continues=2),
        reply_recorded(3, "wer, but", outcomes.TRUNCATED),
    ]
    conversation = given_conversation(*past).aggregate
    assert conversation.place_of_continuation(message_id(3)) == ReplyPlace(message_id(3), message_id(3))
    assert conversation.place_of_another_reply(message_id(3)) == ReplyPlace(message_id(2), message_id(2))


def test_a_complete_reply_has_nothing_to_continue() -> None:
    conversation = given_conversation(*TREE).aggregate
    refusal = refusal_of(
        lambda: conversation.place_of_continuation(message_id(2)), NothingToContinue, field="message_id"
    )
    assert refusal.code == "nothing_to_continue"
    assert "is complete" in str(refusal)


def test_a_reply_without_any_text_has_nothing_to_go_on_from() -> None:
    conversation = given_conversation(*unfinished(outcomes.CANCELLED, "")).aggregate
    refusal = refusal_of(
        lambda: conversation.place_of_continuation(message_id(2)), NothingToContinue, field="message_id"
    )
    assert "has no text" in str(refusal)


def test_a_reply_that_is_still_written_cannot_be_continued() -> None:
    conversation = given_conversation(*started(), user_said(1, "One"), reply_requested(2, 1)).aggregate
    assert (
        refusal_of(lambda: conversation.place_of_continuation(message_id(2)), ReplyPending).code
        == "reply_pending"
    )


def test_a_user_message_is_not_continued() -> None:
    conversation = given_conversation(*TREE).aggregate
    refusal = refusal_of(
        lambda: conversation.place_of_continuation(message_id(1)), WrongMessageKind, field="message_id"
    )
    assert "is a user message; this needs a reply" in str(refusal)


def test_an_unknown_reply_is_not_continued() -> None:
    conversation = given_conversation(*TREE).aggregate
    refusal_of(lambda: conversation.place_of_continuation(message_id(99)), UnknownMessage)


# ---- selecting ------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "found"), [(3, 3), (6, 6), (2, 6), (4, 5), (5, 5)], ids=str)
def test_selecting_a_message_selects_the_newest_branch_through_it(asked: int, found: int) -> None:
    happened = given_conversation(*TREE).when(select(asked)).then(selected(found))
    assert happened.aggregate.selected_leaf_id == message_id(found)


@pytest.mark.parametrize("asked", [7, 1])
def test_selecting_what_is_selected_changes_nothing(asked: int) -> None:
    given_conversation(*TREE).when(select(asked)).then_nothing()


def test_a_hidden_branch_is_passed_over_but_can_be_selected_by_its_end() -> None:
    given = given_conversation(*TREE, hidden(6))
    given.when(select(2)).then(selected(3))
    given.when(select(6)).then(selected(6))


def test_where_all_branches_through_a_message_are_hidden_the_newest_is_selected() -> None:
    given_conversation(*TREE, hidden(3), hidden(6)).when(select(2)).then(selected(6))


def test_an_unknown_branch_is_not_selected_hidden_or_shown() -> None:
    for act in (select(99), hide(99), show(99)):
        assert given_conversation(*TREE).when(act).then_refused(UnknownMessage).code == "message_not_found"


def test_a_reply_recorded_later_leaves_the_selection_where_it_was_moved_to() -> None:
    past = [*TREE, reply_requested(8, parent=3), selected(5), reply_recorded(8, "Late")]
    assert given_conversation(*past).aggregate.selected_leaf_id == message_id(5)


# ---- hiding and showing ---------------------------------------------------------------------


def test_hiding_a_branch_marks_its_end_and_leaves_the_selection() -> None:
    happened = given_conversation(*TREE).when(hide(5)).then(hidden(5))
    assert visible(happened) == [3, 6, 7]
    assert happened.aggregate.selected_leaf_id == message_id(7)


def test_hiding_a_message_hides_every_branch_through_it() -> None:
    happened = given_conversation(*TREE).when(hide(2)).then(hidden(3), hidden(6))
    assert visible(happened) == [5, 7]


def test_hiding_the_selected_branch_selects_the_one_that_leaves_it_as_late_as_possible() -> None:
    happened = given_conversation(*TREE).when(hide(7)).then(hidden(7), selected(6))
    assert happened.aggregate.selected_leaf_id == message_id(6)
    given_conversation(*TREE, selected(3)).when(hide(3)).then(hidden(3), selected(6))
    given_conversation(*TREE, selected(3)).when(hide(2)).then(hidden(3), hidden(6), selected(7))
    given_conversation(*TREE, selected(3)).when(hide(1)).then(hidden(3), hidden(6), hidden(7), selected(5))


def test_the_last_visible_branch_cannot_be_hidden() -> None:
    refusal = given_conversation(*TREE, hidden(5)).when(hide(1)).then_refused(LastVisibleBranch)
    assert refusal.code == "last_visible_branch"
    given_conversation(*started(), user_said(1, "One")).when(hide(1)).then_refused(LastVisibleBranch)


def test_hiding_what_is_hidden_and_showing_what_is_shown_changes_nothing() -> None:
    given_conversation(*TREE, hidden(5)).when(hide(5)).then_nothing()
    given_conversation(*TREE, hidden(5)).when(hide(4)).then_nothing()
    given_conversation(*TREE, hidden(5)).when(show(1)).then_nothing()


def test_hiding_passes_over_what_is_hidden_already() -> None:
    given_conversation(*TREE, hidden(3)).when(hide(2)).then(hidden(6))


def test_showing_a_message_shows_every_hidden_branch_through_it() -> None:
    past = [*TREE, hidden(3), hidden(6), hidden(5)]
    happened = given_conversation(*past).when(show(2)).then(shown(3), shown(6))
    assert visible(happened) == [3, 6, 7]
    given_conversation(*past).when(show(6)).then(shown(6))


def test_a_selected_branch_that_is_hidden_stays_selected_while_others_are_hidden() -> None:
    past = [*TREE, hidden(6), selected(6)]
    given_conversation(*past).when(hide(3)).then(hidden(3))


def test_a_hidden_branch_that_is_answered_is_in_sight_again() -> None:
    given = given_conversation(*TREE, hidden(5), user_said(8, "Eight", parent=5))
    assert numbers(given.aggregate.nodes.visible_leaves()) == [3, 6, 7, 8]
    given.when(hide(4)).then(hidden(8), selected(7))
    given.when(show(4)).then_nothing()


def test_a_branch_whose_reply_is_still_written_can_be_hidden() -> None:
    past = [*TREE, reply_requested(8, parent=4)]
    given_conversation(*past).when(hide(8)).then(hidden(8), selected(5))


@pytest.mark.parametrize("act", [select(3), hide(3), show(3), edit(1, 8)])
def test_nothing_is_selected_hidden_shown_or_edited_in_a_deleted_conversation(act: Act) -> None:
    refusal = given_conversation(*TREE, DELETED).when(act).then_refused(ConversationIsDeleted)
    assert refusal.code == "conversation_deleted"
