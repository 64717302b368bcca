"""Questions to transcripts. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("transcript")`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Left

from backend.domain.events import ReplayTurn
from projections.transcript.branches import Branches, own_children_of_several, walk_up
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

EXCERPT_CHARACTERS: Final = 120
# So that an excerpt is still full after line ends and runs of blanks have become single ones.
_READ_FOR_EXCERPT: Final = 400

_NEAREST_CALL: Final = """
WITH RECURSIVE branch (parent_id, call_id) AS (
    SELECT parent_id, call_id FROM read_transcript WHERE id = %s
    UNION ALL
    SELECT message.parent_id, message.call_id
    FROM branch JOIN read_transcript AS message ON message.id = branch.parent_id
    WHERE branch.call_id IS NULL
)
SELECT call_id FROM branch WHERE call_id IS NOT NULL
"""


@dataclass(frozen=True)
class TokenUsage:
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class TranscriptMessage:
    """One message and its place among its siblings: messages below the same parent, whoever wrote them.

    conversation_id: where it was written; inherited: that is another conversation than the one asked for.
    sibling_ids: itself among them, oldest first; sibling_index: its place there, from 0.
    hidden: all branches through it are hidden. omitted_count: earlier messages that its call did not send.
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
    continues: UUID | None
    omitted_count: int | None
    replay: ReplayTurn | None
    hidden: bool
    inherited: bool

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
    selected_leaf_id: UUID | None
    messages: tuple[TranscriptMessage, ...]
    older_before: UUID | None


@dataclass(frozen=True)
class TreeNode:
    """One message without its text. excerpt: how it begins, on one line."""

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: str
    at: datetime
    outcome: str | None
    excerpt: str
    model: str | None
    call_id: UUID | None
    depth: int
    version: int
    continues: UUID | None
    replay: ReplayTurn | None
    hidden: bool
    inherited: bool


@dataclass(frozen=True)
class Tree:
    """All messages of a conversation, parents before their children; in a fork the inherited path first."""

    conversation_id: UUID
    selected_leaf_id: UUID | None
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True)
class BranchSummary:
    """How many branches a conversation has, by whether they are shown.

    fork_message_number: in a fork, the number in the branch of the message it goes on from, from 1.
    """

    branch_count: int
    hidden_branch_count: int
    fork_message_number: int | None


def get_transcript(
    *,
    conversation_id: UUID,
    owner_id: UUID | None,
    leaf_id: UUID | None = None,
    through: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> TranscriptPage | None:
    """The last `limit` messages of a branch, or those right above the message `before`.

    leaf_id: the end of the branch; None for the selected one, or, with `through`, for the one through that
    message: the selected one if it holds it, else the newest visible one. owner_id None: anybody's
    conversation. None where the conversation is unknown or somebody else's. Raises UnknownMessage, naming
    `leaf`, `through` or `before`, for a message that this conversation neither has nor inherits.
    """
    head = _head(conversation_id, owner_id)
    if head is None:
        return None
    branches = Branches(head)
    leaf = head.selected_leaf_id
    if leaf_id is not None:
        branches.require(leaf_id, field="leaf")
        leaf = leaf_id
    elif through is not None:
        branches.require(through, field="through")
        leaf = branches.leaf_through(through)
    start = leaf if before is None else branches.require(before, field="before")
    ids = [] if start is None else [place.id for place in walk_up(start, limit)]
    found = TranscriptRow.objects.in_bulk(ids)
    messages = _messages(branches, [found[message_id] for message_id in ids])
    older = messages[0].id if messages and messages[0].parent_id is not None else None
    return TranscriptPage(conversation_id, leaf, head.selected_leaf_id, messages, older)


def get_tree(*, conversation_id: UUID, owner_id: UUID | None) -> Tree | None:
    """Every message of a conversation, without texts. None where it is unknown or somebody else's."""
    head = _head(conversation_id, owner_id)
    if head is None:
        return None
    branches = Branches(head)
    own = _node_rows(Q(conversation_id=conversation_id))
    path = [place.id for place in branches.inherited]
    by_id = {row["id"]: row for row in (_node_rows(Q(id__in=path)) if path else ())}
    inherited = [_node(by_id[message_id], branches.hidden, inherited=True) for message_id in path]
    nodes = (*inherited, *(_node(row, branches.hidden, inherited=False) for row in own))
    return Tree(conversation_id, head.selected_leaf_id, nodes)


def get_branch_summary(*, conversation_id: UUID, owner_id: UUID | None) -> BranchSummary | None:
    """How many branches there are. None where the conversation is unknown or somebody else's."""
    head = _head(conversation_id, owner_id)
    if head is None:
        return None
    leaves = Branches(head).leaf_ids()
    hidden = len(leaves & set(head.hidden_leaf_ids))
    depth = head.forked_from_depth
    return BranchSummary(len(leaves) - hidden, hidden, None if depth is None else depth + 1)


def get_message(*, message_id: UUID, owner_id: UUID | None) -> TranscriptMessage | None:
    """One message as the conversation shows it that wrote it; None where it is unknown or somebody else's.

    owner_id None: anybody's.
    """
    row = TranscriptRow.objects.filter(id=message_id).first()
    head = None if row is None else _head(row.conversation_id, owner_id)
    if row is None or head is None:
        return None
    return _messages(Branches(head), [row])[0]


def get_messages(message_ids: Collection[UUID]) -> dict[UUID, TranscriptMessage]:
    """Several messages of any conversations, each as `get_message` gives it; anybody's. Unknown ones are left out."""
    by_conversation: dict[UUID, list[TranscriptRow]] = {}
    for row in TranscriptRow.objects.filter(id__in=message_ids):
        by_conversation.setdefault(row.conversation_id, []).append(row)
    if not by_conversation:
        return {}
    heads = TranscriptHeadRow.objects.in_bulk(by_conversation)
    children = own_children_of_several(
        {conversation: {row.parent_id for row in rows} for conversation, rows in by_conversation.items()}
    )
    return {
        message.id: message
        for conversation_id, head in heads.items()
        for message in _messages(
            Branches(head), by_conversation[conversation_id], children.get(conversation_id, {})
        )
    }


def get_previous_call_id(*, leaf_id: UUID, owner_id: UUID | None) -> UUID | None:
    """The call of the nearest reply at or above a message; None without one, or for somebody else's message.

    leaf_id: the last message that a call sent; so the answer is the call before that one on its branch.
    """
    row = TranscriptRow.objects.filter(id=leaf_id).only("conversation_id").first()
    if row is None or _head(row.conversation_id, owner_id) is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST_CALL, [leaf_id])
        found = cursor.fetchone()
    return None if found is None else found[0]


