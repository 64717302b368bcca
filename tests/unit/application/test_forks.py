"""Forks through commands: what they cost, what they are sent with, and that nothing in their source changes them."""

from __future__ import annotations

from uuid import UUID

import pytest

from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import (
    InvalidInput,
    ReplyPending,
    TextTooLong,
    UnknownConversation,
    UnknownMessage,
)
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, Sent, message_of, refused
from tests.support.facts import OWNER, STRANGER, as_events, stamper
from tests.support.histories import SYSTEM, reply_recorded, reply_requested, started, user_said

UNKNOWN = UUID("3e55a9e0-0000-4000-8000-00000000dead")


@pytest.fixture
def source(core: Core) -> tuple[UUID, Sent, Sent]:
    """A conversation with two turns: One, Two, Three, Four."""
    conversation_id = core.start(title="Tea", system_prompt="Be kind.", params={"seed": 3})
    return (
        conversation_id,
        core.turn(conversation_id, "One", "Two"),
        core.turn(conversation_id, "Three", "Four"),
    )


# ---- what a fork is -------------------------------------------------------------------------


def test_a_fork_is_exactly_one_event_and_answers_with_the_new_conversation(
    core: Core, store: InMemoryEventStore, source: tuple[UUID, Sent, Sent]
) -> None:
    source_id, first, _ = source
    end, version = store.end(), core.conversation(source_id).version
    answer = core.run(c.ForkConversation(OWNER, source_id, first.reply_id))
    new = store.read_after(end, 9)
    assert [type(recorded.event) for recorded in new] == [e.ConversationStarted]
    assert (answer.status, answer.body["position"]) == (201, str(end + 1))
    assert {name: answer.body[name] for name in ("title", "version", "selected_leaf_id", "forked_from")} == {
        "title": "Tea (fork)",
        "version": 1,
        "selected_leaf_id": str(first.reply_id),
        "forked_from": {
            "conversation_id": str(source_id),
            "version": version,
            "message_id": str(first.reply_id),
        },
    }
    assert answer.body["settings"] == {
        "system_prompt": "Be kind.",
        "model": core.conversation(source_id).settings.model,
        "params": {"seed": "3"},
    }
    assert answer.body["id"] == str(new[0].event.originator_id)


def long_conversation(store: InMemoryEventStore, messages: int) -> UUID:
    """A conversation of so many messages, put into the store without any commands."""
    conversation_id = UUID(int=messages << 8)
    facts = started()
    for number in range(1, messages + 1, 2):
        facts.append(user_said(number, f"Question {number}", None if number == 1 else number - 1))
        facts += [reply_requested(number + 1, number), reply_recorded(number + 1, f"Answer {number}")]

    class Stream:
        id = conversation_id

        def collect_events(self) -> list[e.VerbatimEvent]:
            return as_events(conversation_id, facts, stamp=stamper())

    store.append(Stream())  # type: ignore[arg-type]
    return conversation_id


@pytest.mark.parametrize("messages", [2, 10, 1000])
@pytest.mark.parametrize("title", ["Tea", "é" * 200, "🫖" * 256], ids=["short", "long", "emoji"])
def test_a_fork_costs_at_most_600_stored_bytes_however_long_its_source(
    store: InMemoryEventStore, messages: int, title: str
) -> None:
    core = Core(store)
    source_id = long_conversation(store, messages)
    core.change(source_id, title=title)
    leaf = core.conversation(source_id).selected_leaf_id
    assert leaf is not None
    fork_id = core.fork(source_id, leaf)
    rows = store.read_stream(fork_id, 0, 9)
    assert len(rows) == 1
    assert len(rows[0].payload_bytes) <= 600
    assert len(core.conversation(fork_id).nodes) == messages


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Tea", "Tea (fork)"),
        ("Tea (fork)", "Tea (fork)"),
        ("x" * 100, "x" * 100 + " (fork)"),
        ("x" * 101, "x" * 100 + "… (fork)"),
        ("x" * 99 + " and more", "x" * 99 + "… (fork)"),
        ("x" + "🫖" * 30, "x" + "🫖" * 24 + "… (fork)"),
    ],
)
def test_a_fork_is_named_after_its_source(core: Core, title: str, expected: str) -> None:
    conversation_id = core.start(title=title)
    sent = core.turn(conversation_id)
    assert core.conversation(core.fork(conversation_id, sent.reply_id)).title == expected
    assert core.conversation(core.fork(conversation_id, sent.reply_id, title=" Own ")).title == "Own"


