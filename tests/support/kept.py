"""Holds what a process keeps of a conversation against what it would read anew."""

from __future__ import annotations

from uuid import UUID

from backend.application.conversations import Conversations
from backend.application.history import load_conversation
from backend.domain.prompt_request import PromptRequest
from backend.event_store.memory import InMemoryEventStore
from backend.prompting.build import build_prompt
from tests.support.histories import MODEL


def assert_as_read_anew(kept: Conversations, store: InMemoryEventStore, conversation_id: UUID) -> None:
    """The aggregate, and the prompt of each of its branches."""
    loaded = kept.load(conversation_id)
    fresh, history = load_conversation(store, conversation_id)
    assert loaded.conversation == fresh
    assert loaded.conversation.pending_events == []
    assert loaded.prompts.version == fresh.version
    for leaf_id in fresh.nodes.leaves():
        request = PromptRequest(leaf_id, fresh.version, MODEL, {})
        expected = build_prompt(history, request)
        assert loaded.prompts.digest(request) == (expected.body_sha256, len(expected.body))
        assert loaded.prompts.build(request).body == expected.body
