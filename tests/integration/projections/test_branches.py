"""What transcripts say of forks, hidden branches, continuations and whole trees."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.domain import commands as c
from backend.domain.errors import UnknownMessage
from backend.domain.events import ReplayTurn
from projections.registry import PROJECTORS
from projections.transcript.queries import (
    BranchSummary,
    TranscriptPage,
    Tree,
    get_branch_summary,
    get_message,
    get_previous_call_id,
    get_transcript,
    get_tree,
    pending_replies,
)
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow
from tests.integration.projections.stories import apply
from tests.integration.projections.talk import Talk

pytestmark = pytest.mark.usefixtures("fresh_database")


def page_of(talk: Talk, **fields: object) -> TranscriptPage:
    page = get_transcript(conversation_id=talk.id, owner_id=talk.owner, **fields)  # type: ignore[arg-type]
    assert page is not None
    return page


def ids_of(talk: Talk, **fields: object) -> list[UUID]:
    return [message.id for message in page_of(talk, **fields).messages]


def tree_of(talk: Talk) -> Tree:
    tree = get_tree(conversation_id=talk.id, owner_id=talk.owner)
    assert tree is not None
    return tree


def summary_of(talk: Talk) -> BranchSummary:
    summary = get_branch_summary(conversation_id=talk.id, owner_id=talk.owner)
    assert summary is not None
    return summary


def test_a_question_and_a_continuation_below_one_reply_are_siblings() -> None:
    talk = Talk()
    talk.say("A story, please.")
    begun = talk.reply("Once upon", outcome="truncated")
    continued = talk.go_on(begun, " a time")
    aside = talk.say("Stop.", parent_id=begun)
    talk.project()

    rest = page_of(talk, leaf_id=continued).messages[-1]
    assert (rest.continues, rest.sibling_ids, rest.sibling_index) == (begun, (continued, aside), 0)
    assert [node.continues for node in tree_of(talk).nodes] == [None, None, begun, None, None]


# ---- forks --------------------------------------------------------------------------------------


def test_a_fork_shows_the_inherited_messages_and_nothing_that_its_source_did_otherwise_or_later() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("first")
    talk.again(first)
    second = talk.reply("second")
    fork = talk.fork(first)
    later = talk.say("Later", parent_id=first)
    talk.project()

    page = page_of(fork)
    assert [m.id for m in page.messages] == [one, first]
    assert (page.leaf_id, page.selected_leaf_id, page.older_before) == (first, first, None)
    assert [m.sibling_ids for m in page.messages] == [(one,), (first,)]
    assert [(m.inherited, m.conversation_id) for m in page.messages] == [(True, talk.id)] * 2
    assert [node.id for node in tree_of(fork).nodes] == [one, first]
    for foreign in (second, later):
        for field in ("leaf_id", "through", "before"):
            with pytest.raises(UnknownMessage):
                page_of(fork, **{field: foreign})
    assert summary_of(fork) == BranchSummary(1, 0, 2)
    assert summary_of(talk) == BranchSummary(2, 0, None)

    two = fork.say("Two?")
    fork.project()
    [*_, own, pending] = page_of(fork).messages
    assert (own.id, own.depth, own.inherited, own.sibling_ids) == (two, 2, False, (two,))
    assert pending.depth == 3
    source = page_of(talk, leaf_id=later).messages[-1]
    assert source.sibling_ids == (later,), "what is written in a fork is no sibling in its source"
    assert ids_of(fork) == [one, first, two, pending.id]


def test_an_edit_of_an_inherited_message_is_its_sibling_in_the_fork_only() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("first")
    two = talk.say("Two?")
    second = talk.reply("second")
    fork = talk.fork(second)
    edited = UUID(fork.story.run(c.EditUserMessage(fork.owner, fork.id, two, "Two, then?"))["message_id"])
    root = UUID(fork.story.run(c.EditUserMessage(fork.owner, fork.id, one, "Uno?"))["message_id"])
    talk.project()

    assert page_of(fork, leaf_id=edited).messages[-1].sibling_ids == (two, edited)
    assert page_of(fork, leaf_id=second).messages[2].sibling_ids == (two, edited)
    assert page_of(fork, leaf_id=root).messages[0].sibling_ids == (one, root)
    assert page_of(fork, leaf_id=second).messages[0].sibling_ids == (one, root)
    assert page_of(talk).messages[2].sibling_ids == (two,)
    assert ids_of(fork, through=two) == [one, first, two, second]
    assert ids_of(fork, through=edited)[:3] == [one, first, edited]
    own = get_message(message_id=edited, owner_id=fork.owner)
    assert own is not None
    assert (own.sibling_ids, own.inherited, own.conversation_id) == ((two, edited), False, fork.id)


def test_a_fork_of_a_fork_follows_the_chain_also_when_its_sources_are_deleted() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("first")
    child = talk.fork(first)
    two = child.say("Two?")
    second = child.reply("second")
    grandchild = child.fork(second)
    shallow = child.fork(one)
    three = grandchild.say("Three?")
    for source in (talk, child):
        source.story.run(c.DeleteConversation(source.owner, source.id))
    talk.project()

    page = page_of(grandchild, leaf_id=three)
    assert [m.id for m in page.messages] == [one, first, two, second, three]
    assert [m.conversation_id for m in page.messages] == [talk.id, talk.id, child.id, child.id, grandchild.id]
    assert [m.depth for m in page.messages] == [0, 1, 2, 3, 4]
    assert [node.inherited for node in tree_of(grandchild).nodes] == [True] * 4 + [False] * 2
    assert (ids_of(shallow), summary_of(shallow)) == ([one], BranchSummary(1, 0, 1))
    assert ids_of(grandchild, before=two) == [one, first]
    assert ids_of(grandchild, limit=2, leaf_id=second) == [two, second]


def test_a_fork_belongs_to_its_owner() -> None:
    talk = Talk()
    fork = talk.fork(talk.say("Mine"))
    talk.project()

    stranger = uuid4()
    assert get_tree(conversation_id=fork.id, owner_id=stranger) is None
    assert get_transcript(conversation_id=fork.id, owner_id=stranger) is None
    assert get_branch_summary(conversation_id=fork.id, owner_id=stranger) is None
    assert get_tree(conversation_id=fork.id, owner_id=None) == tree_of(fork)
    assert get_tree(conversation_id=uuid4(), owner_id=None) is None


# ---- hidden branches ----------------------------------------------------------------------------


def test_a_message_is_hidden_when_all_branches_through_it_are() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("first")
    talk.again(first)
    second = talk.reply("second")
    follow = talk.say("Follow", parent_id=first)
    end = talk.reply("end")
    talk.hide(first)
    talk.project()

    hidden = {node.id for node in tree_of(talk).nodes if node.hidden}
    assert hidden == {first, follow, end}
    page = page_of(talk)
    assert (page.leaf_id, [m.hidden for m in page.messages]) == (second, [False, False])
    assert [m.hidden for m in page_of(talk, leaf_id=end).messages] == [False, True, True, True]
    assert page_of(talk, through=one).leaf_id == second
    assert page_of(talk, through=first).leaf_id == end, "where all are hidden, the newest one"
    assert summary_of(talk) == BranchSummary(1, 1, None)
    message = get_message(message_id=follow, owner_id=talk.owner)
    assert message is not None
    assert message.hidden

    more = talk.say("More", parent_id=end)
    talk.project()
    assert not any(node.hidden for node in tree_of(talk).nodes), "a marked message that goes on is no leaf"
    assert summary_of(talk) == BranchSummary(2, 0, None)
    assert [m.hidden for m in page_of(talk, through=more).messages] == [False] * 6


def test_a_shown_branch_is_in_sight_again() -> None:
    talk = Talk()
    talk.say("One?")
    first = talk.reply("first")
    talk.again(first)
    second = talk.reply("second")
    talk.hide(first)
    talk.show(first)
    talk.select(first)
    talk.project()

    assert not any(node.hidden for node in tree_of(talk).nodes)
    assert summary_of(talk) == BranchSummary(2, 0, None)
    assert page_of(talk).leaf_id == first
    assert page_of(talk, through=second).leaf_id == second
    assert TranscriptHeadRow.objects.get(conversation_id=talk.id).hidden_leaf_ids == []


def test_hiding_an_inherited_branch_hides_nothing_in_the_source() -> None:
    talk = Talk()
    talk.say("One?")
    first = talk.reply("first")
    fork = talk.fork(first)
    other = fork.say("Other", parent_id=None)
    fork.hide(first)
    talk.project()

    assert [node.hidden for node in tree_of(fork).nodes] == [True, True, False, False]
    assert not any(node.hidden for node in tree_of(talk).nodes)
    assert page_of(fork, leaf_id=other).messages[0].sibling_count == 2
    assert summary_of(fork) == BranchSummary(1, 1, 2)


# ---- trees, calls and replays -------------------------------------------------------------------


def test_a_tree_has_excerpts_on_one_line_and_no_texts() -> None:
    talk = Talk()
    talk.say("  Line one\n\nline\ttwo  ")
    talk.reply("word " * 1000)
    talk.project()

    question, answer = tree_of(talk).nodes
    assert (question.excerpt, question.model) == ("Line one line two", None)
    assert answer.excerpt == ("word " * 24)
    assert (answer.model, answer.role, answer.depth) == ("small", "assistant", 1)
    assert answer.call_id == talk.story.calls[0][0]


def test_the_previous_call_is_that_of_the_nearest_earlier_reply_of_the_branch() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("Once upon", outcome="truncated")
    first_call = talk.story.calls[-1][0]
    talk.go_on(first, " a time")
    second_call = talk.story.calls[-1][0]
    fork = talk.fork(first)
    two = fork.say("Two?")
    three = talk.say("Three?")
    talk.project()

    owner = talk.owner
    assert get_previous_call_id(leaf_id=one, owner_id=owner) is None
    assert get_previous_call_id(leaf_id=first, owner_id=owner) == first_call
    assert get_previous_call_id(leaf_id=three, owner_id=owner) == second_call
    assert get_previous_call_id(leaf_id=two, owner_id=owner) == first_call, "written in the fork's source"
    assert get_previous_call_id(leaf_id=two, owner_id=uuid4()) is None
    assert get_previous_call_id(leaf_id=uuid4(), owner_id=owner) is None


def test_replies_say_which_turn_of_which_replay_asked_for_them() -> None:
    talk = Talk()
    talk.say("One?")
    talk.reply("first")
    replay_id = talk.story.replay(talk.id, talk.owner, model="big")
    talk.story.advance(replay_id)
    talk.project()

    question, answer = page_of(talk).messages
    assert (question.replay, answer.replay) == (None, ReplayTurn(replay_id, 1))
    assert tree_of(talk).nodes[-1].replay == ReplayTurn(replay_id, 1)
    assert [m.id for m in pending_replies(conversation_id=talk.id, owner_id=talk.owner)] == [answer.id]


def test_replies_say_how_many_earlier_messages_were_not_sent() -> None:
    talk = Talk()
    talk.say("word " * 300)
    talk.reply("yes", outcome="interrupted")  # so nothing was counted, and the length decides
    talk.say("And now?", model="tight")
    talk.project()

    *earlier, last = page_of(talk).messages
    assert [m.omitted_count for m in earlier] == [None, None, None]
    assert last.omitted_count == 2


# ---- cost ---------------------------------------------------------------------------------------


def test_the_end_of_a_long_fork_is_read_without_walking_what_it_inherits() -> None:
    source, fork, owner, at = uuid4(), uuid4(), uuid4(), datetime.now(UTC)
    ids = [uuid4() for _ in range(400)]
    TranscriptHeadRow.objects.create(conversation_id=source, owner_id=owner, version=200)
    TranscriptHeadRow.objects.create(
        conversation_id=fork,
        owner_id=owner,
        version=200,
        selected_leaf_id=ids[-1],
        forked_from_conversation_id=source,
        forked_from_version=200,
        forked_from_message_id=ids[199],
        forked_from_depth=199,
    )
    TranscriptRow.objects.bulk_create(
        TranscriptRow(
            id=message_id,
            conversation_id=source if place < 200 else fork,
            parent_id=ids[place - 1] if place else None,
            role=("user", "assistant")[place % 2],
            depth=place,
            at=at,
            version=place % 200 + 1,
        )
        for place, message_id in enumerate(ids)
    )
    for last in (ids[-1], ids[224], ids[199]):
        start = ids.index(last)
        with CaptureQueriesContext(connection) as queries:
            page = get_transcript(conversation_id=fork, owner_id=owner, leaf_id=last)
        assert page is not None
        assert [m.id for m in page.messages] == ids[start - 49 : start + 1]
        assert all(m.sibling_count == 1 for m in page.messages)
        # The path is walked once more only where a message must be proved to be inherited.
        assert len(queries) == (6 if start < 200 else 5)


def test_all_projectors_take_a_fork_in() -> None:
    talk = Talk()
    fork = talk.fork(talk.say("One?"))
    fork.say("Two?")
    events = talk.store.read_after(0, 100)
    for projector in PROJECTORS:
        for recorded in events:
            apply(projector, [recorded])

    assert len(page_of(fork).messages) == 3
