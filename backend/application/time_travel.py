"""A conversation as it was at any earlier version, made from its events.

Read tables only know the present, so this reads the stream itself and stops where it is told to. What
was hidden or deleted later is there; what came later is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from backend.application.erased import erased_only_for
from backend.application.ports import EventStore
from backend.domain import events as e
from backend.domain.conversation import Conversation
from backend.domain.conversation_changes import Settings
from backend.domain.errors import InvalidInput, UnknownConversation, UnknownMessage
from backend.domain.imported import text_of_imported
from backend.domain.message_tree import MessageTree, Node
from backend.prompting.build import StreamSlice

EXCERPT_CHARACTERS: Final = 120


@dataclass(frozen=True)
class MessageAsOf:
    """One message as it stood then. version: of the event that made it, in its own conversation.

    sibling_ids: the messages below the same parent, itself among them, oldest first.
    """

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: str
    content: str
    reasoning: str
    tool_calls: Sequence[Any]
    outcome: str | None
    error: Mapping[str, str] | None
    finish_reason: str | None
    call_id: UUID | None
    model: str | None
    omitted_count: int | None
    continues: UUID | None
    replay: e.ReplayTurn | None
    hidden: bool
    inherited: bool
    at: datetime
    version: int
    depth: int
    sibling_ids: tuple[UUID, ...]

    @property
    def sibling_index(self) -> int:
        return self.sibling_ids.index(self.id)

    @property
    def sibling_count(self) -> int:
        return len(self.sibling_ids)


@dataclass(frozen=True)
class LeafAsOf:
    """The end of one branch. excerpt: how its last message with a text begins, on one line."""

    leaf_id: UUID
    hidden: bool
    excerpt: str
    at: datetime


@dataclass(frozen=True)
class AsOf:
    """A conversation at one version, and a part of one of its branches, oldest message first.

    event: the topic of the event that made this version, at its time. older_before: what to give as
    `before` for the messages above, None where there are none.
    """

    conversation_id: UUID
    version: int
    latest_version: int
    at: datetime
    event: str
    title: str
    settings: Settings
    selected_leaf_id: UUID | None
    deleted: bool
    leaves: tuple[LeafAsOf, ...]
    leaf_id: UUID | None
    messages: tuple[MessageAsOf, ...]
    older_before: UUID | None


@dataclass(frozen=True)
class _Made:
    """The events that made a message and, for a reply, ended it; and whose stream they are in."""

    conversation_id: UUID
    event: e.UserMessageSent | e.MessageImported | e.ReplyRequested
    recorded: e.ReplyRecorded | None = None

    @property
    def text(self) -> str:
        if isinstance(self.event, e.UserMessageSent):
            return self.event.content
        if isinstance(self.event, e.MessageImported):
            return text_of_imported(self.event.content)
        return "" if self.recorded is None else self.recorded.content


def conversation_as_of(
    store: EventStore,
    conversation_id: UUID,
    owner_id: UUID,
    version: int,
    *,
    leaf_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> AsOf:
    """The conversation right after one of its events, with the last `limit` messages of a branch.

    leaf_id: the end of the branch, None for the one selected then. before: only messages above this one.
    Raises UnknownConversation (also for somebody else's), InvalidInput for a version that never was, and
    UnknownMessage for a message that was not there then.
    """
    with erased_only_for(owner_id, conversation_id):
        history = store.read_history(conversation_id)
    then = _up_to(history, version)
    conversation = Conversation.from_streams([part.events for part in then])
    if conversation is None or conversation.owner_id != owner_id:
        raise UnknownConversation(conversation_id)
    latest = history[-1].events[-1].originator_version
    if not 1 <= version <= latest:
        raise InvalidInput(
            f"Conversation {conversation_id} has the versions 1 to {latest}; found {version}. Choose one of them.",
            field="version",
        )
    made = _made(then)
    leaf = conversation.selected_leaf_id if leaf_id is None else leaf_id
    path = _path(conversation, leaf, before)
    page = path[-limit:]
    last = then[-1].events[-1]
    return AsOf(
        conversation_id=conversation_id,
        version=version,
        latest_version=latest,
        at=last.timestamp,
        event=last.TOPIC,
        title=conversation.title,
        settings=conversation.settings,
        selected_leaf_id=conversation.selected_leaf_id,
        deleted=conversation.deleted,
        leaves=tuple(_leaf(leaf, conversation.nodes, made) for leaf in conversation.nodes.leaves()),
        leaf_id=leaf,
        messages=_messages(store, conversation, page, made, first_depth=len(path) - len(page)),
        older_before=page[0].message_id if len(page) < len(path) else None,
    )


def _up_to(history: Sequence[StreamSlice], version: int) -> list[StreamSlice]:
    own = history[-1]
    # A version that never was is refused below, by its range; until then the first event stands for it.
    seen = [event for event in own.events if event.originator_version <= max(version, 1)]
    return [*history[:-1], StreamSlice(own.conversation_id, seen)]


def _made(history: Sequence[StreamSlice]) -> dict[UUID, _Made]:
    made: dict[UUID, _Made] = {}
    for part in history:
        for event in part.events:
            match event:
                case e.UserMessageSent() | e.MessageImported():
                    made[event.message_id] = _Made(part.conversation_id, event)
                case e.ReplyRequested():
                    made[event.reply_id] = _Made(part.conversation_id, event)
                case e.ReplyRecorded():
                    asked = made[event.reply_id]
                    made[event.reply_id] = _Made(asked.conversation_id, asked.event, event)
                case _:
                    pass
    return made


def _path(conversation: Conversation, leaf_id: UUID | None, before: UUID | None) -> list[Node]:
    """The branch, or what of it lies above `before`."""
    if leaf_id is not None and leaf_id not in conversation.nodes:
        raise UnknownMessage(leaf_id, conversation.id, field="leaf")
    if before is None:
        return conversation.nodes.path(leaf_id)
    if before not in conversation.nodes:
        raise UnknownMessage(before, conversation.id, field="before")
    return conversation.nodes.path(conversation.nodes[before].parent_id)


def _leaf(leaf_id: UUID, nodes: MessageTree, made: Mapping[UUID, _Made]) -> LeafAsOf:
    texts = (made[node.message_id].text for node in reversed(nodes.path(leaf_id)))
    text = next((text for text in texts if text), "")
    excerpt = " ".join(text[: 4 * EXCERPT_CHARACTERS].split())[:EXCERPT_CHARACTERS]
    return LeafAsOf(leaf_id, nodes.is_hidden(leaf_id), excerpt, made[leaf_id].event.timestamp)


def _messages(
    store: EventStore,
    conversation: Conversation,
    page: Sequence[Node],
    made: Mapping[UUID, _Made],
    *,
    first_depth: int,
) -> tuple[MessageAsOf, ...]:
    siblings: dict[UUID | None, list[UUID]] = {}
    for node in conversation.nodes.values():
        siblings.setdefault(node.parent_id, []).append(node.message_id)
    all_hidden = not conversation.nodes.visible_leaves()
    found: list[MessageAsOf] = []
    for depth, node in enumerate(page, start=first_depth):
        origin = made[node.message_id]
        request = None if node.call_id is None else store.read_call(node.call_id).prompt_request
        trimming = None if request is None else request.trimming
        recorded = origin.recorded
        error = None if recorded is None else recorded.error
        found.append(
            MessageAsOf(
                id=node.message_id,
                conversation_id=origin.conversation_id,
                parent_id=node.parent_id,
                role=node.role,
                content=origin.text,
                reasoning="" if recorded is None else recorded.reasoning,
                tool_calls=[] if recorded is None else recorded.tool_calls,
                outcome=node.outcome,
                error=None if error is None else {"code": error.code, "message": error.message},
                finish_reason=None if recorded is None else recorded.finish_reason,
                call_id=node.call_id,
                model=None if request is None else request.model,
                omitted_count=None if trimming is None else trimming.omitted_count,
                continues=node.continues,
                replay=origin.event.replay if isinstance(origin.event, e.ReplyRequested) else None,
                hidden=all_hidden or not conversation.nodes.visible_leaves(node.message_id),
                inherited=origin.conversation_id != conversation.id,
                at=origin.event.timestamp,
                version=origin.event.originator_version,
                depth=depth,
                sibling_ids=tuple(siblings[node.parent_id]),
            )
        )
    return tuple(found)
