"""Whose a replay is, and in which conversation: asked by commands that name only the replay."""

from __future__ import annotations

from uuid import UUID

from backend.model_calls.models import ReplayProcess


def conversation_of_replay(replay_id: UUID) -> tuple[UUID, UUID] | None:
    """The conversation and the owner of a replay, or None where it is unknown."""
    rows = ReplayProcess.objects.filter(replay_id=replay_id)
    return rows.values_list("conversation_id", "owner_id").first()