# ---- what a fork is sent with ---------------------------------------------------------------


def test_a_fork_sends_the_inherited_branch_and_its_own(core: Core, source: tuple[UUID, Sent, Sent]) -> None:
    source_id, first, _ = source
    fork_id = core.fork(source_id, first.reply_id)
    sent = core.turn(fork_id, "Fork's own", "Its reply")
    assert core.prompt_of(sent.call_id) == [
        ("system", "Be kind."),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Fork's own"),
    ]
    assert core.request_of(sent.call_id).params == {"seed": "3"}
    in_source = core.send(source_id, "Five")
    assert [text for _, text in core.prompt_of(in_source.call_id)] == [
        "Be kind.",
        "One",
        "Two",
        "Three",
        "Four",
        "Five",
    ]


def test_inherited_messages_can_be_edited_done_again_and_continued(core: Core) -> None:
    source_id = core.start()
    first = core.turn(source_id, "One", "Two")
    second = core.send(source_id, "Three")
    core.answer(second, "Half", outcomes.TRUNCATED)
    fork_id = core.fork(source_id, second.reply_id)
    version = core.conversation(source_id).version
    edited = core.edit(fork_id, message_of(second), "Instead")
    again = core.regenerate(fork_id, first.reply_id)
    continued = core.continue_reply(fork_id, second.reply_id)
    root = core.edit(fork_id, message_of(first), "Other root")
    assert [text for _, text in core.prompt_of(edited.call_id)][1:] == ["One", "Two", "Instead"]
    assert [text for _, text in core.prompt_of(again.call_id)][1:] == ["One"]
    assert [text for _, text in core.prompt_of(continued.call_id)][1:] == ["One", "Two", "Three", "Half"]
    assert [text for _, text in core.prompt_of(root.call_id)][1:] == ["Other root"]
    assert core.conversation(source_id).version == version
    core.answer(continued, " and whole")
    follow_up = core.send(fork_id, "More", continued.reply_id)
    assert core.prompt_of(follow_up.call_id)[4] == ("assistant", "Half and whole")


def test_a_fork_can_be_made_while_a_reply_runs(core: Core, source: tuple[UUID, Sent, Sent]) -> None:
    source_id, _, second = source
    running = core.send(source_id, "Five")
    at_message, at_reply = core.fork(source_id, message_of(running)), core.fork(source_id, second.reply_id)
    with pytest.raises(ReplyPending):
        core.fork(source_id, running.reply_id)
    core.answer(running, "Six")
    again = core.regenerate(at_message, message_of(running))
    sent = core.send(at_reply, "Own")
    assert [text for _, text in core.prompt_of(again.call_id)][-2:] == ["Four", "Five"]
    assert [text for _, text in core.prompt_of(sent.call_id)][-2:] == ["Four", "Own"]
    assert running.reply_id not in core.conversation(at_message).nodes
    assert core.fork(source_id, running.reply_id) != at_message


def test_settings_are_those_of_the_forks_version_whatever_the_source_does_later(
    core: Core, source: tuple[UUID, Sent, Sent]
) -> None:
    source_id, first, _ = source
    core.change(source_id, system_prompt="Be brief.", model="big", params={})
    fork_id = core.fork(source_id, first.reply_id)
    before = core.send(fork_id, "Own")
    core.change(source_id, system_prompt="Be long.", model="huge", params={"seed": 9})
    after = core.send(fork_id, "Own", first.reply_id)
    assert core.prompt_of(before.call_id) == core.prompt_of(after.call_id)
    assert core.prompt_of(after.call_id)[0] == ("system", "Be brief.")
    assert (core.request_of(after.call_id).model, core.request_of(after.call_id).params) == ("big", {})
    core.change(fork_id, system_prompt="My own.")
    own = core.send(fork_id, "Own", first.reply_id)
    assert core.prompt_of(own.call_id)[0] == ("system", "My own.")
    assert core.conversation(source_id).settings.system_prompt == "Be long."


