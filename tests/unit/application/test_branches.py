"""Commands on branches: editing, doing again, continuing, selecting, hiding; what is stored and what is sent."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from backend.application.message_handlers import GO_ON
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import (
    ConversationIsDeleted,
    EmptyContent,
    InvalidParameter,
    LastVisibleBranch,
    NothingToContinue,
    ReplyPending,
    UnknownConversation,
    UnknownMessage,
    VersionConflict,
    WrongMessageKind,
)
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, Sent, message_of, refused
from tests.support.facts import STRANGER, CountedIds
from tests.support.histories import SYSTEM
from tests.support.rivals import RivalStore

UNKNOWN = UUID("3e55a9e0-0000-4000-8000-00000000dead")


# ---- editing --------------------------------------------------------------------------------


def test_an_edit_is_sent_with_what_was_before_the_edited_message(core: Core) -> None:
    conversation_id = core.start()
    first = core.turn(conversation_id, "One", "Two")
    second = core.turn(conversation_id, "Three", "Four")
    edited = core.edit(conversation_id, message_of(second), "Instead of three")
    assert core.prompt_of(edited.call_id) == [
        ("system", SYSTEM),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Instead of three"),
    ]
    nodes = core.conversation(conversation_id).nodes
    assert nodes[message_of(edited)].parent_id == first.reply_id
    assert nodes[edited.reply_id].parent_id == edited.message_id
    assert core.conversation(conversation_id).selected_leaf_id == edited.reply_id


def test_an_edit_answers_with_the_ids_of_what_it_made(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id)
    answer = core.run(c.EditUserMessage(core.owner_id, conversation_id, message_of(sent), "Other"))
    assert answer.status == 202
    assert answer.body.keys() == {"message_id", "reply_id", "call_id", "version", "position"}
    assert answer.body["version"] == core.conversation(conversation_id).version
    assert answer.body["position"] == str(store.end())
    assert list(store.queue) == [UUID(answer.body["call_id"])]


def test_an_edit_may_name_its_own_model_and_params(core: Core) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id)
    edited = core.edit(conversation_id, message_of(sent), "Other", model="big", params={"seed": 5})
    request = core.request_of(edited.call_id)
    assert (request.model, request.params) == ("big", {"seed": "5"})


def test_two_tabs_that_edit_the_same_message_lose_nothing(store: InMemoryEventStore) -> None:
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, claim=store.claim, ids=CountedIds(0xB))
    conversation_id = core.start()
    sent = core.turn(conversation_id)
    made: list[Sent] = []
    rivals.interrupt(lambda: made.append(core.edit(conversation_id, message_of(sent), "Faster")))
    slower = slow.edit(conversation_id, message_of(sent), "Slower")
    roots = [
        node.message_id for node in core.conversation(conversation_id).nodes.values() if not node.parent_id
    ]
    assert roots == [sent.message_id, made[0].message_id, slower.message_id]
    assert core.prompt_of(made[0].call_id)[1:] == [("user", "Faster")]
    assert core.prompt_of(slower.call_id)[1:] == [("user", "Slower")]


def test_what_cannot_be_edited(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id)
    message_id, reply_id = message_of(sent), sent.reply_id
    kind = refused(lambda: core.edit(conversation_id, reply_id, "x"), WrongMessageKind, store)
    assert (kind.code, list(kind.fields)) == ("wrong_message_kind", ["message_id"])
    unknown = refused(lambda: core.edit(conversation_id, UNKNOWN, "x"), UnknownMessage, store)
    assert unknown.code == "message_not_found"
    empty = refused(lambda: core.edit(conversation_id, message_id, "  "), EmptyContent, store)
    assert list(empty.fields) == ["content"]
    params = {"seed": "no number"}
    wrong = refused(
        lambda: core.edit(conversation_id, message_id, "x", params=params), InvalidParameter, store
    )
    assert list(wrong.fields) == ["params.seed"]


# ---- doing again ----------------------------------------------------------------------------


def test_a_reply_done_again_is_a_sibling_and_the_first_one_stays(core: Core) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id, "One", "Two")
    again = core.regenerate(conversation_id, sent.reply_id)
    core.answer(again, "Two again")
    follow_up = core.send(conversation_id, "Three")
    assert core.prompt_of(follow_up.call_id)[1:] == [
        ("user", "One"),
        ("assistant", "Two again"),
        ("user", "Three"),
    ]
    other = core.send(conversation_id, "Three", sent.reply_id)
    assert core.prompt_of(other.call_id)[2] == ("assistant", "Two")


def test_a_reply_can_be_done_again_while_it_is_written(core: Core) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id)
    again = core.regenerate(conversation_id, sent.reply_id)
    assert core.conversation(conversation_id).pending_call_ids == (sent.call_id, again.call_id)


# ---- continuing -----------------------------------------------------------------------------


def truncated(core: Core, text: str = "Half an ans") -> Sent:
    sent = core.send(core.start(), "One")
    core.answer(sent, text, outcomes.TRUNCATED)
    return sent


def test_a_continuation_is_sent_with_the_reply_at_its_end(core: Core) -> None:
    sent = truncated(core)
    answer = core.run(c.ContinueReply(core.owner_id, sent.conversation_id, sent.reply_id))
    assert (answer.status, answer.body["message_id"]) == (202, None)
    assert answer.body.keys() == {"message_id", "reply_id", "call_id", "version", "position"}
    assert core.prompt_of(UUID(answer.body["call_id"]))[1:] == [("user", "One"), ("assistant", "Half an ans")]
    asked = core.events(sent.conversation_id)[-1]
    assert isinstance(asked, e.ReplyRequested)
    assert (asked.parent_id, asked.continues) == (sent.reply_id, sent.reply_id)


def test_continued_texts_are_joined_without_anything_between_them(core: Core) -> None:
    sent = truncated(core)
    first = core.continue_reply(sent.conversation_id, sent.reply_id)
    core.answer(first, "wer, and ", outcomes.TRUNCATED)
    second = core.continue_reply(sent.conversation_id, first.reply_id)
    assert core.prompt_of(second.call_id)[2] == ("assistant", "Half an answer, and ")
    core.answer(second, "its end.")
    follow_up = core.send(sent.conversation_id, "More")
    assert core.prompt_of(follow_up.call_id)[1:] == [
        ("user", "One"),
        ("assistant", "Half an answer, and its end."),
        ("user", "More"),
    ]


def test_a_continuation_is_asked_for_as_the_reply_was_that_it_continues(core: Core) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "One", model="another-model", params={"temperature": 0.9})
    core.answer(sent, "Half an ans", outcomes.TRUNCATED)
    core.change(conversation_id, params={"temperature": 0.1}, model="a-third-model")
    request = core.request_of(core.continue_reply(conversation_id, sent.reply_id).call_id)
    assert (request.model, request.params) == ("another-model", {"temperature": "0.9"})


def test_a_continuation_done_again_continues_the_same_reply(core: Core) -> None:
    sent = truncated(core)
    first = core.continue_reply(sent.conversation_id, sent.reply_id)
    core.answer(first, "wer")
    again = core.regenerate(sent.conversation_id, first.reply_id)
    assert core.prompt_of(again.call_id) == core.prompt_of(first.call_id)
    core.answer(again, "swer")
    follow_up = core.send(sent.conversation_id, "More")
    assert core.prompt_of(follow_up.call_id)[2] == ("assistant", "Half an ansswer")
    node = core.conversation(sent.conversation_id).nodes[again.reply_id]
    assert (node.parent_id, node.continues) == (sent.reply_id, sent.reply_id)


def test_an_answer_and_a_continuation_below_one_reply_are_alternatives(core: Core) -> None:
    sent = truncated(core)
    answer = core.send(sent.conversation_id, "Go on")
    continued = core.continue_reply(sent.conversation_id, sent.reply_id)
    assert core.conversation(sent.conversation_id).nodes.leaves() == [answer.reply_id, continued.reply_id]
    assert core.prompt_of(continued.call_id)[1:] == [("user", "One"), ("assistant", "Half an ans")]


def test_a_runner_that_cannot_continue_is_asked_in_words(store: InMemoryEventStore) -> None:
    core = Core(store, continues_replies=False)
    sent = truncated(core)
    continued = core.continue_reply(sent.conversation_id, sent.reply_id)
    assert core.prompt_of(continued.call_id)[1:] == [
        ("user", "One"),
        ("assistant", "Half an ans"),
        ("user", GO_ON),
    ]
    said, asked = core.events(sent.conversation_id)[-2:]
    assert isinstance(said, e.UserMessageSent)
    assert isinstance(asked, e.ReplyRequested)
    assert (said.message_id, said.parent_id, said.content) == (
        continued.message_id,
        sent.reply_id,
        "Continue exactly where you stopped.",
    )
    assert (asked.parent_id, asked.continues) == (continued.message_id, None)


@pytest.mark.parametrize("continues_replies", [True, False])
def test_what_cannot_be_continued(store: InMemoryEventStore, continues_replies: bool) -> None:
    core = Core(store, continues_replies=continues_replies)
    conversation_id = core.start()
    complete = core.turn(conversation_id)
    empty = core.send(conversation_id)
    core.answer(empty, "", outcomes.FAILED)
    pending = core.send(conversation_id, "Hi", None)
    for reply_id in (complete.reply_id, empty.reply_id):
        nothing = refused(
            lambda at=reply_id: core.continue_reply(conversation_id, at),  # type: ignore[misc]
            NothingToContinue,
            store,
        )
        assert (nothing.code, list(nothing.fields)) == ("nothing_to_continue", ["message_id"])
    waiting = refused(lambda: core.continue_reply(conversation_id, pending.reply_id), ReplyPending, store)
    assert waiting.code == "reply_pending"
    kind = refused(
        lambda: core.continue_reply(conversation_id, message_of(complete)), WrongMessageKind, store
    )
    assert kind.code == "wrong_message_kind"
    refused(lambda: core.continue_reply(conversation_id, UNKNOWN), UnknownMessage, store)


# ---- selecting, hiding, showing -------------------------------------------------------------


@pytest.fixture
def two_branches(core: Core) -> tuple[UUID, Sent, Sent]:
    """A conversation with two branches, the second of them selected."""
    conversation_id = core.start()
    first = core.turn(conversation_id, "One", "Two")
    second = core.edit(conversation_id, message_of(first), "Instead")
    core.answer(second, "Other")
    return conversation_id, first, second


def test_a_selected_branch_is_the_one_that_is_answered(
    core: Core, two_branches: tuple[UUID, Sent, Sent]
) -> None:
    conversation_id, first, _ = two_branches
    answer = core.select(conversation_id, message_of(first))
    assert answer.status == 200
    assert answer.body == {
        "selected_leaf_id": str(first.reply_id),
        "version": core.conversation(conversation_id).version,
        "position": str(core.store.append()),
    }
    follow_up = core.send(conversation_id, "Three")
    assert core.prompt_of(follow_up.call_id)[1:] == [("user", "One"), ("assistant", "Two"), ("user", "Three")]


def test_selecting_the_selected_branch_stores_nothing(
    core: Core, store: InMemoryEventStore, two_branches: tuple[UUID, Sent, Sent]
) -> None:
    conversation_id, _, second = two_branches
    end = store.end()
    assert core.select(conversation_id, second.reply_id).body["position"] == str(end)
    assert store.end() == end


def test_hiding_the_selected_branch_selects_another_in_the_same_commit(
    core: Core, store: InMemoryEventStore, two_branches: tuple[UUID, Sent, Sent]
) -> None:
    conversation_id, first, second = two_branches
    end = store.end()
    answer = core.hide(conversation_id, second.reply_id)
    assert (answer.status, answer.body["selected_leaf_id"]) == (200, str(first.reply_id))
    assert [type(x.event) for x in store.read_after(end, 9)] == [e.BranchHidden, e.BranchSelected]
    assert answer.body["position"] == str(end + 2)
    shown = core.show(conversation_id, second.reply_id)
    assert (shown.status, shown.body["selected_leaf_id"]) == (200, str(first.reply_id))
    assert core.conversation(conversation_id).nodes.visible_leaves() == [first.reply_id, second.reply_id]


def test_a_hidden_branch_is_still_sent_and_comes_back_when_it_is_answered(
    core: Core, two_branches: tuple[UUID, Sent, Sent]
) -> None:
    conversation_id, first, second = two_branches
    core.hide(conversation_id, first.reply_id)
    assert core.prompt_of(first.call_id)[1:] == [("user", "One")]
    grown = core.send(conversation_id, "Three", first.reply_id)
    nodes = core.conversation(conversation_id).nodes
    assert nodes.visible_leaves() == [second.reply_id, grown.reply_id]


def test_the_last_visible_branch_is_kept_also_in_a_race(store: InMemoryEventStore) -> None:
    core, rivals = Core(store), RivalStore(store)
    slow = Core(rivals, ids=CountedIds(0xB))
    conversation_id = core.start()
    first = core.turn(conversation_id)
    second = core.turn(conversation_id, parent_id=None)
    rivals.interrupt(lambda: core.hide(conversation_id, first.reply_id))
    with pytest.raises(LastVisibleBranch) as caught:
        slow.hide(conversation_id, second.reply_id)
    assert caught.value.code == "last_visible_branch"
    assert core.conversation(conversation_id).nodes.visible_leaves() == [second.reply_id]


# ---- for all of them ------------------------------------------------------------------------

Ask = Callable[[Core, UUID, UUID, UUID, int | None], c.Command]
ASKS: dict[str, Ask] = {
    "edit": lambda core, at, message, reply, v: c.EditUserMessage(
        core.owner_id, at, message, "x", expected_version=v
    ),
    "regenerate": lambda core, at, message, reply, v: c.RegenerateReply(
        core.owner_id, at, reply, expected_version=v
    ),
    "continue": lambda core, at, message, reply, v: c.ContinueReply(
        core.owner_id, at, reply, expected_version=v
    ),
    "select": lambda core, at, message, reply, v: c.SelectBranch(
        core.owner_id, at, reply, expected_version=v
    ),
    "hide": lambda core, at, message, reply, v: c.HideBranch(core.owner_id, at, reply, expected_version=v),
    "show": lambda core, at, message, reply, v: c.ShowBranch(core.owner_id, at, reply, expected_version=v),
    "replay": lambda core, at, message, reply, v: c.StartReplay(
        core.owner_id, at, model="x", expected_version=v
    ),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_who_may_and_when(core: Core, store: InMemoryEventStore, ask: Ask) -> None:
    sent = truncated(core)
    conversation_id, message_id, reply_id = sent.conversation_id, message_of(sent), sent.reply_id
    core.turn(conversation_id, "Elsewhere", parent_id=None)
    version = core.conversation(conversation_id).version
    stranger = Core(store, owner_id=STRANGER)
    foreign = refused(
        lambda: stranger.run(ask(stranger, conversation_id, message_id, reply_id, None)),
        UnknownConversation,
        store,
    )
    assert foreign.code == "conversation_not_found"
    stale = refused(
        lambda: core.run(ask(core, conversation_id, message_id, reply_id, version - 1)),
        VersionConflict,
        store,
    )
    assert stale.code == "version_conflict"
    core.delete(conversation_id)
    deleted = refused(
        lambda: core.run(ask(core, conversation_id, message_id, reply_id, None)), ConversationIsDeleted, store
    )
    assert deleted.code == "conversation_deleted"
    core.restore(conversation_id)
    assert core.run(ask(core, conversation_id, message_id, reply_id, version + 2)).status in {200, 202}
