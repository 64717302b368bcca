"""Questions about replays. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("replays")`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.domain.outcomes import COMPLETE, TRUNCATED
from projections.replays.read_table import ReplayRow, ReplayTryRow


@dataclass(frozen=True)
class ReplayProgress:
    """One replay and how far it has come.

    state: running, finished, failed (can be resumed) or cancelled. turns_done: turns whose latest reply came
    to something the next turn can follow. call_ids: one per turn begun, of its latest try, in the order of
    the turns. leaf_id: the newest message of the new branch, None before the first.
    """

    id: UUID
    conversation_id: UUID
    source_leaf_id: UUID
    model: str
    params: dict[str, Any]
    system_prompt: str | None
    state: str
    turns_done: int
    turns_total: int
    leaf_id: UUID | None
    call_ids: tuple[UUID, ...]
    error: dict[str, Any] | None
    requested_at: datetime
    ended_at: datetime | None


def get_replay(*, replay_id: UUID, owner_id: UUID | None) -> ReplayProgress | None:
    """One replay, or None where it is unknown or somebody else's. owner_id None: anybody's."""
    rows = ReplayRow.objects.filter(id=replay_id)
    found = _with_progress(rows if owner_id is None else rows.filter(owner_id=owner_id))
    return found[0] if found else None


def list_replays(*, conversation_id: UUID, owner_id: UUID | None) -> tuple[ReplayProgress, ...]:
    """The replays of a conversation, newest first; none where it is unknown or somebody else's."""
    rows = ReplayRow.objects.filter(conversation_id=conversation_id).order_by("-requested_at", "-version")
    return _with_progress(rows if owner_id is None else rows.filter(owner_id=owner_id))


def _with_progress(rows: Iterable[ReplayRow]) -> tuple[ReplayProgress, ...]:
    rows = list(rows)
    calls: dict[UUID, list[UUID]] = {row.id: [] for row in rows}
    done = dict.fromkeys(calls, 0)
    latest = (
        ReplayTryRow.objects.filter(replay_id__in=calls)
        .order_by("replay_id", "turn", "-version")
        .distinct("replay_id", "turn")
    )
    for replay_id, call_id, outcome in latest.values_list("replay_id", "call_id", "outcome"):
        calls[replay_id].append(call_id)
        done[replay_id] += outcome in (COMPLETE, TRUNCATED)
    return tuple(
        ReplayProgress(
            id=row.id,
            conversation_id=row.conversation_id,
            source_leaf_id=row.source_leaf_id,
            model=row.model,
            params=row.params,
            system_prompt=row.system_prompt,
            state=row.state,
            turns_done=done[row.id],
            turns_total=row.turns_total,
            leaf_id=row.leaf_id,
            call_ids=tuple(calls[row.id]),
            error=row.error,
            requested_at=row.requested_at,
            ended_at=row.ended_at,
        )
        for row in rows
    )
