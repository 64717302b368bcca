"""The samples with messages that programs brought along."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend.domain import events as e
from backend.domain.conversation import Conversation
from backend.domain.prompt_request import PromptRequest
from backend.prompting.build import StreamSlice
from tests.support.builders import Stamps, World, make_id, started_conversation


def imported_event() -> dict[str, e.VerbatimEvent]:
    conversation = started_conversation()
    conversation.import_message(
        message_id=make_id("imported"),
        parent_id=None,
        role="user",
        content=[
            {"type": "text", "text": "What is “this”? 漢字"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0=", "detail": "low"}},
        ],
        source="openai",
        stamp=Stamps("imported"),
    )
    return {e.MessageImported.TOPIC: _pending(conversation)[0]}


def imported_talk() -> tuple[list[StreamSlice], PromptRequest]:
    """A program's conversation that somebody goes on with in the browser."""
    world = World()
    conversation_id = world.start(system_prompt="Be brief.")
    conversation, stamp = world.conversation(conversation_id), Stamps("imported talk")
    parts: list[Any] = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
    ]
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    leaf: UUID | None = None
    said: list[tuple[str, Any]] = [
        ("user", parts),
        ("assistant", [{"type": "tool_calls", "tool_calls": calls}]),
        ("tool", [{"type": "text", "text": "42"}, {"type": "tool_call_id", "tool_call_id": "c1"}]),
        ("system", "Now answer."),
        ("assistant", "It is 42."),
    ]
    for place, (role, content) in enumerate(said):
        name = make_id(f"imported {place}")
        conversation.import_message(
            message_id=name, parent_id=leaf, role=role, content=content, source="openai", stamp=stamp
        )
        leaf = name
    conversation.send_user_message(message_id=make_id("then"), parent_id=leaf, content="Why?", stamp=stamp)
    events = [*world.store.read_history(conversation_id)[-1].events, *_pending(conversation)]
    request = PromptRequest(make_id("then"), conversation.version, "a-model", {})
    return [StreamSlice(conversation_id, events)], request


def _pending(conversation: Conversation) -> list[e.VerbatimEvent]:
    return [event for event in conversation.pending_events if isinstance(event, e.VerbatimEvent)]
