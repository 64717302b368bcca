"""What may be added to a conversation, and what is refused."""

from __future__ import annotations

import pytest

from backend.domain import errors
from backend.domain.conversation import SELECTED_LEAF, Conversation
from backend.domain.events import ReplyError
from tests.support.builders import OWNER, Stamps, make_id, names_of, started_conversation

MESSAGE, REPLY, CALL = make_id("message"), make_id("reply"), make_id("call")


def with_pending_reply() -> Conversation:
    conversation = started_conversation()
    conversation.send_user_message(message_id=MESSAGE, parent_id=SELECTED_LEAF, content="Hello", stamp=Stamps("a"))
    conversation.request_reply(reply_id=REPLY, parent_id=MESSAGE, call_id=CALL, stamp=Stamps("b"))
    conversation.collect_events()
    return conversation


def record(conversation: Conversation, outcome: str = "complete", content: str = "Hi.") -> None:
    conversation.record_reply(
        reply_id=REPLY,
        content=content,
        reasoning="",
        tool_calls=[],
        finish_reason="stop",
        outcome=outcome,
        error=ReplyError("x", "why") if outcome == "failed" else None,
        stamp=Stamps("c"),
    )


def test_a_conversation_starts_with_its_settings_as_events() -> None:
    conversation = Conversation.start(
        conversation_id=make_id("conversation"),
        owner_id=OWNER,
        title="A title",
        settings=started_conversation().settings,
        stamp=Stamps(),
    )
    assert names_of(conversation.collect_events()) == [
        "ConversationStarted",
        "SystemPromptChanged",
        "ModelSettingsChanged",
    ]


def test_the_state_is_what_the_events_say() -> None:
    conversation = started_conversation()
    stamp = Stamps("s")
    conversation.send_user_message(message_id=MESSAGE, parent_id=SELECTED_LEAF, content="Hello", stamp=stamp)
    conversation.request_reply(reply_id=REPLY, parent_id=MESSAGE, call_id=CALL, stamp=stamp)
    record(conversation)
    conversation.rename("Another", stamp)
    conversation.pin(True, stamp)

    fresh = Conversation.start(
        conversation_id=conversation.id,
        owner_id=OWNER,
        title="A title",
        settings=started_conversation().settings,
        stamp=Stamps(),
    )
    replayed = Conversation.from_events([*fresh.collect_events(), *conversation.collect_events()])
    assert replayed is not None
    assert vars(replayed) == vars(conversation)


def test_no_events_are_no_conversation() -> None:
    assert Conversation.from_events([]) is None


def test_a_message_goes_below_the_selected_leaf_and_becomes_it() -> None:
    conversation = with_pending_reply()
    record(conversation)
    following = make_id("following")
    conversation.send_user_message(message_id=following, parent_id=SELECTED_LEAF, content="More", stamp=Stamps())
    assert conversation.nodes[following].parent_id == REPLY
    assert conversation.selected_leaf_id == following


def test_a_named_parent_makes_a_sibling_and_none_a_new_root() -> None:
    conversation = with_pending_reply()
    record(conversation)
    sibling, root = make_id("sibling"), make_id("root")
    conversation.send_user_message(message_id=make_id("first"), parent_id=REPLY, content="1", stamp=Stamps())
    conversation.send_user_message(message_id=sibling, parent_id=REPLY, content="2", stamp=Stamps())
    conversation.send_user_message(message_id=root, parent_id=None, content="3", stamp=Stamps())
    assert conversation.nodes[sibling].parent_id == REPLY
    assert conversation.nodes[root].parent_id is None


def test_an_unknown_parent_is_refused() -> None:
    conversation = started_conversation()
    with pytest.raises(errors.UnknownParent) as refusal:
        conversation.send_user_message(message_id=MESSAGE, parent_id=make_id("x"), content="Hello", stamp=Stamps())
    assert "parent_id" in refusal.value.fields
    assert conversation.collect_events() == []


@pytest.mark.parametrize("parent", [SELECTED_LEAF, REPLY])
def test_a_pending_reply_cannot_be_answered(parent: object) -> None:
    conversation = with_pending_reply()
    with pytest.raises(errors.ReplyPending):
        conversation.send_user_message(
            message_id=make_id("x"),
            parent_id=parent,  # type: ignore[arg-type]  # parametrised with both kinds
            content="Hello",
            stamp=Stamps(),
        )
    assert conversation.collect_events() == []


def test_beside_a_pending_reply_another_branch_can_go_on() -> None:
    conversation = with_pending_reply()
    conversation.send_user_message(message_id=make_id("x"), parent_id=None, content="Meanwhile", stamp=Stamps())
    assert names_of(conversation.collect_events()) == ["UserMessageSent"]


