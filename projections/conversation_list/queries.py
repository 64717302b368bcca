"""Questions to the conversation list. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("conversation_list")`.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from projections.conversation_list.read_table import ConversationListRow


def list_conversations(*, owner_id: UUID) -> QuerySet[ConversationListRow]:
    """Every conversation of this person, deleted and archived ones too, last touched first."""
    return ConversationListRow.objects.filter(owner_id=owner_id).order_by("-updated_at", "-id")


def get_conversation(*, conversation_id: UUID, owner_id: UUID | None) -> ConversationListRow | None:
    """One conversation, or None where it is unknown or somebody else's. owner_id None: anybody's."""
    rows = ConversationListRow.objects.filter(id=conversation_id)
    return (rows if owner_id is None else rows.filter(owner_id=owner_id)).first()


def get_conversations(conversation_ids: Collection[UUID]) -> dict[UUID, ConversationListRow]:
    """Several conversations, anybody's. Unknown ones are left out."""
    return ConversationListRow.objects.in_bulk(conversation_ids)
