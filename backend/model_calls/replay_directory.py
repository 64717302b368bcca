"""Whose a replay is, and in which conversation: asked by commands that name only the replay."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

_FIND = "SELECT conversation_id, owner_id FROM replay_process WHERE replay_id = %s"


def conversation_of_replay(replay_id: UUID) -> tuple[UUID, UUID] | None:
    """The conversation and the owner of a replay, or None where it is unknown."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [replay_id])
        found: tuple[UUID, UUID] | None = cursor.fetchone()
    return found