def test_a_recorded_reply_never_moves_the_selection() -> None:
    conversation = with_pending_reply()
    other = make_id("other")
    conversation.send_user_message(message_id=other, parent_id=None, content="Elsewhere", stamp=Stamps())
    record(conversation)
    assert conversation.selected_leaf_id == other


@pytest.mark.parametrize("outcome", ["complete", "truncated", "cancelled", "interrupted", "failed"])
def test_a_reply_is_recorded_exactly_once(outcome: str) -> None:
    conversation = with_pending_reply()
    record(conversation, outcome)
    assert conversation.nodes[REPLY].outcome == outcome
    conversation.collect_events()
    with pytest.raises(errors.AttemptRefused):
        record(conversation)
    assert conversation.collect_events() == []


def test_a_reply_is_recorded_in_a_deleted_conversation_too() -> None:
    conversation = with_pending_reply()
    conversation.delete(Stamps())
    record(conversation)
    assert conversation.nodes[REPLY].outcome == "complete"


def test_a_user_message_is_no_reply_to_record() -> None:
    conversation = with_pending_reply()
    with pytest.raises(errors.UnknownMessage):
        conversation.record_reply(
            reply_id=MESSAGE,
            content="",
            reasoning="",
            tool_calls=[],
            finish_reason=None,
            outcome="failed",
            error=None,
            stamp=Stamps(),
        )


def test_a_reply_answers_a_user_message_only() -> None:
    conversation = with_pending_reply()
    record(conversation)
    with pytest.raises(errors.WrongMessageKind):
        conversation.request_reply(reply_id=make_id("x"), parent_id=REPLY, call_id=CALL, stamp=Stamps())
    with pytest.raises(errors.UnknownMessage):
        conversation.request_reply(reply_id=make_id("x"), parent_id=make_id("y"), call_id=CALL, stamp=Stamps())


def test_a_new_reply_can_be_asked_for_from_the_reply_or_its_message() -> None:
    conversation = with_pending_reply()
    assert conversation.parent_for_regeneration(REPLY) == MESSAGE
    assert conversation.parent_for_regeneration(MESSAGE) == MESSAGE
    with pytest.raises(errors.UnknownMessage):
        conversation.parent_for_regeneration(make_id("x"))


def test_a_deleted_conversation_takes_nothing_until_it_is_restored() -> None:
    conversation = started_conversation()
    stamp = Stamps()
    conversation.delete(stamp)
    for attempt in (
        lambda: conversation.send_user_message(message_id=MESSAGE, parent_id=None, content="x", stamp=stamp),
        lambda: conversation.rename("x", stamp),
        lambda: conversation.pin(True, stamp),
        lambda: conversation.archive(True, stamp),
        lambda: conversation.change_system_prompt("x", stamp),
        lambda: conversation.change_model_settings(model="x", params=None, stamp=stamp),
    ):
        with pytest.raises(errors.ConversationIsDeleted):
            attempt()
    conversation.restore(stamp)
    conversation.rename("Again", stamp)
    assert names_of(conversation.collect_events()) == [
        "ConversationDeleted",
        "ConversationRestored",
        "ConversationRenamed",
    ]


def test_what_changes_nothing_is_no_event() -> None:
    conversation, stamp = started_conversation(), Stamps()
    conversation.rename("A title", stamp)
    conversation.pin(False, stamp)
    conversation.archive(False, stamp)
    conversation.restore(stamp)
    conversation.change_system_prompt("Be brief.", stamp)
    conversation.change_model_settings(model="a-model", params={}, stamp=stamp)
    assert conversation.collect_events() == []


def test_pinning_and_archiving_come_and_go() -> None:
    conversation, stamp = started_conversation(), Stamps()
    for change in (conversation.pin, conversation.archive):
        change(True, stamp)
        change(False, stamp)
    assert names_of(conversation.collect_events()) == [
        "ConversationPinned",
        "ConversationUnpinned",
        "ConversationArchived",
        "ConversationUnarchived",
    ]


def test_model_and_parameters_change_apart() -> None:
    conversation, stamp = started_conversation(params={"seed": "1"}), Stamps()
    conversation.change_model_settings(model="another", params=None, stamp=stamp)
    assert conversation.settings.params == {"seed": "1"}
    conversation.change_model_settings(model=None, params={"seed": "2"}, stamp=stamp)
    assert (conversation.settings.model, conversation.settings.params) == ("another", {"seed": "2"})


def test_a_stale_expected_version_is_a_conflict() -> None:
    conversation = started_conversation()
    conversation.check_version(None)
    conversation.check_version(3)
    with pytest.raises(errors.VersionConflict, match="at version 3, the command expected 2"):
        conversation.check_version(2)
