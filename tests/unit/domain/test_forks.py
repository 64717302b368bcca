"""Rules of forks: one event that points into another conversation, and what is inherited from there."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from backend.domain import events as e
from backend.domain.conversation import SELECTED_LEAF, Conversation, ReplyPlace
from backend.domain.conversation_changes import Settings
from backend.domain.errors import LastVisibleBranch, ReplyPending, UnknownMessage, UnknownParent
from tests.support.facts import CONVERSATION, OWNER, Fact, as_events, fact, fact_of, message_id, stamper
from tests.support.given import given_conversation, refusal_of
from tests.support.histories import MODEL, SYSTEM, reply_recorded, reply_requested, started, user_said

FORK = UUID("c0000000-0000-4000-8000-00000000000f")
FORK_OF_FORK = UUID("c0000000-0000-4000-8000-0000000000ff")

SOURCE = [
    *started(),
    user_said(1, "One"),
    reply_requested(2, parent=1),
    reply_recorded(2, "Two"),
    user_said(3, "Three", parent=2),
    reply_requested(4, parent=3),
    reply_recorded(4, "Four"),
    user_said(5, "Instead of three", parent=2),
]


def fork_of(source: Conversation, number: int, *, fork_id: UUID = FORK) -> Conversation:
    """A fork with nothing pending any more."""
    fork = source.fork(conversation_id=fork_id, message_id=message_id(number), title="Fork", stamp=stamper())
    fork.collect_events()
    return fork


def source_with(*more: Fact) -> Conversation:
    return given_conversation(*SOURCE, *more).aggregate


def say(conversation: Conversation, number: int, parent: int | None = None) -> None:
    conversation.send_user_message(
        message_id=message_id(number),
        parent_id=SELECTED_LEAF if parent is None else message_id(parent),
        content="Hi",
        stamp=stamper(),
    )


def test_a_fork_is_one_event_that_names_conversation_version_and_message() -> None:
    source = source_with()
    fork = source.fork(
        conversation_id=FORK, message_id=message_id(2), title="My fork", stamp=stamper("user:me")
    )
    events = fork.collect_events()
    origin = e.ForkOrigin(CONVERSATION, 10, message_id(2))
    assert [fact_of(event) for event in events] == [
        fact(e.ConversationStarted, owner_id=OWNER, title="My fork", forked_from=origin)
    ]
    assert (fork.id, fork.version, fork.title, fork.owner_id) == (FORK, 1, "My fork", OWNER)
    assert fork.forked_from == origin


def test_forking_does_not_change_the_source() -> None:
    source = source_with()
    fork_of(source, 2)
    assert source.pending_events == []
    assert source == source_with()


def test_a_fork_inherits_the_branch_to_its_message_and_selects_it() -> None:
    fork = fork_of(source_with(), 4)
    assert list(fork.nodes) == [message_id(number) for number in (1, 2, 3, 4)]
    assert fork.selected_leaf_id == message_id(4)
    assert fork.nodes.leaves() == [message_id(4)]


def test_siblings_in_the_source_are_not_siblings_in_the_fork() -> None:
    fork = fork_of(source_with(), 3)
    assert [node.message_id for node in fork.nodes.values() if node.parent_id == message_id(2)] == [
        message_id(3)
    ]
    assert message_id(5) not in fork.nodes


def test_a_fork_begins_without_the_pins_marks_and_replays_of_its_source() -> None:
    replay = fact(
        e.ReplayRequested,
        replay_id=UUID(int=7),
        leaf_id=message_id(4),
        model=MODEL,
        params={},
        system_prompt=None,
        turns_total=2,
    )
    housekeeping = [fact(e.ConversationPinned), fact(e.ConversationArchived), fact(e.ConversationDeleted)]
    hidden = fact(e.BranchHidden, leaf_id=message_id(4))
    fork = fork_of(source_with(replay, hidden, *housekeeping), 4)
    assert (fork.pinned, fork.archived, fork.deleted, fork.replays) == (False, False, False, {})
    assert fork.nodes.visible_leaves() == [message_id(4)]


def test_a_fork_goes_on_below_what_it_inherited() -> None:
    source, fork = source_with(), fork_of(source_with(), 2)
    say(fork, 10)
    assert fork.nodes[message_id(10)].parent_id == message_id(2)
    assert message_id(10) not in source.nodes
    fork.request_reply(
        reply_id=message_id(11),
        place=ReplyPlace(message_id(10)),
        call_id=message_id(11),
        stamp=stamper(),
    )
    assert [node.message_id for node in fork.nodes.path(message_id(11))] == [
        message_id(number) for number in (1, 2, 10, 11)
    ]


def test_an_inherited_message_can_be_edited_done_again_and_continued() -> None:
    truncated = [reply_requested(6, parent=5), reply_recorded(6, "Half", "truncated")]
    fork = fork_of(source_with(*truncated), 6)
    fork.edit_user_message(
        edited_id=message_id(5), message_id=message_id(10), content="Other", stamp=stamper()
    )
    assert fork.nodes[message_id(10)].parent_id == message_id(2)
    fork.edit_user_message(
        edited_id=message_id(1), message_id=message_id(11), content="Root", stamp=stamper()
    )
    assert fork.nodes[message_id(11)].parent_id is None
    assert fork.place_of_another_reply(message_id(2)) == ReplyPlace(message_id(1))
    assert fork.place_of_continuation(message_id(6)) == ReplyPlace(message_id(6), message_id(6))


def test_what_came_later_or_beside_in_the_source_cannot_be_answered_in_the_fork() -> None:
    fork = fork_of(source_with(), 2)
    refusal_of(lambda: say(fork, 10, parent=5), UnknownParent, field="parent_id")
    refusal_of(lambda: fork.place_of_another_reply(message_id(4)), UnknownMessage)
    refusal_of(lambda: fork.select_branch(message_id(4), stamper()), UnknownMessage)


def test_the_inherited_branch_can_be_hidden_once_another_is_there() -> None:
    fork = fork_of(source_with(), 4)
    refusal_of(lambda: fork.hide_branch(message_id(4), stamper()), LastVisibleBranch)
    say(fork, 10, parent=2)
    fork.hide_branch(message_id(3), stamper())
    assert fork.nodes.visible_leaves() == [message_id(10)]


def test_a_pending_reply_cannot_be_forked_at_but_any_message_before_it_can() -> None:
    source = source_with(reply_requested(6, parent=5))
    refusal = refusal_of(lambda: fork_of(source, 6), ReplyPending)
    assert refusal.code == "reply_pending"
    assert fork_of(source, 5).pending_call_ids == ()
    assert fork_of(source, 4).selected_leaf_id == message_id(4)


def test_an_unknown_message_cannot_be_forked_at() -> None:
    refusal = refusal_of(lambda: fork_of(source_with(), 99), UnknownMessage)
    assert refusal.code == "message_not_found"
    assert str(message_id(99)) in str(refusal)


@pytest.mark.parametrize("outcome", ["truncated", "cancelled", "interrupted", "failed"])
def test_a_reply_can_be_forked_at_however_it_ended(outcome: str) -> None:
    source = source_with(reply_requested(6, parent=5), reply_recorded(6, "", outcome))
    assert fork_of(source, 6).nodes[message_id(6)].outcome == outcome


# ---- settings -------------------------------------------------------------------------------


def test_a_fork_inherits_the_settings_in_force_at_its_version() -> None:
    earlier = [
        fact(e.SystemPromptChanged, text="Be brief."),
        fact(e.ModelSettingsChanged, model="other", params={"seed": "7"}),
    ]
    fork = fork_of(source_with(*earlier), 2)
    assert fork.settings == Settings("Be brief.", "other", {"seed": "7"})


def test_settings_that_changed_later_in_the_source_are_not_those_of_the_fork() -> None:
    """Loaded again, the fork is given its source as of now and must not see what is new there."""
    first = fork_of(source_with(), 2)
    later = source_with(
        fact(e.SystemPromptChanged, text="Later."),
        fact(e.ModelSettingsChanged, model="later", params={}),
        user_said(6, "Later", parent=4),
    )
    events = as_events(FORK, [fact_of_start(first)])
    again = Conversation.from_events(events, source=later)
    assert again is not None
    assert again.settings == first.settings == Settings(SYSTEM, MODEL, {})
    assert list(again.nodes) == list(first.nodes)


def fact_of_start(fork: Conversation) -> Fact:
    return fact(e.ConversationStarted, owner_id=OWNER, title="Fork", forked_from=fork.forked_from)


@pytest.mark.parametrize(
    ("version", "expected"), [(1, ""), (2, SYSTEM), (10, SYSTEM), (11, "A"), (12, "A"), (13, "B"), (99, "B")]
)
def test_settings_are_known_at_every_version(version: int, expected: str) -> None:
    changes = [
        fact(e.SystemPromptChanged, text="A"),
        fact(e.ConversationPinned),
        fact(e.SystemPromptChanged, text="B"),
    ]
    assert source_with(*changes).settings_at(version).system_prompt == expected


def test_a_fork_changes_its_own_settings_only() -> None:
    source = source_with()
    fork = fork_of(source, 2)
    fork.change_system_prompt("Own.", stamper())
    assert (fork.settings.system_prompt, source.settings.system_prompt) == ("Own.", SYSTEM)
    assert fork.settings_at(1).system_prompt == SYSTEM
    assert fork.settings_at(2).system_prompt == "Own."


# ---- forks of forks -------------------------------------------------------------------------


def test_a_fork_of_a_fork_inherits_from_both() -> None:
    fork = fork_of(source_with(), 2)
    say(fork, 10)
    fork.change_system_prompt("Own.", stamper())
    second = fork_of(fork, 10, fork_id=FORK_OF_FORK)
    assert list(second.nodes) == [message_id(number) for number in (1, 2, 10)]
    assert second.forked_from == e.ForkOrigin(FORK, 3, message_id(10))
    assert second.settings.system_prompt == "Own."


def test_a_fork_can_be_forked_at_a_message_it_inherited() -> None:
    fork = fork_of(source_with(), 4)
    say(fork, 10)
    second = fork_of(fork, 1, fork_id=FORK_OF_FORK)
    assert list(second.nodes) == [message_id(1)]
    assert second.forked_from == e.ForkOrigin(FORK, 2, message_id(1))


def test_a_fork_chain_is_made_again_from_its_streams() -> None:
    source_events = as_events(CONVERSATION, [*SOURCE, fact(e.SystemPromptChanged, text="Later.")])
    first_events = as_events(
        FORK,
        [
            fact(
                e.ConversationStarted,
                owner_id=OWNER,
                title="Fork",
                forked_from=e.ForkOrigin(CONVERSATION, 10, message_id(2)),
            ),
            user_said(10, "Ten", parent=2),
        ],
    )
    second_events = as_events(
        FORK_OF_FORK,
        [
            fact(
                e.ConversationStarted,
                owner_id=OWNER,
                title="Fork",
                forked_from=e.ForkOrigin(FORK, 2, message_id(10)),
            ),
            reply_requested(11, parent=10),
        ],
    )
    found = Conversation.from_streams([source_events, first_events, second_events])
    assert found is not None
    assert (found.id, found.version, found.settings.system_prompt) == (FORK_OF_FORK, 2, SYSTEM)
    assert list(found.nodes) == [message_id(number) for number in (1, 2, 10, 11)]
    assert Conversation.from_streams([]) is None


# ---- copies ---------------------------------------------------------------------------------

Change = Callable[[Conversation], object]
CHANGES: dict[str, Change] = {
    "a message": lambda c: say(c, 20),
    "a hidden branch": lambda c: c.hide_branch(message_id(5), stamper()),
    "a setting": lambda c: c.change_system_prompt("New.", stamper()),
    "a title": lambda c: c.rename("New", stamper()),
    "a recorded reply": lambda c: c.record_reply(
        reply_id=message_id(6),
        content="Six",
        reasoning="",
        tool_calls=[],
        finish_reason="stop",
        outcome="complete",
        error=None,
        stamp=stamper(),
    ),
    "a replay": lambda c: c.start_replay(
        replay_id=UUID(int=7), leaf_id=None, model="x", params={}, system_prompt=None, stamp=stamper()
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_copy_goes_on_by_itself(change: Change) -> None:
    pending = [reply_requested(6, parent=3), fact(e.BranchSelected, leaf_id=message_id(5))]
    original, untouched = source_with(*pending), source_with(*pending)
    twin = original.copy()
    assert twin == original
    change(twin)
    assert twin != untouched
    assert original == untouched
    assert original.pending_events == []
