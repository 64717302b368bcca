"""Questions to transcripts. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("transcript")`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from backend.domain.errors import UnknownMessage
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

# Only ids walk up the tree; texts are read once, for the messages that were found.
_WALK_UP = """
WITH RECURSIVE branch (id, parent_id, step) AS (
    SELECT id, parent_id, 1 FROM read_transcript WHERE id = %(start)s AND conversation_id = %(conversation)s
    UNION ALL
    SELECT message.id, message.parent_id, branch.step + 1
    FROM branch JOIN read_transcript AS message ON message.id = branch.parent_id
    WHERE branch.step < %(limit)s
)
SELECT id FROM branch ORDER BY step DESC
"""


@dataclass(frozen=True)
class TokenUsage:
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class TranscriptMessage:
    """One message and its place among its siblings: messages of the same role below the same parent.

    sibling_ids: itself among them, oldest first; sibling_index: its place there, from 0.
    """

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: str
    content: str
    reasoning: str
    tool_calls: list[Any]
    outcome: str | None
    error: dict[str, Any] | None
    call_id: UUID | None
    model: str | None
    depth: int
    at: datetime
    version: int
    usage: TokenUsage | None
    duration_ms: int | None
    first_token_ms: int | None
    finish_reason: str | None
    sibling_ids: tuple[UUID, ...]

    @property
    def sibling_index(self) -> int:
        return self.sibling_ids.index(self.id)

    @property
    def sibling_count(self) -> int:
        return len(self.sibling_ids)


@dataclass(frozen=True)
class TranscriptPage:
    """A part of one branch, oldest first.

    leaf_id: the end of the branch asked for, None in an empty conversation. older_before: what to give as
    `before` for the part above this one, None where it begins with the branch's first message.
    """

    conversation_id: UUID
    leaf_id: UUID | None
    messages: tuple[TranscriptMessage, ...]
    older_before: UUID | None


def get_transcript(
    *,
    conversation_id: UUID,
    owner_id: UUID | None,
    leaf_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> TranscriptPage | None:
    """The last `limit` messages of a branch, or those right above the message `before`.

    leaf_id: the end of the branch; None for the selected one. owner_id None: anybody's conversation.
    None where the conversation is unknown or somebody else's. Raises UnknownMessage, naming `leaf` or
    `before`, for a message that this conversation does not have.
    """
    heads = TranscriptHeadRow.objects.filter(conversation_id=conversation_id)
    head = (heads if owner_id is None else heads.filter(owner_id=owner_id)).first()
    if head is None:
        return None
    leaf = head.selected_leaf_id if leaf_id is None else leaf_id
    if leaf_id is not None and not _exists(conversation_id, leaf_id):
        raise UnknownMessage(leaf_id, conversation_id, field="leaf")
    start = leaf if before is None else _parent_of(conversation_id, before)
    ids = [] if start is None else _branch_ids(conversation_id, start, limit)
    found = TranscriptRow.objects.in_bulk(ids)
    messages = _with_siblings(conversation_id, [found[message_id] for message_id in ids])
    older = messages[0].id if messages and messages[0].parent_id is not None else None
    return TranscriptPage(conversation_id, leaf, messages, older)


def get_message(*, message_id: UUID, owner_id: UUID | None) -> TranscriptMessage | None:
    """One message, or None where it is unknown or somebody else's. owner_id None: anybody's."""
    row = TranscriptRow.objects.filter(id=message_id).first()
    if row is None:
        return None
    heads = TranscriptHeadRow.objects.filter(conversation_id=row.conversation_id)
    if owner_id is not None and not heads.filter(owner_id=owner_id).exists():
        return None
    return _with_siblings(row.conversation_id, [row])[0]


def pending_replies(*, conversation_id: UUID, owner_id: UUID | None) -> tuple[TranscriptMessage, ...]:
    """The replies of a conversation that are being written, oldest first. owner_id None: anybody's."""
    heads = TranscriptHeadRow.objects.filter(conversation_id=conversation_id)
    if owner_id is not None and not heads.filter(owner_id=owner_id).exists():
        return ()
    rows = TranscriptRow.objects.filter(conversation_id=conversation_id, outcome="pending").order_by(
        "version"
    )
    return _with_siblings(conversation_id, list(rows))


def _branch_ids(conversation_id: UUID, start: UUID, limit: int) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_WALK_UP, {"start": start, "conversation": conversation_id, "limit": limit})
        return [message_id for (message_id,) in cursor.fetchall()]


def _exists(conversation_id: UUID, message_id: UUID) -> bool:
    return TranscriptRow.objects.filter(id=message_id, conversation_id=conversation_id).exists()


def _parent_of(conversation_id: UUID, message_id: UUID) -> UUID | None:
    rows = TranscriptRow.objects.filter(id=message_id, conversation_id=conversation_id)
    parents = list(rows.values_list("parent_id", flat=True))
    if not parents:
        raise UnknownMessage(message_id, conversation_id, field="before")
    return parents[0]


def _with_siblings(conversation_id: UUID, rows: Iterable[TranscriptRow]) -> tuple[TranscriptMessage, ...]:
    rows = list(rows)
    if not rows:
        return ()
    parents = Q(parent_id__in={row.parent_id for row in rows if row.parent_id is not None})
    if any(row.parent_id is None for row in rows):
        parents |= Q(parent_id__isnull=True)
    siblings: dict[tuple[UUID | None, str], list[UUID]] = {}
    places = TranscriptRow.objects.filter(parents, conversation_id=conversation_id).order_by("version")
    for sibling_id, parent_id, role in places.values_list("id", "parent_id", "role"):
        siblings.setdefault((parent_id, role), []).append(sibling_id)
    return tuple(_message(row, tuple(siblings[row.parent_id, row.role])) for row in rows)


def _message(row: TranscriptRow, sibling_ids: tuple[UUID, ...]) -> TranscriptMessage:
    usage = None
    if row.prompt_tokens is not None or row.completion_tokens is not None:
        usage = TokenUsage(row.prompt_tokens, row.completion_tokens)
    return TranscriptMessage(
        id=row.id,
        conversation_id=row.conversation_id,
        parent_id=row.parent_id,
        role=row.role,
        content=row.content,
        reasoning=row.reasoning,
        tool_calls=row.tool_calls,
        outcome=row.outcome,
        error=row.error,
        call_id=row.call_id,
        model=row.model,
        depth=row.depth,
        at=row.at,
        version=row.version,
        usage=usage,
        duration_ms=row.duration_ms,
        first_token_ms=row.first_token_ms,
        finish_reason=row.finish_reason,
        sibling_ids=sibling_ids,
    )
