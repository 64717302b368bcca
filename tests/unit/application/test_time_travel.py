"""A conversation as of each of its versions, held against a second, plain reading of the same events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from backend.application.time_travel import EXCERPT_CHARACTERS, AsOf, conversation_as_of
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import InvalidInput, UnknownConversation, UnknownMessage
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, message_of
from tests.support.facts import OWNER, STRANGER
from tests.support.histories import MODEL, SYSTEM
from tests.support.replays import TooSmall, newest

UNKNOWN = UUID("3e55a9e0-0000-4000-8000-00000000dead")


@dataclass
class Plain:
    """What a reader of the events would note down on paper."""

    title: str = ""
    system_prompt: str = ""
    model: str = ""
    deleted: bool = False
    selected: UUID | None = None
    hidden: set[UUID] = field(default_factory=set)
    messages: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    def note(self, event: e.VerbatimEvent) -> None:
        match event:
            case e.ConversationStarted():
                self.title = event.title
                if event.forked_from is not None:
                    path = [one["id"] for one in self.path(event.forked_from.message_id)]
                    self.messages = {key: self.messages[key] for key in path}
                    self.selected = event.forked_from.message_id
                    self.hidden, self.deleted = set(), False
            case e.SystemPromptChanged():
                self.system_prompt = event.text
            case e.ModelSettingsChanged():
                self.model = event.model
            case e.UserMessageSent():
                self._message(event, event.message_id, event.parent_id, "user", event.content, None)
            case e.ReplyRequested():
                self._message(event, event.reply_id, event.parent_id, "assistant", "", outcomes.PENDING)
                self.messages[event.reply_id].update(continues=event.continues, replay=event.replay)
            case e.ReplyRecorded():
                self.messages[event.reply_id].update(content=event.content, outcome=event.outcome)
            case e.BranchSelected():
                self.selected = event.leaf_id
            case e.BranchHidden():
                self.hidden.add(event.leaf_id)
            case e.BranchShown():
                self.hidden.remove(event.leaf_id)
            case e.ConversationRenamed():
                self.title = event.title
            case e.ConversationDeleted():
                self.deleted = True
            case e.ConversationRestored():
                self.deleted = False
            case _:
                pass

    def _message(
        self, event: Any, message_id: UUID, parent: UUID | None, role: str, content: str, outcome: str | None
    ) -> None:
        self.selected = message_id
        self.messages[message_id] = {
            "id": message_id,
            "conversation_id": event.originator_id,
            "parent_id": parent,
            "role": role,
            "content": content,
            "outcome": outcome,
            "continues": None,
            "replay": None,
            "at": event.timestamp,
            "version": event.originator_version,
        }

    def path(self, leaf: UUID | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while leaf is not None:
            found.insert(0, self.messages[leaf])
            leaf = found[0]["parent_id"]
        return found

    def children(self, parent: UUID | None) -> list[UUID]:
        return [key for key, one in self.messages.items() if one["parent_id"] == parent]

    def leaves(self) -> list[UUID]:
        return [key for key in self.messages if not self.children(key)]

    def is_hidden(self, message_id: UUID) -> bool:
        below = [leaf for leaf in self.leaves() if self.messages[message_id] in self.path(leaf)]
        return all(leaf in self.hidden for leaf in below)


def read_plainly(store: InMemoryEventStore, conversation_id: UUID, version: int) -> Plain:
    plain = Plain()
    history = store.read_history(conversation_id, up_to_version=version)
    for part in history:
        for event in part.events:
            plain.note(event)
    return plain


def assert_as_read_plainly(store: InMemoryEventStore, conversation_id: UUID, version: int) -> AsOf:
    """Everything of one version, on the selected branch and on every other one."""
    plain = read_plainly(store, conversation_id, version)
    found = conversation_as_of(store, conversation_id, OWNER, version)
    own = store.read_events(conversation_id)
    assert (found.version, found.latest_version) == (version, len(own))
    assert (found.event, found.at) == (own[version - 1].TOPIC, own[version - 1].timestamp)
    assert (found.title, found.deleted, found.selected_leaf_id) == (
        plain.title,
        plain.deleted,
        plain.selected,
    )
    assert (found.settings.system_prompt, found.settings.model) == (plain.system_prompt, plain.model)
    assert found.leaf_id == plain.selected
    assert [(leaf.leaf_id, leaf.hidden) for leaf in found.leaves] == [
        (leaf, leaf in plain.hidden) for leaf in plain.leaves()
    ]
    for leaf in [None, *plain.leaves()]:
        part = conversation_as_of(store, conversation_id, OWNER, version, leaf_id=leaf, limit=999)
        expected = plain.path(leaf or plain.selected)
        assert part.older_before is None
        assert [message.id for message in part.messages] == [one["id"] for one in expected]
        for depth, (message, one) in enumerate(zip(part.messages, expected, strict=True)):
            assert {name: getattr(message, name) for name in one} == one
            assert message.depth == depth
            assert message.inherited == (one["conversation_id"] != conversation_id)
            assert message.hidden == plain.is_hidden(one["id"])
            assert message.sibling_ids == tuple(plain.children(one["parent_id"]))
            assert message.sibling_ids[message.sibling_index] == message.id
            assert message.sibling_count == len(message.sibling_ids)
    return found


@pytest.fixture
def rich(core: Core) -> UUID:
    """Everything that can happen to a conversation."""
    conversation_id = core.start(title="First title")
    first = core.turn(conversation_id, "One", "Two")
    core.change(conversation_id, title="Second title", system_prompt="Be brief.", model="big", pinned=True)
    second = core.turn(conversation_id, "Three", "Four")
    edited = core.edit(conversation_id, message_of(first), "Edited")
    core.answer(edited, "Half", outcomes.TRUNCATED)
    continued = core.continue_reply(conversation_id, edited.reply_id)
    core.answer(continued, " and whole")
    again = core.regenerate(conversation_id, second.reply_id)
    core.cancel(again.call_id)
    core.hide(conversation_id, again.reply_id)
    core.hide(conversation_id, message_of(second))
    grown = core.turn(conversation_id, "From the hidden one", parent_id=second.reply_id)
    core.show(conversation_id, again.reply_id)
    core.select(conversation_id, continued.reply_id)
    replay_id = core.replay(conversation_id, leaf_id=grown.reply_id)
    for _ in range(3):
        core.advance(conversation_id, replay_id)
        core.answer(newest(core, conversation_id, replay_id), "Again")
    core.advance(conversation_id, replay_id)
    core.delete(conversation_id)
    core.restore(conversation_id)
    core.send(conversation_id, "Still waiting")
    core.delete(conversation_id)
    return conversation_id


def last_version(store: InMemoryEventStore, conversation_id: UUID) -> int:
    return len(store.read_events(conversation_id))


# ---- every version --------------------------------------------------------------------------


def test_every_version_of_a_rich_history(store: InMemoryEventStore, rich: UUID) -> None:
    latest = last_version(store, rich)
    topics = {assert_as_read_plainly(store, rich, version).event for version in range(1, latest + 1)}
    assert latest > 40
    assert len(topics) >= 14


def test_every_version_of_forks_of_forks(core: Core, store: InMemoryEventStore, rich: UUID) -> None:
    core.restore(rich)
    core.select(rich, core.conversation(rich).nodes.leaves()[0])
    leaf = core.conversation(rich).selected_leaf_id
    assert leaf is not None
    fork_id = core.fork(rich, leaf)
    core.change(rich, title="Changed later", system_prompt="Changed later.")
    root = message_of(core.turn(fork_id, "In the fork"))
    core.edit(fork_id, core.conversation(fork_id).nodes.path(root)[0].message_id, "Another root")
    second_id = core.fork(fork_id, root, title="Second")
    core.turn(second_id, "In the second", parent_id=leaf)
    core.hide(second_id, root)
    for conversation_id in (fork_id, second_id):
        for version in range(1, last_version(store, conversation_id) + 1):
            assert_as_read_plainly(store, conversation_id, version)
    first = conversation_as_of(store, second_id, OWNER, 1)
    assert (first.event, first.title, first.selected_leaf_id) == ("ConversationStarted.v1", "Second", root)
    assert all(message.inherited for message in first.messages)
    assert {message.conversation_id for message in first.messages} == {rich, fork_id}


def test_what_was_hidden_and_deleted_later_is_in_sight_as_of_then(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start()
    first = core.turn(conversation_id, "One")
    then = last_version(store, conversation_id)
    core.turn(conversation_id, "Two", parent_id=None)
    core.hide(conversation_id, first.reply_id)
    core.delete(conversation_id)
    past = conversation_as_of(store, conversation_id, OWNER, then)
    assert (past.deleted, [leaf.hidden for leaf in past.leaves]) == (False, [False])
    assert [message.hidden for message in past.messages] == [False, False]
    now = conversation_as_of(
        store, conversation_id, OWNER, last_version(store, conversation_id), leaf_id=first.reply_id
    )
    assert (now.deleted, [leaf.hidden for leaf in now.leaves]) == (True, [True, False])
    assert [message.hidden for message in now.messages] == [True, True]


def test_a_reply_is_pending_between_its_request_and_its_end(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "One")
    requested = last_version(store, conversation_id)
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    error = e.ReplyError("runner_error", "It broke.")
    core.record(sent.call_id, claim, "Half", outcomes.FAILED, error=error)
    pending = conversation_as_of(store, conversation_id, OWNER, requested).messages[-1]
    assert (pending.outcome, pending.content, pending.error) == ("pending", "", None)
    ended = conversation_as_of(store, conversation_id, OWNER, requested + 1).messages[-1]
    assert (ended.outcome, ended.content, ended.finish_reason) == ("failed", "Half", None)
    assert ended.error == {"code": "runner_error", "message": "It broke."}
    assert (ended.call_id, ended.model, ended.omitted_count) == (sent.call_id, MODEL, None)


def test_before_any_message_there_is_an_empty_branch(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start(title="Tea")
    for version, prompt in ((1, ""), (2, SYSTEM), (3, SYSTEM)):
        found = conversation_as_of(store, conversation_id, OWNER, version)
        assert (found.title, found.settings.system_prompt) == ("Tea", prompt)
        assert (found.leaf_id, found.messages, found.leaves, found.older_before) == (None, (), (), None)


def test_how_many_messages_were_left_out_is_told_for_each_reply(store: InMemoryEventStore) -> None:
    core = Core(store, models=TooSmall(300), model="tiny")
    conversation_id = core.start()
    for number in range(6):
        core.turn(conversation_id, f"{number} ".ljust(200, "x"), "y" * 200)
    found = conversation_as_of(store, conversation_id, OWNER, last_version(store, conversation_id))
    omitted = [message.omitted_count for message in found.messages]
    assert omitted[0] is None
    assert omitted[1] is None
    assert [count for count in omitted[2::2] if count is not None] == []
    assert any(omitted[3::2])


def test_a_replays_replies_name_their_turn(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    core.turn(conversation_id)
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    found = conversation_as_of(store, conversation_id, OWNER, last_version(store, conversation_id))
    assert [message.replay for message in found.messages] == [None, e.ReplayTurn(replay_id, 1)]
    assert found.messages[1].model == "another-model"


# ---- excerpts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Short", "Short"),
        ("  two\n\n lines\t", "two lines"),
        ("x" * 200, "x" * EXCERPT_CHARACTERS),
        ("", "The question"),
    ],
)
def test_a_leaf_is_told_by_its_last_words_on_one_line(
    core: Core, store: InMemoryEventStore, reply: str, expected: str
) -> None:
    conversation_id = core.start()
    core.turn(conversation_id, "The question", reply)
    (leaf,) = conversation_as_of(store, conversation_id, OWNER, last_version(store, conversation_id)).leaves
    assert leaf.excerpt == expected


# ---- pages ----------------------------------------------------------------------------------


def pages(store: InMemoryEventStore, conversation_id: UUID, version: int, limit: int) -> Sequence[AsOf]:
    found = [conversation_as_of(store, conversation_id, OWNER, version, limit=limit)]
    while found[-1].older_before is not None:
        before = found[-1].older_before
        found.append(conversation_as_of(store, conversation_id, OWNER, version, before=before, limit=limit))
    return found


@pytest.mark.parametrize(("limit", "count"), [(1, 10), (3, 4), (4, 3), (5, 2), (10, 1), (11, 1)])
def test_pages_go_upwards_without_a_gap(
    core: Core, store: InMemoryEventStore, limit: int, count: int
) -> None:
    source_id = core.start()
    for number in range(3):
        sent = core.turn(source_id, str(number))
    conversation_id = core.fork(source_id, sent.reply_id)
    for number in range(3, 5):
        core.turn(conversation_id, str(number))
    then = last_version(store, conversation_id)
    core.turn(conversation_id, "Later")
    found = pages(store, conversation_id, then, limit)
    assert len(found) == count
    messages = [message for page in reversed(found) for message in page.messages]
    branch = core.conversation(conversation_id).nodes.path(messages[-1].id)
    assert [message.id for message in messages] == [node.message_id for node in branch]
    assert [message.depth for message in messages] == list(range(10))
    assert [message.inherited for message in messages] == [True] * 6 + [False] * 4


# ---- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [-5, 0, 6, 1000])
def test_a_version_that_never_was_is_refused_with_the_range(
    core: Core, store: InMemoryEventStore, version: int
) -> None:
    conversation_id = core.start()
    core.send(conversation_id)
    with pytest.raises(InvalidInput, match=f"versions 1 to 5; found {version}") as caught:
        conversation_as_of(store, conversation_id, OWNER, version)
    assert list(caught.value.fields) == ["version"]


def test_somebody_elses_past_is_as_unknown_as_none(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    for asked, owner, version in (
        (conversation_id, STRANGER, 1),
        (conversation_id, STRANGER, 99),
        (UNKNOWN, OWNER, 1),
    ):
        with pytest.raises(UnknownConversation):
            conversation_as_of(store, asked, owner, version)


def test_a_message_that_was_not_there_yet_is_refused_by_the_name_of_its_field(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start()
    core.turn(conversation_id)
    then = last_version(store, conversation_id)
    later = core.turn(conversation_id)
    with pytest.raises(UnknownMessage) as leaf:
        conversation_as_of(store, conversation_id, OWNER, then, leaf_id=later.reply_id)
    assert list(leaf.value.fields) == ["leaf"]
    with pytest.raises(UnknownMessage) as before:
        conversation_as_of(store, conversation_id, OWNER, then, before=later.reply_id)
    assert list(before.value.fields) == ["before"]
