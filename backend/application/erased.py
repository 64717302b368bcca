"""Tells a conversation that was erased from one that never was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from backend.domain.errors import ConversationIsErased, NotFound, UnknownConversation
from backend.domain.events import ConversationErased, ErasedEvent, VerbatimEvent


def erased_conversation(conversation_id: UUID, events: Sequence[VerbatimEvent]) -> NotFound:
    """What to raise for a stream whose first event is erased. events: of that stream, up to its end."""
    last = events[-1] if events else None
    if isinstance(last, ConversationErased):
        told = f" on {last.timestamp:%Y-%m-%d} by {last.by} ({last.reason})"
        return ConversationIsErased(conversation_id, last.owner_id, told=told)
    if events and isinstance(events[0], ErasedEvent) and not events[0].topic.startswith("Conversation"):
        return UnknownConversation(conversation_id)  # a call's stream
    return ConversationIsErased(conversation_id)


@contextmanager
def erased_only_for(owner_id: UUID, conversation_id: UUID) -> Iterator[None]:
    """For everybody but its owner, a conversation that was erased is as unknown as one that never was."""
    try:
        yield
    except ConversationIsErased as erased:
        if erased.owner_id != owner_id:
            raise UnknownConversation(conversation_id) from erased
        raise