def test_what_happens_in_the_source_later_never_reaches_the_fork(
    core: Core, source: tuple[UUID, Sent, Sent]
) -> None:
    source_id, first, second = source
    fork_id = core.fork(source_id, second.reply_id)
    before = core.conversation(fork_id)
    core.edit(source_id, message_of(first), "Edited")
    core.hide(source_id, second.reply_id)
    core.delete(source_id)
    assert core.conversation(fork_id) == before
    sent = core.turn(fork_id, "Own")
    assert [text for _, text in core.prompt_of(sent.call_id)][1:] == ["One", "Two", "Three", "Four", "Own"]
    assert core.conversation(fork_id).deleted is False


def test_a_deleted_conversation_can_still_be_forked_and_its_fork_be_used(
    core: Core, source: tuple[UUID, Sent, Sent]
) -> None:
    """What may be looked at as of any version may also be gone on from."""
    source_id, _, second = source
    core.delete(source_id)
    fork_id = core.fork(source_id, second.reply_id)
    sent = core.send(fork_id, "Own")
    assert core.prompt_of(sent.call_id)[-1] == ("user", "Own")


def test_deleting_a_fork_cancels_its_own_calls_only(
    core: Core, store: InMemoryEventStore, source: tuple[UUID, Sent, Sent]
) -> None:
    source_id, _, second = source
    fork_id = core.fork(source_id, second.reply_id)
    core.send(source_id, "In the source")
    own = core.send(fork_id, "In the fork")
    core.delete(fork_id)
    assert store.announced_cancels == [own.call_id]


# ---- forks of forks -------------------------------------------------------------------------


def test_forks_of_forks_send_what_all_of_them_hold(core: Core, source: tuple[UUID, Sent, Sent]) -> None:
    source_id, first, _ = source
    first_fork = core.fork(source_id, first.reply_id)
    in_first = core.turn(first_fork, "A", "B")
    core.change(first_fork, system_prompt="Second prompt.")
    second_fork = core.fork(first_fork, in_first.reply_id)
    core.change(first_fork, system_prompt="Too late.")
    core.delete(source_id)
    in_second = core.turn(second_fork, "C", "D")
    assert core.prompt_of(in_second.call_id) == [
        ("system", "Second prompt."),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "A"),
        ("assistant", "B"),
        ("user", "C"),
    ]
    third = core.fork(second_fork, message_of(first))
    again = core.regenerate(third, message_of(first))
    assert core.prompt_of(again.call_id) == [("system", "Second prompt."), ("user", "One")]


def test_a_long_chain_of_forks(core: Core) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id, "0", "0!")
    for number in range(1, 30):
        conversation_id = core.fork(conversation_id, sent.reply_id)
        sent = core.turn(conversation_id, str(number), f"{number}!")
    texts = [text for _, text in core.prompt_of(sent.call_id)]
    assert texts == [SYSTEM, "0", *(f"{n}!" if turn else str(n + 1) for n in range(29) for turn in (1, 0))]


# ---- refusals -------------------------------------------------------------------------------


def test_what_cannot_be_forked(
    core: Core, store: InMemoryEventStore, source: tuple[UUID, Sent, Sent]
) -> None:
    source_id, first, second = source
    stranger = Core(store, owner_id=STRANGER)
    foreign = refused(lambda: stranger.fork(source_id, first.reply_id), UnknownConversation, store)
    assert foreign.code == "conversation_not_found"
    unknown = refused(lambda: core.fork(source_id, UNKNOWN), UnknownMessage, store)
    assert unknown.code == "message_not_found"
    elsewhere = core.turn(core.start())
    refused(lambda: core.fork(source_id, elsewhere.reply_id), UnknownMessage, store)
    fork_id = core.fork(source_id, first.reply_id)
    refused(lambda: core.fork(fork_id, second.reply_id), UnknownMessage, store)
    refused(lambda: core.fork(UNKNOWN, first.reply_id), UnknownConversation, store)
    empty = refused(lambda: core.fork(source_id, first.reply_id, title="  "), InvalidInput, store)
    assert list(empty.fields) == ["title"]
    long = refused(lambda: core.fork(source_id, first.reply_id, title="x" * 1025), TextTooLong, store)
    assert list(long.fields) == ["title"]
