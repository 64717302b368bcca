"""Why a conversation is not among the rows of its owner: it never was, or it was erased."""

from __future__ import annotations

from uuid import UUID

from backend import bootstrap
from backend.application.history import load_own_conversation
from backend.domain.errors import ConversationIsErased, NotFound, UnknownConversation


def missing_conversation(conversation_id: UUID, owner_id: UUID) -> NotFound:
    """What to raise for a conversation that a read model does not have."""
    try:
        load_own_conversation(bootstrap.event_store(), conversation_id, owner_id)
    except ConversationIsErased as erased:
        return erased
    except UnknownConversation:
        pass
    return UnknownConversation(conversation_id)
