"""Commands about conversations, through their handlers, on the store in memory."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from backend.application.history import conversation_events
from backend.application.ports import AnnounceCancel
from backend.domain import commands as c
from backend.domain.conversation import SELECTED_LEAF
from backend.domain.errors import (
    ConversationIsDeleted,
    DomainError,
    EmptyContent,
    InvalidInput,
    InvalidParameter,
    NotFound,
    ReplyPending,
    UnknownConversation,
    UnknownMessage,
    UnknownParent,
    VersionConflict,
)
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core
from tests.support.facts import CORRELATION, OWNER, STRANGER, message_id
from tests.support.histories import MODEL, SYSTEM


def test_a_new_conversation_starts_with_the_installations_defaults(core: Core) -> None:
    answer = core.run(c.StartConversation(OWNER))
    assert answer.status == 201
    assert answer.body == {
        "id": answer.body["id"],
        "title": "New conversation",
        "settings": {"system_prompt": SYSTEM, "model": MODEL, "params": {}},
        "version": 3,
        "selected_leaf_id": None,
        "pinned": False,
        "archived": False,
        "deleted": False,
        "forked_from": None,
        "position": "3",
    }
    assert core.topics(UUID(answer.body["id"])) == [
        "ConversationStarted",
        "SystemPromptChanged",
        "ModelSettingsChanged",
    ]


def test_a_new_conversation_may_have_settings_of_its_own(core: Core) -> None:
    command = c.StartConversation(OWNER, " Tea ", "", " other ", {"temperature": 0.5})
    body = core.run(command).body
    assert (body["title"], body["settings"]) == (
        "Tea",
        {"system_prompt": "", "model": "other", "params": {"temperature": "0.5"}},
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "title"),
        ({"system_prompt": "\x00"}, "system_prompt"),
        ({"model": ""}, "model"),
        ({"params": {"seed": "x"}}, "params.seed"),
    ],
)
def test_a_conversation_with_unfit_settings_is_not_started(
    core: Core, store: InMemoryEventStore, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        core.start(**fields)
    assert list(caught.value.fields) == [field]
    assert store.end() == 0


def test_a_message_its_reply_and_the_call_are_one_commit(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    answer = core.run(c.SendUserMessage(OWNER, conversation_id, "Hi", source="api"))
    body = answer.body
    assert (answer.status, body["version"], body["position"]) == (202, 5, "6")
    assert core.topics(conversation_id)[3:] == ["UserMessageSent", "ReplyRequested"]
    assert core.topics(UUID(body["call_id"])) == ["ModelCallRequested"]
    assert list(store.queue) == [UUID(body["call_id"])]
    requested = core.payloads(UUID(body["call_id"]), "ModelCallRequested")[0]
    assert (requested["conversation_id"], requested["reply_id"]) == (str(conversation_id), body["reply_id"])
    assert (requested["purpose"], requested["source"], requested["owner_id"]) == ("reply", "api", str(OWNER))
    assert core.prompt_of(UUID(body["call_id"])) == [("system", SYSTEM), ("user", "Hi")]


def test_all_events_of_a_command_share_who_asked_and_the_correlation(core: Core) -> None:
    sent = core.send(core.start())
    rows = [*core.store.read_stream(sent.conversation_id, 3, 9), *core.store.read_stream(sent.call_id, 0, 9)]
    assert {row.payload["actor"] for row in rows} == {f"user:{OWNER}"}
    assert {row.payload["correlation_id"] for row in rows} == {str(CORRELATION)}
    assert len({row.payload["event_id"] for row in rows}) == len(rows) == 3


def test_a_turn_of_several_messages_sends_the_whole_branch(core: Core) -> None:
    conversation_id = core.start()
    first = core.send(conversation_id, "One")
    core.answer(first, "Two")
    second = core.send(conversation_id, "Three")
    assert core.prompt_of(second.call_id) == [
        ("system", SYSTEM),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Three"),
    ]
    assert core.prompt_of(first.call_id) == [("system", SYSTEM), ("user", "One")]


def test_a_message_can_start_a_new_root_or_answer_an_earlier_one(core: Core) -> None:
    conversation_id = core.start()
    first = core.send(conversation_id, "One")
    core.answer(first, "Two")
    assert core.prompt_of(core.send(conversation_id, "Root", None).call_id)[1:] == [("user", "Root")]
    branch = core.send(conversation_id, "Branch", first.reply_id)
    assert [content for _, content in core.prompt_of(branch.call_id)] == [SYSTEM, "One", "Two", "Branch"]


def test_a_message_may_choose_another_model_and_parameters_for_its_own_call(core: Core) -> None:
    conversation_id = core.start(params={"seed": 1})
    first = core.send(conversation_id, "One", model="other", params={"temperature": "0"})
    assert (core.request_of(first.call_id).model, core.request_of(first.call_id).params) == (
        "other",
        {"temperature": "0"},
    )
    core.answer(first)
    second = core.request_of(core.send(conversation_id, "Two").call_id)
    assert (second.model, second.params) == (MODEL, {"seed": "1"})


@pytest.mark.parametrize(
    ("command", "refusal", "field"),
    [
        (lambda i: c.SendUserMessage(OWNER, i, ""), EmptyContent, "content"),
        (lambda i: c.SendUserMessage(OWNER, i, "Hi", message_id(9)), UnknownParent, "parent_id"),
        (lambda i: c.SendUserMessage(OWNER, i, "Hi", params={"n": 1}), InvalidParameter, "params.n"),
        (lambda i: c.SendUserMessage(OWNER, i, "Hi", model=" "), InvalidInput, "model"),
        (lambda i: c.SendUserMessage(OWNER, i, "Hi", expected_version=2), VersionConflict, None),
        (lambda i: c.SendUserMessage(STRANGER, i, "Hi"), UnknownConversation, None),
        (lambda i: c.SendUserMessage(OWNER, message_id(9), "Hi"), UnknownConversation, None),
        (lambda i: c.RegenerateReply(OWNER, i, message_id(9)), UnknownMessage, None),
        (lambda i: c.RegenerateReply(STRANGER, i, message_id(9)), UnknownConversation, None),
        (lambda i: c.RegenerateReply(OWNER, i, message_id(9), expected_version=1), VersionConflict, None),
        (lambda i: c.ChangeConversation(OWNER, i, title=""), InvalidInput, "title"),
        (
            lambda i: c.ChangeConversation(OWNER, i, pinned=True, params={"seed": 0.5}),
            InvalidParameter,
            "params.seed",
        ),
        (lambda i: c.ChangeConversation(OWNER, i, title="x", expected_version=9), VersionConflict, None),
        (lambda i: c.ChangeConversation(STRANGER, i, title="x"), UnknownConversation, None),
        (lambda i: c.DeleteConversation(STRANGER, i), UnknownConversation, None),
        (lambda i: c.DeleteConversation(OWNER, i, expected_version=1), VersionConflict, None),
        (lambda i: c.RestoreConversation(STRANGER, i), UnknownConversation, None),
        (lambda i: c.RestoreConversation(OWNER, i, expected_version=1), VersionConflict, None),
    ],
)
def test_a_refused_command_stores_nothing(
    core: Core,
    store: InMemoryEventStore,
    command: Callable[[UUID], c.Command],
    refusal: type[DomainError],
    field: str | None,
) -> None:
    conversation_id = core.start()
    with pytest.raises(refusal) as caught:
        core.run(command(conversation_id))
    assert list(caught.value.fields) == ([field] if field else [])
    assert store.end() == 3
    assert not store.queue


def test_somebody_elses_conversation_is_refused_in_the_words_of_an_unknown_one(core: Core) -> None:
    conversation_id = core.start()
    with pytest.raises(NotFound) as others:
        core.run(c.SendUserMessage(STRANGER, conversation_id, "Hi"))
    with pytest.raises(NotFound) as unknown:
        core.run(c.SendUserMessage(STRANGER, message_id(1), "Hi"))
    assert str(others.value).replace(str(conversation_id), "…") == str(unknown.value).replace(
        str(message_id(1)), "…"
    )
    assert others.value.code == unknown.value.code


def test_a_call_is_not_a_conversation(core: Core) -> None:
    sent = core.send(core.start())
    with pytest.raises(UnknownConversation):
        core.send(sent.call_id)
    with pytest.raises(UnknownConversation):
        conversation_events(core.store, sent.call_id, OWNER, after_version=0, limit=9)


def test_the_expected_version_is_the_one_the_client_has_seen(core: Core) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, expected_version=3)
    with pytest.raises(VersionConflict):
        core.send(conversation_id, parent_id=None, expected_version=3)
    core.answer(sent)
    core.regenerate(conversation_id, sent.reply_id, expected_version=6)


def test_a_reply_that_is_pending_cannot_be_answered(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    end = store.end()
    for parent_id in (SELECTED_LEAF, sent.reply_id):
        with pytest.raises(ReplyPending):
            core.send(sent.conversation_id, "More", parent_id)
    assert store.end() == end


def test_regenerating_asks_the_same_question_again(core: Core) -> None:
    conversation_id = core.start()
    first = core.send(conversation_id, "One")
    core.answer(first, "Two")
    again = core.regenerate(conversation_id, first.reply_id)
    by_message = core.regenerate(conversation_id, first.message_id or first.reply_id)
    assert (
        core.prompt_of(again.call_id) == core.prompt_of(by_message.call_id) == core.prompt_of(first.call_id)
    )
    assert len({first.reply_id, again.reply_id, by_message.reply_id}) == 3
    assert again.message_id is None


def test_regenerating_uses_the_settings_of_now_or_its_own(core: Core) -> None:
    conversation_id = core.start()
    first = core.send(conversation_id, "One")
    core.answer(first)
    core.change(conversation_id, system_prompt="Be brief.", params={"seed": 3})
    again = core.regenerate(conversation_id, first.reply_id)
    assert core.prompt_of(again.call_id) == [("system", "Be brief."), ("user", "One")]
    assert core.request_of(again.call_id).params == {"seed": "3"}
    other = core.regenerate(conversation_id, first.reply_id, model="other", params={})
    assert (core.request_of(other.call_id).model, core.request_of(other.call_id).params) == ("other", {})
    assert core.prompt_of(first.call_id)[0] == ("system", SYSTEM)


def test_one_change_command_may_change_everything_and_answers_with_the_result(core: Core) -> None:
    conversation_id = core.start()
    answer = core.change(
        conversation_id,
        title="Tea",
        pinned=True,
        archived=True,
        system_prompt="Be brief.",
        model="other",
        params={"top_k": 5},
    )
    assert answer.status == 200
    assert core.topics(conversation_id)[3:] == [
        "ConversationRenamed",
        "ConversationPinned",
        "ConversationArchived",
        "SystemPromptChanged",
        "ModelSettingsChanged",
    ]
    body = answer.body
    assert (body["title"], body["pinned"], body["archived"], body["version"]) == ("Tea", True, True, 8)
    assert body["settings"] == {"system_prompt": "Be brief.", "model": "other", "params": {"top_k": "5"}}


def test_a_change_that_changes_nothing_stores_nothing_and_answers_the_same(core: Core) -> None:
    conversation_id = core.start()
    answer = core.change(conversation_id, title="New conversation", pinned=False, params={}, model=MODEL)
    assert (answer.status, answer.body["version"], answer.body["position"]) == (200, 3, "3")
    assert core.change(conversation_id).body == answer.body


def test_deleting_hides_and_restoring_brings_back(core: Core) -> None:
    conversation_id = core.start()
    assert core.delete(conversation_id).status == 202
    for refused in (
        lambda: core.send(conversation_id),
        lambda: core.change(conversation_id, title="x"),
    ):
        with pytest.raises(ConversationIsDeleted):
            refused()
    end = core.delete(conversation_id).body["position"]
    assert core.topics(conversation_id).count("ConversationDeleted") == 1
    assert core.restore(conversation_id).body["deleted"] is False
    assert core.restore(conversation_id).body["position"] == str(int(end) + 1)
    core.send(conversation_id)


def test_deleting_asks_all_running_calls_to_cancel(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    waiting, running = core.send(conversation_id, "One"), core.send(conversation_id, "Two", None)
    finished = core.send(conversation_id, "Three", None)
    core.answer(finished)
    claim = core.claim(running.call_id)
    core.begin(running.call_id, claim)
    core.delete(conversation_id)
    assert store.announced_cancels == [waiting.call_id, running.call_id]
    for sent in (waiting, running):
        assert core.topics(sent.call_id)[-1] == "ModelCallCancelRequested"
    assert "ModelCallCancelRequested" not in core.topics(finished.call_id)
    core.record(running.call_id, claim, "Half an ans", "cancelled")
    assert core.payloads(conversation_id, "ReplyRecorded")[-1]["content"] == "Half an ans"


def test_deleting_does_not_ask_a_second_time(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    core.claim(sent.call_id)
    core.cancel(sent.call_id)
    core.delete(sent.conversation_id)
    core.delete(sent.conversation_id)
    assert core.topics(sent.call_id).count("ModelCallCancelRequested") == 1
    assert set(store.announced_cancels) == {sent.call_id}


def test_the_events_of_a_conversation_are_for_its_owner(core: Core) -> None:
    conversation_id = core.start()
    rows = conversation_events(core.store, conversation_id, OWNER, after_version=1, limit=1)
    assert [(row.version, row.topic) for row in rows] == [(2, "SystemPromptChanged.v1")]
    with pytest.raises(UnknownConversation):
        conversation_events(core.store, conversation_id, STRANGER, after_version=0, limit=9)


def test_a_conversation_without_any_model_asks_for_one(store: InMemoryEventStore) -> None:
    core = Core(store, model="")
    conversation_id = core.start()
    with pytest.raises(InvalidInput, match="No model is chosen") as caught:
        core.send(conversation_id)
    assert list(caught.value.fields) == ["model"]
    assert store.end() == 3
    core.send(conversation_id, model="smol")


def test_only_known_commands_have_handlers(core: Core) -> None:
    with pytest.raises(TypeError, match="No handler is registered for AnnounceCancel"):
        core.run(AnnounceCancel(message_id(1)))  # type: ignore[arg-type]
