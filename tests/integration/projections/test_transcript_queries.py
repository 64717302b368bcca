"""Branches, siblings and pages of transcripts."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.domain.errors import UnknownMessage
from projections.conversation_list.queries import get_conversation, list_conversations
from projections.model_calls.queries import get_model_call, list_model_calls
from projections.transcript.projector import TranscriptProjector
from projections.transcript.queries import (
    TokenUsage,
    TranscriptMessage,
    get_message,
    get_transcript,
    pending_replies,
)
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow
from tests.integration.projections.stories import apply
from tests.integration.projections.talk import Talk

pytestmark = pytest.mark.usefixtures("fresh_database")


def test_the_selected_branch_is_shown_oldest_first_with_siblings() -> None:
    talk = Talk()
    question = talk.say("One?")
    first = talk.reply("first")
    talk.again(first)
    second = talk.reply("second")
    aside = talk.say("Aside", parent_id=first)
    follow = talk.say("Two?", parent_id=second)
    talk.project()

    page = get_transcript(conversation_id=talk.id, owner_id=talk.owner)
    assert page is not None
    pending = page.leaf_id
    assert [m.id for m in page.messages] == [question, second, follow, pending]
    assert [m.role for m in page.messages] == ["user", "assistant", "user", "assistant"]
    assert [m.outcome for m in page.messages] == [None, "complete", None, "pending"]
    assert [m.content for m in page.messages] == ["One?", "second", "Two?", ""]
    assert [m.depth for m in page.messages] == [0, 1, 2, 3]
    assert page.older_before is None
    reply = page.messages[1]
    assert (reply.sibling_ids, reply.sibling_index, reply.sibling_count) == ((first, second), 1, 2)
    assert reply.model == "small"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == len("second")
    assert reply.finish_reason == "stop"
    assert page.messages[0].sibling_count == page.messages[2].sibling_count == 1

    other = get_transcript(conversation_id=talk.id, owner_id=talk.owner, leaf_id=aside)
    assert other is not None
    assert [m.id for m in other.messages] == [question, first, aside]
    assert other.messages[1].sibling_index == 0


def test_two_first_messages_are_siblings() -> None:
    talk = Talk()
    one = talk.say("One?")
    talk.reply("yes")
    two = talk.say("Two?", parent_id=None)
    talk.project()

    message = get_message(message_id=one, owner_id=talk.owner)
    assert message is not None
    assert message.sibling_ids == (one, two)


def test_pages_join_to_the_whole_branch() -> None:
    talk = Talk()
    for number in range(12):
        talk.say(f"Question {number}")
        talk.reply(f"Answer {number}")
    talk.project()
    whole = get_transcript(conversation_id=talk.id, owner_id=talk.owner, limit=200)
    assert whole is not None
    assert len(whole.messages) == 24

    pages: list[tuple[TranscriptMessage, ...]] = []
    before = None
    while True:
        page = get_transcript(conversation_id=talk.id, owner_id=talk.owner, before=before, limit=5)
        assert page is not None
        pages.insert(0, page.messages)
        before = page.older_before
        if before is None:
            break
    assert [len(page) for page in pages] == [4, 5, 5, 5, 5]
    assert tuple(m for page in pages for m in page) == whole.messages

    first = get_transcript(conversation_id=talk.id, owner_id=talk.owner, before=whole.messages[0].id)
    assert first is not None
    assert (first.messages, first.older_before) == ((), None)


def test_what_is_unknown_or_somebody_elses_is_not_found() -> None:
    talk, other = Talk(), uuid4()
    message = talk.say("Mine")
    talk.project()
    call_id = talk.story.calls[0][0]

    for conversation_id, owner_id in ((talk.id, other), (uuid4(), talk.owner)):
        assert get_transcript(conversation_id=conversation_id, owner_id=owner_id) is None
        assert get_conversation(conversation_id=conversation_id, owner_id=owner_id) is None
    assert get_message(message_id=message, owner_id=other) is None
    assert get_message(message_id=uuid4(), owner_id=talk.owner) is None
    assert get_model_call(call_id=call_id, owner_id=other) is None
    assert not list_conversations(owner_id=other).exists()
    assert not list_model_calls(owner_id=other).exists()
    assert not pending_replies(conversation_id=talk.id, owner_id=other)
    with pytest.raises(UnknownMessage) as leaf:
        get_transcript(conversation_id=talk.id, owner_id=talk.owner, leaf_id=uuid4())
    assert list(leaf.value.fields) == ["leaf"]
    with pytest.raises(UnknownMessage) as before:
        get_transcript(conversation_id=talk.id, owner_id=talk.owner, before=uuid4())
    assert list(before.value.fields) == ["before"]


def test_an_auditor_may_ask_for_anybodys() -> None:
    talk = Talk()
    message = talk.say("Hello")
    talk.project()

    assert get_transcript(conversation_id=talk.id, owner_id=None) is not None
    assert get_conversation(conversation_id=talk.id, owner_id=None) is not None
    assert get_message(message_id=message, owner_id=None) is not None
    assert list_model_calls(owner_id=None).count() == 1


def test_an_empty_conversation_has_an_empty_transcript() -> None:
    talk = Talk()
    talk.project()

    page = get_transcript(conversation_id=talk.id, owner_id=talk.owner)
    assert page is not None
    assert (page.messages, page.leaf_id, page.older_before) == ((), None, None)


def test_replies_that_are_being_written_are_found() -> None:
    talk = Talk()
    question = talk.say("Slow?")
    talk.project()
    [reply] = pending_replies(conversation_id=talk.id, owner_id=talk.owner)
    assert (reply.parent_id, reply.outcome, reply.call_id) == (question, "pending", talk.story.calls[0][0])
    assert (reply.usage, reply.model) == (None, "small")

    talk.reply("quick", outcome="interrupted")
    talk.project()
    assert not pending_replies(conversation_id=talk.id, owner_id=talk.owner)
    message = get_message(message_id=reply.id, owner_id=talk.owner)
    assert message is not None
    assert (message.content, message.outcome, message.usage) == ("quick", "interrupted", None)
    assert message.error == {"code": "stream_cut", "message": "It\ufffd broke."}


def test_usage_of_one_kind_only_is_usage() -> None:
    talk = Talk()
    talk.say("Hello")
    reply_id = talk.reply("yes")
    talk.project()
    TranscriptRow.objects.filter(id=reply_id).update(prompt_tokens=None, completion_tokens=3)

    message = get_message(message_id=reply_id, owner_id=talk.owner)
    assert message is not None
    assert message.usage == TokenUsage(None, 3)


def test_a_page_of_a_long_conversation_takes_few_queries() -> None:
    conversation_id, owner_id, at = uuid4(), uuid4(), datetime.now(UTC)
    ids = [uuid4() for _ in range(1000)]
    TranscriptHeadRow.objects.create(
        conversation_id=conversation_id, owner_id=owner_id, selected_leaf_id=ids[-1], version=1000
    )
    TranscriptRow.objects.bulk_create(
        TranscriptRow(
            id=message_id,
            conversation_id=conversation_id,
            parent_id=ids[place - 1] if place else None,
            role=("user", "assistant")[place % 2],
            content="word " * 200,
            depth=place,
            at=at,
            version=place,
        )
        for place, message_id in enumerate(ids)
    )
    for before, wanted in ((None, ids[-50:]), (ids[500], ids[450:500])):
        page = get_transcript(conversation_id=conversation_id, owner_id=owner_id, before=before)
        assert page is not None
        assert [m.id for m in page.messages] == wanted
    with CaptureQueriesContext(connection) as queries:
        get_transcript(conversation_id=conversation_id, owner_id=owner_id)
    assert len(queries) <= 4


def test_a_transcript_needs_no_other_read_model() -> None:
    talk = Talk()
    talk.say("Hello")
    apply(TranscriptProjector, talk.store.read_after(0, 100))

    assert get_transcript(conversation_id=talk.id, owner_id=talk.owner) is not None