def pending_replies(*, conversation_id: UUID, owner_id: UUID | None) -> tuple[TranscriptMessage, ...]:
    """The replies of a conversation that are being written, oldest first. owner_id None: anybody's."""
    head = _head(conversation_id, owner_id)
    if head is None:
        return ()
    rows = TranscriptRow.objects.filter(conversation_id=conversation_id, outcome="pending").order_by(
        "version"
    )
    return _messages(Branches(head), list(rows))


def _head(conversation_id: UUID, owner_id: UUID | None) -> TranscriptHeadRow | None:
    heads = TranscriptHeadRow.objects.filter(conversation_id=conversation_id)
    return (heads if owner_id is None else heads.filter(owner_id=owner_id)).first()


def _messages(
    branches: Branches,
    rows: list[TranscriptRow],
    own: Mapping[UUID | None, tuple[UUID, ...]] | None = None,
) -> tuple[TranscriptMessage, ...]:
    """own: this conversation's own messages below each of the rows' parents, where they are known already."""
    if not rows:
        return ()
    if own is None:
        own = branches.own_children(row.parent_id for row in rows)
    found = []
    for row in rows:
        inherited = row.conversation_id != branches.conversation_id
        first = row.id if inherited else branches.inherited_beside(row.depth, row.parent_id)
        siblings = own.get(row.parent_id, ())
        found.append(
            _message(
                row,
                siblings if first is None else (first, *siblings),
                hidden=row.id in branches.hidden,
                inherited=inherited,
            )
        )
    return tuple(found)


def _message(
    row: TranscriptRow, sibling_ids: tuple[UUID, ...], *, hidden: bool, inherited: bool
) -> TranscriptMessage:
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
        continues=row.continues,
        omitted_count=row.omitted_count,
        replay=_replay_turn(row.replay_id, row.replay_turn),
        hidden=hidden,
        inherited=inherited,
    )


def _node_rows(wanted: Q) -> Iterable[Mapping[str, Any]]:
    """Rows of the table in the order of their versions, of whose texts only the beginning is read."""
    return (
        TranscriptRow.objects.filter(wanted)
        .order_by("version")
        .values(
            "id",
            "conversation_id",
            "parent_id",
            "role",
            "at",
            "outcome",
            "model",
            "call_id",
            "depth",
            "version",
            "continues",
            "replay_id",
            "replay_turn",
            beginning=Left("content", _READ_FOR_EXCERPT),
        )
    )


def _node(row: Mapping[str, Any], hidden: frozenset[UUID], *, inherited: bool) -> TreeNode:
    fields = dict(row)
    replay = _replay_turn(fields.pop("replay_id"), fields.pop("replay_turn"))
    excerpt = " ".join(fields.pop("beginning").split())[:EXCERPT_CHARACTERS]
    return TreeNode(**fields, excerpt=excerpt, replay=replay, hidden=row["id"] in hidden, inherited=inherited)


def _replay_turn(replay_id: UUID | None, turn: int | None) -> ReplayTurn | None:
    return None if replay_id is None or turn is None else ReplayTurn(replay_id, turn)
