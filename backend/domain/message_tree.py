"""The shape of a conversation: messages below messages, without their words.

Only ever grows. Knows nothing of events: the conversation puts messages in and asks where they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from backend.domain.outcomes import PENDING

USER: Final = "user"
ASSISTANT: Final = "assistant"
SYSTEM: Final = "system"
TOOL: Final = "tool"
"""The last two stand only at messages that were brought along from elsewhere."""


@dataclass(frozen=True)
class Node:
    """One message's place in the tree. outcome and call_id are None for a user's message.

    continues: the reply whose text goes on here. has_text: False for a reply that came to nothing.
    """

    message_id: UUID
    parent_id: UUID | None
    role: str
    outcome: str | None = None
    call_id: UUID | None = None
    continues: UUID | None = None
    has_text: bool = True

    @property
    def is_pending(self) -> bool:
        return self.outcome == PENDING


class MessageTree:
    """Messages by id, in the order in which they came: parents before their children."""

    def __init__(self) -> None:
        self._nodes: dict[UUID, Node] = {}
        self._hidden: set[UUID] = set()

    def copy(self) -> MessageTree:
        """A tree that grows on its own; messages never change, so they are shared."""
        twin = MessageTree()
        twin._nodes = dict(self._nodes)
        twin._hidden = set(self._hidden)
        return twin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageTree) and (self._nodes, self._hidden) == (
            other._nodes,
            other._hidden,
        )

    __hash__ = None  # type: ignore[assignment]  # it changes, so it is no key

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._nodes)

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._nodes

    def __getitem__(self, message_id: UUID) -> Node:
        return self._nodes[message_id]

    def get(self, message_id: UUID) -> Node | None:
        return self._nodes.get(message_id)

    def values(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    # ---- growing ----------------------------------------------------------------------------

    def add(self, node: Node) -> None:
        self._nodes[node.message_id] = node

    def end(self, reply_id: UUID, *, outcome: str, has_text: bool) -> None:
        """A pending reply has got its text and outcome."""
        self._nodes[reply_id] = replace(self._nodes[reply_id], outcome=outcome, has_text=has_text)

    def hide(self, leaf_id: UUID) -> None:
        self._hidden.add(leaf_id)

    def show(self, leaf_id: UUID) -> None:
        self._hidden.discard(leaf_id)

    # ---- asking -----------------------------------------------------------------------------

    def path(self, leaf_id: UUID | None) -> list[Node]:
        """The branch that ends at this message, first message first."""
        found: list[Node] = []
        while leaf_id is not None:
            node = self._nodes[leaf_id]
            found.append(node)
            leaf_id = node.parent_id
        found.reverse()
        return found

    def leaves(self, through: UUID | None = None) -> list[UUID]:
        """The ends of all branches, or of those through a message, oldest first."""
        below = set(self._nodes) if through is None else self._below(through)
        parents = {node.parent_id for node in self._nodes.values()}
        return [message_id for message_id in self._nodes if message_id in below and message_id not in parents]

    def is_hidden(self, leaf_id: UUID) -> bool:
        return leaf_id in self._hidden

    def visible_leaves(self, through: UUID | None = None) -> list[UUID]:
        return [leaf_id for leaf_id in self.leaves(through) if leaf_id not in self._hidden]

    def newest_leaf(self, through: UUID) -> UUID:
        """The end of the newest visible branch through a message; of the newest one where all are hidden."""
        return (self.visible_leaves(through) or self.leaves(through))[-1]

    def nearest_visible_leaf(self, leaf_id: UUID) -> UUID | None:
        """The newest visible branch that leaves this one as late as possible; None where all are hidden."""
        leaves_at = {node.message_id: depth for depth, node in enumerate(self.path(leaf_id))}
        for node in self._nodes.values():
            if node.message_id not in leaves_at:
                leaves_at[node.message_id] = -1 if node.parent_id is None else leaves_at[node.parent_id]
        return max(reversed(self.visible_leaves()), key=leaves_at.__getitem__, default=None)

    def _below(self, message_id: UUID) -> set[UUID]:
        found = {message_id}
        for node in self._nodes.values():
            if node.parent_id in found:
                found.add(node.message_id)
        return found
