"""What else is due in the commit that records a reply."""

from __future__ import annotations

from uuid import UUID

from backend.application.ports import Companion, ReplayStepDue
from backend.domain.conversation import Conversation


def reply_companions(conversation: Conversation, reply_id: UUID) -> list[Companion]:
    """A replay that waits for this reply can go on once it is recorded."""
    replay_id = conversation.running_replay_of(reply_id)
    return [] if replay_id is None else [ReplayStepDue(replay_id, conversation.version)]
