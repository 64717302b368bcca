"""Settings, names, pins: what changes is remembered, what does not change leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.domain import events as e
from backend.domain.conversation import Conversation
from backend.domain.envelope import Stamp
from backend.domain.errors import ConversationIsDeleted
from tests.support.facts import Fact, fact
from tests.support.given import given_conversation
from tests.support.histories import MODEL, SYSTEM, reply_requested, started, user_said

Act = Callable[[Conversation, Stamp], object]

DELETED = fact(e.ConversationDeleted)
PINNED = fact(e.ConversationPinned)
ARCHIVED = fact(e.ConversationArchived)

CHANGES: dict[str, tuple[list[Fact], Act, Fact]] = {
    "rename": ([], lambda c, stamp: c.rename("Tea", stamp), fact(e.ConversationRenamed, title="Tea")),
    "pin": ([], lambda c, stamp: c.pin(True, stamp), PINNED),
    "unpin": ([PINNED], lambda c, stamp: c.pin(False, stamp), fact(e.ConversationUnpinned)),
    "archive": ([], lambda c, stamp: c.archive(True, stamp), ARCHIVED),
    "unarchive": ([ARCHIVED], lambda c, stamp: c.archive(False, stamp), fact(e.ConversationUnarchived)),
    "system prompt": (
        [],
        lambda c, stamp: c.change_system_prompt("Be brief.", stamp),
        fact(e.SystemPromptChanged, text="Be brief."),
    ),
    "empty system prompt": (
        [],
        lambda c, stamp: c.change_system_prompt("", stamp),
        fact(e.SystemPromptChanged, text=""),
    ),
    "model": (
        [],
        lambda c, stamp: c.change_model_settings(model="other", params=None, stamp=stamp),
        fact(e.ModelSettingsChanged, model="other", params={}),
    ),
    "params": (
        [],
        lambda c, stamp: c.change_model_settings(model=None, params={"seed": "7"}, stamp=stamp),
        fact(e.ModelSettingsChanged, model=MODEL, params={"seed": "7"}),
    ),
    "params removed": (
        [fact(e.ModelSettingsChanged, model=MODEL, params={"seed": "7"})],
        lambda c, stamp: c.change_model_settings(model=None, params={}, stamp=stamp),
        fact(e.ModelSettingsChanged, model=MODEL, params={}),
    ),
}

NO_CHANGES: dict[str, tuple[list[Fact], Act]] = {
    "the same title": ([fact(e.ConversationRenamed, title="Tea")], lambda c, stamp: c.rename("Tea", stamp)),
    "unpin what is not pinned": ([], lambda c, stamp: c.pin(False, stamp)),
    "pin again": ([PINNED], lambda c, stamp: c.pin(True, stamp)),
    "unarchive what is not archived": ([], lambda c, stamp: c.archive(False, stamp)),
    "archive again": ([ARCHIVED], lambda c, stamp: c.archive(True, stamp)),
    "the same system prompt": ([], lambda c, stamp: c.change_system_prompt(SYSTEM, stamp)),
    "the same model": ([], lambda c, stamp: c.change_model_settings(model=MODEL, params=None, stamp=stamp)),
    "the same params": ([], lambda c, stamp: c.change_model_settings(model=None, params={}, stamp=stamp)),
    "neither model nor params": (
        [],
        lambda c, stamp: c.change_model_settings(model=None, params=None, stamp=stamp),
    ),
    "delete again": ([DELETED], lambda c, stamp: c.delete(stamp)),
    "restore what is not deleted": ([], lambda c, stamp: c.restore(stamp)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_one_event(name: str) -> None:
    past, act, expected = CHANGES[name]
    given_conversation(*started(), *past).when(act).then(expected)


@pytest.mark.parametrize("name", NO_CHANGES)
def test_what_changes_nothing_leaves_no_event(name: str) -> None:
    past, act = NO_CHANGES[name]
    given_conversation(*started(), *past).when(act).then_nothing()


@pytest.mark.parametrize("name", CHANGES)
def test_a_deleted_conversation_refuses_changes(name: str) -> None:
    past, act, _ = CHANGES[name]
    given_conversation(*started(), *past, DELETED).when(act).then_refused(ConversationIsDeleted)


def test_deleting_and_restoring_are_one_event_each() -> None:
    given_conversation(*started()).when(lambda c, stamp: c.delete(stamp)).then(DELETED)
    given_conversation(*started(), DELETED).when(lambda c, stamp: c.restore(stamp)).then(
        fact(e.ConversationRestored)
    )


def test_pins_and_archive_survive_delete_and_restore() -> None:
    past = [*started(), PINNED, ARCHIVED, DELETED, fact(e.ConversationRestored)]
    conversation = given_conversation(*past).aggregate
    assert (conversation.pinned, conversation.archived, conversation.deleted) == (True, True, False)


def test_a_deleted_conversation_still_knows_its_pending_calls() -> None:
    past = [*started(), user_said(1, "Hi"), reply_requested(2, parent=1)]
    happened = given_conversation(*past).when(lambda c, stamp: c.delete(stamp)).then(DELETED)
    assert len(happened.aggregate.pending_call_ids) == 1


def test_an_event_of_another_stream_is_named_not_ignored() -> None:
    conversation = given_conversation(*started()).aggregate
    with pytest.raises(TypeError, match="does not know the event str"):
        conversation.apply_event("not an event")  # type: ignore[arg-type]  # refused, which is what is tested
