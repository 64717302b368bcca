"""The list's row of a fork begins with what was in force where it was forked."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from backend.application.ports import InstallationDefaults
from backend.domain import commands as c
from projections.conversation_list.projector import ConversationListProjector
from projections.conversation_list.queries import get_conversation
from projections.conversation_list.read_table import ConversationListRow
from tests.integration.projections.stories import apply
from tests.integration.projections.talk import Talk

pytestmark = pytest.mark.usefixtures("fresh_database")


def row_of(talk: Talk) -> ConversationListRow:
    row = get_conversation(conversation_id=talk.id, owner_id=talk.owner)
    assert row is not None
    return row


def settings_of(talk: Talk) -> tuple[str, str, object]:
    row = row_of(talk)
    return row.system_prompt, row.model, row.params


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_a_fork_has_the_settings_of_its_source_at_the_version_it_names(batch_size: int) -> None:
    talk = Talk()
    reply = talk.say("One?")
    talk.change(system_prompt="Be brief.", model="big", params={"seed": 1})
    fork = talk.fork(reply)
    talk.change(system_prompt="Be long.", model="small")
    untouched = fork.fork(reply)
    fork.change(system_prompt="Be funny.")
    changed = fork.fork(reply)
    fork.change(params={"seed": 2})
    events = talk.store.read_after(0, talk.store.end())
    for start in range(0, len(events), batch_size):
        apply(ConversationListProjector, events[start : start + batch_size])

    assert settings_of(talk) == ("Be long.", "small", {"seed": "1"})
    assert settings_of(fork) == ("Be funny.", "big", {"seed": "2"})
    assert settings_of(untouched) == ("Be brief.", "big", {"seed": "1"})
    assert settings_of(changed) == ("Be funny.", "big", {"seed": "1"})


def test_a_fork_begins_where_it_was_forked_and_counts_its_own_messages() -> None:
    talk = Talk()
    talk.say("One?")
    first = talk.reply("first")
    version = talk.story.conversation(talk.id).version
    fork = talk.fork(first)
    talk.project()

    row = row_of(fork)
    assert (row.selected_leaf_id, row.message_count, row.version, row.pending_replies) == (first, 0, 1, 0)
    assert row.forked_from == {
        "conversation_id": str(talk.id),
        "version": version,
        "message_id": str(first),
    }
    assert row.title == row_of(talk).title + " (fork)"
    fork.say("Two?")
    talk.project()
    assert (row_of(fork).message_count, row_of(fork).pending_reply) == (2, True)


def test_selecting_a_branch_moves_the_selection_and_not_the_conversation() -> None:
    talk = Talk()
    talk.say("One?")
    first = talk.reply("first")
    talk.again(first)
    talk.reply("second")
    talk.project()
    before = row_of(talk)

    talk.select(first)
    talk.project()

    after = row_of(talk)
    assert before.selected_leaf_id != first
    assert (after.selected_leaf_id, after.updated_at) == (first, before.updated_at)


def test_a_fork_of_a_conversation_that_never_had_settings_has_none() -> None:
    talk = Talk()
    nothing = InstallationDefaults(title="Bare", system_prompt="", model="")
    talk.story.services = replace(talk.story.services, defaults=nothing)
    started = talk.story.run(c.StartConversation(owner_id=talk.owner))
    bare = Talk(beside=talk, conversation_id=UUID(started["id"]))
    fork = bare.fork(bare.say("One?", model="small"))
    talk.project()

    assert settings_of(bare) == settings_of(fork) == ("", "", {})
