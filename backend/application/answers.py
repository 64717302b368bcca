"""What commands answer, as JSON fields. A conversation's fields come from its aggregate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backend.domain.conversation import Conversation
from backend.domain.model_call import ModelCall


def conversation_body(conversation: Conversation) -> dict[str, Any]:
    """A conversation's fields as a command answers them, from the aggregate."""
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "settings": {
            "system_prompt": conversation.settings.system_prompt,
            "model": conversation.settings.model,
            "params": conversation.settings.params or {},
        },
        "version": conversation.version,
        "selected_leaf_id": text_or_none(conversation.selected_leaf_id),
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "deleted": conversation.deleted,
        "forked_from": _origin(conversation),
    }


def reply_body(conversation: Conversation, call: ModelCall) -> dict[str, Any]:
    """The fields of a reply that was asked for just now."""
    return {
        "reply_id": text_or_none(call.reply_id),
        "call_id": str(call.id),
        "version": conversation.version,
    }


def branch_body(conversation: Conversation) -> dict[str, Any]:
    """Where a conversation stands after its selected or visible branches have changed."""
    return {
        "selected_leaf_id": text_or_none(conversation.selected_leaf_id),
        "version": conversation.version,
    }


def text_or_none(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _origin(conversation: Conversation) -> dict[str, Any] | None:
    origin = conversation.forked_from
    if origin is None:
        return None
    return {
        "conversation_id": str(origin.conversation_id),
        "version": origin.version,
        "message_id": str(origin.message_id),
    }
