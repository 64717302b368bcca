"""Somebody else was faster, or the same request comes twice: decided again with the same ids, answered once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from backend.application.execution import TRIES
from backend.application.ports import IdempotencyKey, Receipt
from backend.domain import commands as c
from backend.domain.errors import (
    ConversationIsDeleted,
    EmptyContent,
    IdempotencyKeyReused,
    ReplyPending,
    TooManyConflicts,
    UnknownConversation,
    VersionConflict,
)
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, sent_of
from tests.support.facts import OWNER, STRANGER, CountedIds
from tests.support.histories import SYSTEM
from tests.support.rivals import RivalStore, conflict

KEY = IdempotencyKey(OWNER, "key-1", "/api/conversations/", "aa" * 32)


@pytest.fixture
def rivals(store: InMemoryEventStore) -> RivalStore:
    return RivalStore(store)


@pytest.fixture
def slow(rivals: RivalStore, store: InMemoryEventStore) -> Core:
    """A client at whose appends others can be faster."""
    return Core(rivals, claim=store.claim, ids=CountedIds(0xB))


# ---- version conflicts ----------------------------------------------------------------------


def test_after_a_conflict_the_command_is_decided_again_with_the_same_ids(
    slow: Core, rivals: RivalStore
) -> None:
    conversation_id = slow.start()
    rivals.interrupt(conflict, conflict)
    sent = slow.send(conversation_id, "Hi")
    assert slow.topics(conversation_id)[3:] == ["UserMessageSent", "ReplyRequested"]
    assert rivals.appended[-3:] == [(conversation_id, sent.call_id)] * 3
    assert slow.pauses == [1, 2]


def test_a_message_sent_meanwhile_changes_version_parent_and_digest(
    slow: Core, core: Core, rivals: RivalStore
) -> None:
    conversation_id = slow.start()

    def somebody_else() -> None:
        core.answer(core.send(conversation_id, "One"), "Two")

    rivals.interrupt(somebody_else)
    answer = slow.run(c.SendUserMessage(OWNER, conversation_id, "Three"))
    sent = sent_of(conversation_id, answer)
    assert answer.body["version"] == 8
    assert slow.request_of(sent.call_id).version == 8
    assert [content for _, content in slow.prompt_of(sent.call_id)] == [SYSTEM, "One", "Two", "Three"]


def test_a_setting_changed_meanwhile_is_the_one_that_is_sent(
    slow: Core, core: Core, rivals: RivalStore
) -> None:
    conversation_id = slow.start()

    def somebody_else() -> None:
        core.change(conversation_id, system_prompt="Be brief.")

    rivals.interrupt(somebody_else)
    sent = slow.send(conversation_id, "Hi")
    assert slow.prompt_of(sent.call_id)[0] == ("system", "Be brief.")


def test_a_retry_may_end_in_a_refusal(slow: Core, core: Core, rivals: RivalStore) -> None:
    conversation_id = slow.start()

    def somebody_sends() -> None:
        core.send(conversation_id, "Me first")

    def somebody_deletes() -> None:
        core.delete(conversation_id)

    rivals.interrupt(somebody_sends)
    with pytest.raises(ReplyPending):
        slow.send(conversation_id, "Hi")
    rivals.interrupt(somebody_deletes)
    with pytest.raises(ConversationIsDeleted):
        slow.send(conversation_id, "Hi", None)
    assert slow.topics(conversation_id).count("UserMessageSent") == 1


def test_only_a_command_with_an_expected_version_answers_with_a_version_conflict(
    slow: Core, core: Core, rivals: RivalStore
) -> None:
    conversation_id = slow.start()

    def somebody_else() -> None:
        core.change(conversation_id, pinned=True)

    rivals.interrupt(somebody_else)
    with pytest.raises(VersionConflict, match="at version 4, the command expected 3"):
        slow.change(conversation_id, title="Tea", expected_version=3)
    assert slow.topics(conversation_id)[3:] == ["ConversationPinned"]


def test_a_conflict_that_never_ends_is_given_up_after_ten_tries(
    slow: Core, rivals: RivalStore, store: InMemoryEventStore
) -> None:
    conversation_id = slow.start()
    rivals.interrupt(*[conflict] * TRIES)
    with pytest.raises(TooManyConflicts) as caught:
        slow.send(conversation_id)
    assert TRIES == 10
    assert slow.pauses == list(range(1, TRIES))
    assert caught.value.code == "too_busy"
    assert store.end() == 3


def test_the_tenth_try_still_counts(slow: Core, rivals: RivalStore) -> None:
    conversation_id = slow.start()
    rivals.interrupt(*[conflict] * (TRIES - 1))
    slow.send(conversation_id)
    assert rivals.interruptions == []


# ---- repeats --------------------------------------------------------------------------------


def test_a_repeat_gets_the_first_answer_and_stores_nothing(core: Core, store: InMemoryEventStore) -> None:
    command = c.StartConversation(OWNER, title="Tea")
    first = core.run(command, key=KEY)
    end = store.end()
    assert core.run(command, key=KEY) == first
    assert store.end() == end
    assert first.body["position"] == str(end)


def test_a_repeat_gets_the_first_answer_also_when_things_have_changed(core: Core) -> None:
    conversation_id = core.start()
    command = c.SendUserMessage(OWNER, conversation_id, "Hi")
    first = core.run(command, key=KEY)
    core.answer(sent_of(conversation_id, first))
    core.delete(conversation_id)
    assert core.run(command, key=KEY) == first


def test_without_a_key_the_same_request_is_carried_out_twice(core: Core) -> None:
    assert core.start() != core.start()


@pytest.mark.parametrize(
    "change", [{"path": "/api/elsewhere/"}, {"body_sha256": "bb" * 32}], ids=["another path", "another body"]
)
def test_a_key_used_for_another_request_is_refused(
    core: Core, store: InMemoryEventStore, change: dict[str, Any]
) -> None:
    core.run(c.StartConversation(OWNER), key=KEY)
    with pytest.raises(IdempotencyKeyReused, match="key-1") as caught:
        core.run(c.StartConversation(OWNER), key=replace(KEY, **change))
    assert caught.value.code == "idempotency_key_reused"
    assert store.end() == 3


def test_the_same_key_of_another_user_is_another_key(core: Core) -> None:
    mine = core.run(c.StartConversation(OWNER), key=KEY)
    theirs = core.run(
        c.StartConversation(STRANGER), key=replace(KEY, user_id=STRANGER, body_sha256="cc" * 32)
    )
    assert mine.body["id"] != theirs.body["id"]


def test_a_refusal_is_not_kept(core: Core) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "One")
    command = c.SendUserMessage(OWNER, conversation_id, "Two")
    with pytest.raises(ReplyPending):
        core.run(command, key=KEY)
    with pytest.raises(EmptyContent):
        core.run(c.SendUserMessage(OWNER, conversation_id, " "), key=KEY)
    core.answer(sent)
    assert core.run(command, key=KEY).status == 202


def test_a_command_that_changes_nothing_is_answered_once_too(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    command = c.ChangeConversation(OWNER, conversation_id, pinned=False)
    first = core.run(command, key=KEY)
    core.change(conversation_id, title="Later")
    assert core.run(command, key=KEY) == first
    assert store.find_receipt(OWNER, "key-1") is not None


def test_a_twin_that_was_faster_gives_its_answer(slow: Core, core: Core, rivals: RivalStore) -> None:
    command = c.StartConversation(OWNER, title="Tea")
    answers = []

    def twin() -> None:
        answers.append(core.run(command, key=KEY))

    rivals.interrupt(twin)
    assert slow.run(command, key=KEY) == answers[0]
    assert slow.topics(UUID(answers[0].body["id"]))[:1] == ["ConversationStarted"]


def test_a_twin_whose_reply_is_pending_by_now_gives_its_answer(
    slow: Core, core: Core, rivals: RivalStore
) -> None:
    conversation_id = slow.start()
    command = c.SendUserMessage(OWNER, conversation_id, "Hi")
    answers = []

    def twin() -> None:
        answers.append(core.run(command, key=KEY))

    rivals.interrupt(twin)
    assert slow.run(command, key=KEY) == answers[0]
    assert slow.topics(conversation_id).count("UserMessageSent") == 1


class LateReceipts(RivalStore):
    """A store whose receipt is not seen the first time it is looked for, as when a twin commits just after."""

    looked = 0

    def find_receipt(self, user_id: UUID, key: str) -> Receipt | None:
        self.looked += 1
        return None if self.looked == 1 else super().find_receipt(user_id, key)


def test_a_refusal_caused_by_ones_own_twin_is_its_answer(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    command = c.SendUserMessage(OWNER, conversation_id, "Hi")
    first = core.run(command, key=KEY)
    assert Core(LateReceipts(store)).run(command, key=KEY) == first


def test_a_repeat_for_somebody_elses_conversation_stays_unknown(core: Core) -> None:
    conversation_id = core.start()
    command = c.SendUserMessage(STRANGER, conversation_id, "Hi")
    for _ in range(2):
        with pytest.raises(UnknownConversation):
            core.run(command, key=replace(KEY, user_id=STRANGER))
