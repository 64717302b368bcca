"""One conversation's tree as ids, read from the table only as far as a question needs it.

A fork's tree is the path that it inherits plus its own messages; whatever else its source holds is not
part of it. Only for the queries of this folder. Never reads a text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from backend.domain.errors import UnknownMessage
from backend.domain.message_tree import MessageTree, Node
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

# Walks by parent alone, so it crosses from a fork into its source, and on into the source's source.
_WALK_UP: Final = """
WITH RECURSIVE branch (id, parent_id, role, step) AS (
    SELECT id, parent_id, role, 1 FROM read_transcript WHERE id = %(start)s
    UNION ALL
    SELECT message.id, message.parent_id, message.role, branch.step + 1
    FROM branch JOIN read_transcript AS message ON message.id = branch.parent_id
    WHERE branch.step < %(limit)s
)
SELECT id, parent_id, role FROM branch ORDER BY step DESC
"""
_NO_LIMIT: Final = 2**31 - 1

# A child in a fork is another conversation's, so it does not keep a message from being a leaf here.
_OWN_LEAVES: Final = """
SELECT id FROM read_transcript AS message
WHERE conversation_id = %(conversation)s AND NOT EXISTS (
    SELECT 1 FROM read_transcript AS child
    WHERE child.conversation_id = %(conversation)s AND child.parent_id = message.id
)
"""


class Place(NamedTuple):
    """Where a message stands."""

    id: UUID
    parent_id: UUID | None
    role: str


def walk_up(start: UUID, limit: int = _NO_LIMIT) -> list[Place]:
    """The last `limit` messages of the branch that ends at `start`, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_WALK_UP, {"start": start, "limit": limit})
        return [Place(*row) for row in cursor.fetchall()]


def own_children_of_several(
    parents: Mapping[UUID, Collection[UUID | None]],
) -> dict[UUID, dict[UUID | None, tuple[UUID, ...]]]:
    """For each conversation and each of these parents, None for first messages, its own messages below it."""
    parent_ids = {parent_id for several in parents.values() for parent_id in several}
    wanted = Q(parent_id__in=parent_ids - {None})
    if None in parent_ids:
        wanted |= Q(parent_id__isnull=True)
    rows = TranscriptRow.objects.filter(wanted, conversation_id__in=parents.keys()).order_by("version")
    found: dict[UUID, dict[UUID | None, tuple[UUID, ...]]] = {}
    for message_id, conversation_id, parent_id in rows.values_list("id", "conversation_id", "parent_id"):
        children = found.setdefault(conversation_id, {})
        children[parent_id] = (*children.get(parent_id, ()), message_id)
    return found


class Branches:
    """The tree of one conversation."""

    def __init__(self, head: TranscriptHeadRow) -> None:
        self._head = head

    @property
    def conversation_id(self) -> UUID:
        return self._head.conversation_id

    def require(self, message_id: UUID, *, field: str) -> UUID | None:
        """The parent of a message of this conversation. Raises UnknownMessage, naming `field`."""
        found = TranscriptRow.objects.filter(id=message_id).values_list(
            "conversation_id", "parent_id", "depth"
        )
        for conversation_id, parent_id, depth in found:
            if conversation_id == self.conversation_id or self._inherits(message_id, depth):
                return parent_id
        raise UnknownMessage(message_id, self.conversation_id, field=field)

    def inherited_beside(self, depth: int, parent_id: UUID | None) -> UUID | None:
        """The inherited message with this parent, which begins the siblings of this fork's own ones.

        depth: of those own messages; below the message where the fork begins nothing is inherited.
        """
        last = self._head.forked_from_depth
        return None if last is None or depth > last else self._inherited_by_parent.get(parent_id)

    def own_children(self, parent_ids: Iterable[UUID | None]) -> dict[UUID | None, tuple[UUID, ...]]:
        """For each of these parents, None for first messages, this conversation's own messages below it."""
        found = own_children_of_several({self.conversation_id: set(parent_ids)})
        return found.get(self.conversation_id, {})

    def leaf_ids(self) -> set[UUID]:
        """The ends of all branches."""
        with connection.cursor() as cursor:
            cursor.execute(_OWN_LEAVES, {"conversation": self.conversation_id})
            leaves = {message_id for (message_id,) in cursor.fetchall()}
        origin = self._head.forked_from_message_id
        if origin is not None and not self.own_children([origin]):
            leaves.add(origin)
        return leaves

    @cached_property
    def inherited(self) -> list[Place]:
        """The path from the first message to the one this fork goes on from; empty where it is no fork."""
        origin = self._head.forked_from_message_id
        return [] if origin is None else walk_up(origin)

    @cached_property
    def tree(self) -> MessageTree:
        """The whole tree: inherited messages first, then the conversation's own ones as they came."""
        tree = MessageTree()
        own = TranscriptRow.objects.filter(conversation_id=self.conversation_id).order_by("version")
        for place in (*self.inherited, *own.values_list("id", "parent_id", "role")):
            tree.add(Node(*place))
        for leaf_id in self._head.hidden_leaf_ids:
            tree.hide(leaf_id)
        return tree

    @cached_property
    def hidden(self) -> frozenset[UUID]:
        """The messages all of whose leaves are hidden. Costs nothing where nothing is hidden."""
        if not self._head.hidden_leaf_ids:
            return frozenset()
        visible: set[UUID] = set()
        for leaf_id in self.tree.visible_leaves():
            place: UUID | None = leaf_id
            while place is not None and place not in visible:
                visible.add(place)
                place = self.tree[place].parent_id
        return frozenset(message_id for message_id in self.tree if message_id not in visible)

    def leaf_through(self, message_id: UUID) -> UUID:
        """The end of the selected branch if it holds this message, else of the newest visible one that does."""
        selected = self._head.selected_leaf_id
        if any(node.message_id == message_id for node in self.tree.path(selected)):
            assert selected is not None  # a branch that holds a message has an end
            return selected
        return self.tree.newest_leaf(message_id)

    def _inherits(self, message_id: UUID, depth: int) -> bool:
        last = self._head.forked_from_depth
        return last is not None and depth <= last and any(message_id == place.id for place in self.inherited)

    @cached_property
    def _inherited_by_parent(self) -> dict[UUID | None, UUID]:
        return {place.parent_id: place.id for place in self.inherited}
