"""Rows built live, rebuilt from zero, and after double delivery are the same; and they tell the truth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from backend.application.ports import RecordedEvent
from backend.domain.conversation import Conversation
from backend.domain.events import (
    EVENT_CLASSES,
    AuditTrailOpened,
    ConversationEvent,
    ConversationStarted,
    ModelCallEvent,
)
from backend.domain.message_tree import Node
from projections.conversation_list.projector import ConversationListProjector
from projections.conversation_list.queries import get_conversation
from projections.live_changes.projector import LiveChangesProjector
from projections.live_changes.queries import changes_after
from projections.model_calls.queries import get_model_call
from projections.projector import Projector, storable
from projections.registry import PROJECTORS
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow
from tests.integration.projections.stories import apply, empty, in_memory, rows_of, told_in_memory

pytestmark = pytest.mark.usefixtures("fresh_database")

SEEDS = (1, 2, 3)
STEPS = 1200


def own_nodes(conversation: Conversation) -> list[Node]:
    """The messages that a conversation wrote itself, as they came; none of those that a fork inherits."""
    origin = conversation.forked_from
    inherited = conversation.nodes.path(None if origin is None else origin.message_id)
    return [node for node in conversation.nodes.values() if node not in inherited]


def in_batches(events: Sequence[RecordedEvent], seed: int, largest: int) -> list[Sequence[RecordedEvent]]:
    chance = random.Random(seed)
    batches, start = [], 0
    while start < len(events):
        size = chance.randrange(1, largest + 1)
        batches.append(events[start : start + size])
        start += size
    return batches


def test_a_story_contains_every_kind_of_event() -> None:
    told = {recorded.event.TOPIC for seed in SEEDS for recorded in told_in_memory(seed, STEPS)}

    # Erasing changes what was told before; test_erasure.py looks at that.
    assert told == set(EVENT_CLASSES) - {"ConversationErased.v1"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("projector", PROJECTORS, ids=lambda projector: projector.name)
def test_live_rows_are_rebuilt_rows_are_rows_after_double_delivery(
    projector: type[Projector], seed: int
) -> None:
    events = told_in_memory(seed, STEPS)

    for batch in in_batches(events, seed, largest=7):
        apply(projector, batch)
    live = rows_of(projector)
    assert all(rows for name, rows in live.items() if name != "LiveHorizonRow")

    empty(projector)
    apply(projector, events)
    assert rows_of(projector) == live, "rebuilt from zero in one batch"

    apply(projector, events)
    assert rows_of(projector) == live, "everything delivered again at once"

    empty(projector)
    for batch in in_batches(events, seed + 1, largest=40):
        apply(projector, [recorded for recorded in batch for _ in range(2)])
    assert rows_of(projector) == live, "each event twice in a row"

    empty(projector)
    before: Sequence[RecordedEvent] = ()
    for batch in in_batches(events, seed + 2, largest=40):
        apply(projector, [*before, *batch])
        before = batch
    assert rows_of(projector) == live, "each batch again, together with the next"


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_say_what_the_aggregates_know(seed: int) -> None:
    store, story = in_memory(seed)
    story.tell(STEPS)
    events = store.read_after(0, store.end())
    for projector in PROJECTORS:
        apply(projector, events)

    for conversation_id, owner_id in story.conversations:
        conversation = story.conversation(conversation_id)
        row = get_conversation(conversation_id=conversation_id, owner_id=owner_id)
        assert row is not None
        title = storable(conversation.title)
        assert (row.owner_id, row.title, row.version) == (owner_id, title, conversation.version)
        assert row.title_is_given is conversation.title_is_given
        assert (row.pinned, row.archived, row.deleted) == (
            conversation.pinned,
            conversation.archived,
            conversation.deleted,
        )
        settings = conversation.settings
        assert (row.system_prompt, row.model, row.params) == (
            settings.system_prompt,
            settings.model,
            settings.params,
        )
        assert row.selected_leaf_id == conversation.selected_leaf_id
        written = own_nodes(conversation)
        assert row.message_count == len(written)
        assert row.pending_replies == len(conversation.pending_call_ids)
        assert row.pending_reply == bool(conversation.pending_call_ids)

        head = TranscriptHeadRow.objects.get(conversation_id=conversation_id)
        assert (head.owner_id, head.selected_leaf_id) == (owner_id, conversation.selected_leaf_id)
        messages = list(TranscriptRow.objects.filter(conversation_id=conversation_id).order_by("version"))
        assert [(m.id, m.parent_id, m.role, m.outcome, m.call_id, m.continues) for m in messages] == [
            (n.message_id, n.parent_id, n.role, n.outcome, n.call_id, n.continues) for n in written
        ]
        for message in messages:
            assert message.depth == len(conversation.nodes.path(message.id)) - 1
            replay_id = conversation.replay_of_reply.get(message.id)
            assert (message.replay_id, message.replay_turn is None) == (replay_id, replay_id is None)

    for call_id, owner_id in story.calls:
        call = store.read_call(call_id)
        shown = get_model_call(call_id=call_id, owner_id=owner_id)
        assert shown is not None
        assert (shown.outcome, shown.version, shown.cancel_requested) == (
            call.outcome,
            call.version,
            call.cancel_requested,
        )
        assert (shown.reply_id, shown.conversation_id) == (call.reply_id, call.conversation_id)
        assert (shown.model, shown.params) == (call.prompt_request.model, call.prompt_request.params)
        assert (shown.body_sha256, shown.body_length) == (call.body_sha256, call.body_length)
        assert len([a for a in shown.attempts if a["attempt"] > 0]) == call.attempts_started
        assert any(a["outcome"] == "pending" for a in shown.attempts) == (call.open_attempt is not None)
        own = [r for r in events if r.event.originator_id == call_id]
        assert [(x["version"], x["position"], x["topic"]) for x in shown.events] == [
            (r.event.originator_version, r.position, r.event.TOPIC) for r in own
        ]
        if call.reply_id is None:
            assert call.purpose == "title"
            continue
        reply = TranscriptRow.objects.get(call_id=call_id)
        assert (reply.id, reply.model) == (call.reply_id, call.prompt_request.model)
        trimming = call.prompt_request.trimming
        assert reply.omitted_count == (None if trimming is None else trimming.omitted_count)
        assert (shown.trimming is None) == (trimming is None)
        if trimming is not None:
            first_kept = str(trimming.first_kept_message_id)
            assert shown.trimming == {**asdict(trimming), "first_kept_message_id": first_kept}
        if call.is_final:
            assert (reply.duration_ms, reply.first_token_ms) == (shown.duration_ms, shown.first_token_ms)
            assert (reply.prompt_tokens, reply.completion_tokens) == (
                shown.prompt_tokens,
                shown.completion_tokens,
            )

    changes = changes_after(position=0, owner_id=None, limit=len(events) + 1)
    assert [change.position for change in changes] == [recorded.position for recorded in events]


def test_live_changes_name_the_owner_of_every_event_of_a_conversation_and_its_calls() -> None:
    events = told_in_memory(4, 400)
    apply(LiveChangesProjector, events)
    owners = {
        r.event.originator_id: r.event.owner_id for r in events if isinstance(r.event, ConversationStarted)
    }
    own: dict[int, object] = {}
    for recorded in events:
        event = recorded.event
        conversation = event.originator_id
        if isinstance(event, ModelCallEvent):
            conversation = getattr(event, "conversation_id", None) or conversation
        if isinstance(event, AuditTrailOpened):
            owners[event.originator_id] = event.owner_id
        if isinstance(event, ModelCallEvent) and event.originator_id not in owners:
            owners[event.originator_id] = owners[conversation]
        own[recorded.position] = owners[event.originator_id]

    for change in changes_after(position=0, owner_id=None, limit=10_000):
        assert change.owner_id == own[change.position]
    for owner in set(owners.values()):
        mine = changes_after(position=0, owner_id=owner, limit=10_000)
        assert [c.position for c in mine] == [position for position, whose in own.items() if whose == owner]


def test_text_that_the_database_cannot_keep_is_shown_with_a_replacement_character() -> None:
    store, story = in_memory(1)
    conversation_id = story.start()
    sent = story.send(*story.conversations[0], "Hello")
    story.answer(story.calls[0][0], "a\x00b", outcome="interrupted")
    for projector in PROJECTORS:
        apply(projector, store.read_after(0, 100))

    row = TranscriptRow.objects.get(conversation_id=conversation_id, id=sent["reply_id"])
    assert (row.content, row.reasoning, row.tool_calls) == ("a\ufffdb", "Hm.\ufffd", [{"id": "\ufffd"}])
    assert row.error == {"code": "stream_cut", "message": "It\ufffd broke."}


def test_activity_moves_updated_at_and_housekeeping_does_not() -> None:
    store, story = in_memory(1)
    story.tell(300)
    moving = {
        "ConversationStarted",
        "UserMessageSent",
        "ReplyRequested",
        "ReplyRecorded",
        "ConversationRenamed",
    }
    events = store.read_after(0, store.end())
    apply(ConversationListProjector, events)

    for conversation_id, owner_id in story.conversations:
        row = get_conversation(conversation_id=conversation_id, owner_id=owner_id)
        own = [r.event for r in events if r.event.originator_id == conversation_id]
        assert row is not None
        assert row.created_at == own[0].timestamp
        assert row.updated_at == max(e.timestamp for e in own if type(e).__name__ in moving)
        assert all(isinstance(e, ConversationEvent) for e in own)


def test_a_story_is_recent_enough_to_be_live() -> None:
    assert told_in_memory(1, 3)[0].event.timestamp > datetime.now(UTC) - timedelta(hours=1)
