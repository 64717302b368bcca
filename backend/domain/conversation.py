"""The Conversation aggregate: a tree of messages to which things are only ever added.

Methods check, then trigger events; `_apply` only assigns. Texts are not kept here: a decision needs
the shape of the tree, not its words, so a long conversation stays cheap to load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Any, Final
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from backend.domain import events as e
from backend.domain.envelope import Envelope, Stamp
from backend.domain.errors import (
    AttemptRefused,
    ConversationIsDeleted,
    ReplyPending,
    UnknownMessage,
    UnknownParent,
    VersionConflict,
    WrongMessageKind,
)
from backend.domain.outcomes import PENDING
from backend.domain.values import Params

USER: Final = "user"
ASSISTANT: Final = "assistant"


class SelectedLeaf:
    """Stands for `the message at the end of the selected branch` where a parent may be named."""


SELECTED_LEAF: Final = SelectedLeaf()


@dataclass(frozen=True)
class Node:
    """One message's place in the tree. outcome and call_id are None for a user's message."""

    message_id: UUID
    parent_id: UUID | None
    role: str
    outcome: str | None = None
    call_id: UUID | None = None

    @property
    def is_pending(self) -> bool:
        return self.outcome == PENDING


@dataclass(frozen=True)
class Settings:
    """What new calls use unless a command says otherwise."""

    system_prompt: str = ""
    model: str = ""
    params: Params | None = None


class Conversation(BaseAggregate[UUID]):
    """Decides what may be added to one conversation."""

    TOPIC = "Conversation.v1"
    Event = e.ConversationEvent
    Started = e.ConversationStarted

    def __init__(self, owner_id: UUID, title: str, forked_from: e.ForkOrigin | None) -> None:
        """The state right after ConversationStarted; the library calls this when that event is applied."""
        self.owner_id = owner_id
        self.title = title
        self.forked_from = forked_from
        self.settings = Settings()
        self.nodes: dict[UUID, Node] = {}
        self.selected_leaf_id: UUID | None = None
        self.pinned = False
        self.archived = False
        self.deleted = False

    # ---- starting ---------------------------------------------------------------------------

    @classmethod
    def start(
        cls, *, conversation_id: UUID, owner_id: UUID, title: str, settings: Settings, stamp: Stamp
    ) -> Conversation:
        """A new, empty conversation with the settings in force from its beginning as events."""
        conversation = cls._create(
            e.ConversationStarted,
            id=conversation_id,
            owner_id=owner_id,
            title=title,
            forked_from=None,
            **_fields(stamp()),
        )
        conversation._trigger(e.SystemPromptChanged, stamp, text=settings.system_prompt)
        conversation._trigger(
            e.ModelSettingsChanged, stamp, model=settings.model, params=settings.params or {}
        )
        return conversation

    @classmethod
    def from_events(cls, stream: Iterable[e.VerbatimEvent]) -> Conversation | None:
        """The conversation as its events tell it, or None when there are none."""
        conversation: Any = None
        for event in stream:
            conversation = event.mutate(conversation)
        if conversation is not None and not isinstance(conversation, cls):
            return None
        return conversation

    # ---- messages ---------------------------------------------------------------------------

    def check_version(self, expected_version: int | None) -> None:
        """Raise VersionConflict where the command named another version than the present one."""
        if expected_version is not None and expected_version != self.version:
            raise VersionConflict(self.id, expected=expected_version, found=self.version)

    def send_user_message(
        self, *, message_id: UUID, parent_id: UUID | SelectedLeaf | None, content: str, stamp: Stamp
    ) -> None:
        """Add the user's message below its parent (None: a new root)."""
        self._check_open()
        parent = self.selected_leaf_id if isinstance(parent_id, SelectedLeaf) else parent_id
        if parent is not None:
            node = self.nodes.get(parent)
            if node is None:
                raise UnknownParent(parent, self.id)
            if node.is_pending:
                raise ReplyPending(node.message_id)
        self._trigger(e.UserMessageSent, stamp, message_id=message_id, parent_id=parent, content=content)

    def request_reply(self, *, reply_id: UUID, parent_id: UUID, call_id: UUID, stamp: Stamp) -> None:
        """Add a pending reply below a user's message; its text comes with `record_reply`."""
        self._check_open()
        parent = self.nodes.get(parent_id)
        if parent is None:
            raise UnknownMessage(parent_id, self.id)
        if parent.role != USER:
            raise WrongMessageKind(parent_id, expected="user message", found="reply")
        self._trigger(
            e.ReplyRequested, stamp, reply_id=reply_id, parent_id=parent_id, call_id=call_id, continues=None
        )

    def parent_for_regeneration(self, message_id: UUID) -> UUID:
        """The user message that a new reply would answer: message_id itself, or the parent of that reply."""
        node = self.nodes.get(message_id)
        if node is None:
            raise UnknownMessage(message_id, self.id)
        if node.role == USER:
            return node.message_id
        if node.parent_id is None or self.nodes[node.parent_id].role != USER:
            raise WrongMessageKind(message_id, expected="reply to a user message", found="continuation")
        return node.parent_id

    def record_reply(
        self,
        *,
        reply_id: UUID,
        content: str,
        reasoning: str,
        tool_calls: list[Any],
        finish_reason: str | None,
        outcome: str,
        error: e.ReplyError | None,
        stamp: Stamp,
    ) -> None:
        """Write what the model said into its pending reply; accepted in every state, but once only."""
        node = self.nodes.get(reply_id)
        if node is None or node.role != ASSISTANT:
            raise UnknownMessage(reply_id, self.id)
        if not node.is_pending or node.call_id is None:
            raise AttemptRefused(
                f"Reply {reply_id} was recorded before, as {node.outcome}. This result is dropped."
            )
        self._trigger(
            e.ReplyRecorded,
            stamp,
            reply_id=reply_id,
            call_id=node.call_id,
            content=content,
            reasoning=reasoning,
            tool_calls=tool_calls,
            finish_reason=finish_reason,
            outcome=outcome,
            error=error,
        )

    # ---- settings and housekeeping ----------------------------------------------------------

    def change_system_prompt(self, text: str, stamp: Stamp) -> None:
        self._check_open()
        if text != self.settings.system_prompt:
            self._trigger(e.SystemPromptChanged, stamp, text=text)

    def change_model_settings(self, *, model: str | None, params: Params | None, stamp: Stamp) -> None:
        """Change the model, the parameters, or both; None leaves the present one."""
        self._check_open()
        new_model = self.settings.model if model is None else model
        new_params = (self.settings.params or {}) if params is None else params
        if (new_model, new_params) != (self.settings.model, self.settings.params or {}):
            self._trigger(e.ModelSettingsChanged, stamp, model=new_model, params=new_params)

    def rename(self, title: str, stamp: Stamp) -> None:
        self._check_open()
        if title != self.title:
            self._trigger(e.ConversationRenamed, stamp, title=title)

    def pin(self, pinned: bool, stamp: Stamp) -> None:
        self._check_open()
        if pinned != self.pinned:
            self._trigger(e.ConversationPinned if pinned else e.ConversationUnpinned, stamp)

    def archive(self, archived: bool, stamp: Stamp) -> None:
        self._check_open()
        if archived != self.archived:
            self._trigger(e.ConversationArchived if archived else e.ConversationUnarchived, stamp)

    def delete(self, stamp: Stamp) -> None:
        if not self.deleted:
            self._trigger(e.ConversationDeleted, stamp)

    def restore(self, stamp: Stamp) -> None:
        if self.deleted:
            self._trigger(e.ConversationRestored, stamp)

    @property
    def pending_call_ids(self) -> tuple[UUID, ...]:
        """Calls whose replies have not been recorded yet, oldest first."""
        return tuple(n.call_id for n in self.nodes.values() if n.is_pending and n.call_id is not None)

    # ---- inside -----------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.deleted:
            raise ConversationIsDeleted(self.id)

    def _trigger(self, event_class: type[e.VerbatimEvent], stamp: Stamp, **fields: Any) -> None:
        self.trigger_event(event_class, **fields, **_fields(stamp()))

    @singledispatchmethod
    def apply_event(self, event: e.VerbatimEvent) -> None:
        raise TypeError(f"Conversation does not know the event {type(event).__name__}. Add its apply method.")

    @apply_event.register
    def _(self, event: e.ConversationStarted) -> None:
        """Nothing is left to do: `__init__` took the event's fields."""

    @apply_event.register
    def _(self, event: e.SystemPromptChanged) -> None:
        self.settings = replace(self.settings, system_prompt=event.text)

    @apply_event.register
    def _(self, event: e.ModelSettingsChanged) -> None:
        self.settings = replace(self.settings, model=event.model, params=event.params)

    @apply_event.register
    def _(self, event: e.UserMessageSent) -> None:
        self.nodes[event.message_id] = Node(event.message_id, event.parent_id, USER)
        self.selected_leaf_id = event.message_id

    @apply_event.register
    def _(self, event: e.ReplyRequested) -> None:
        self.nodes[event.reply_id] = Node(event.reply_id, event.parent_id, ASSISTANT, PENDING, event.call_id)
        self.selected_leaf_id = event.reply_id

    @apply_event.register
    def _(self, event: e.ReplyRecorded) -> None:
        self.nodes[event.reply_id] = replace(self.nodes[event.reply_id], outcome=event.outcome)

    @apply_event.register
    def _(self, event: e.ConversationRenamed) -> None:
        self.title = event.title

    @apply_event.register
    def _(self, event: e.ConversationPinned) -> None:
        self.pinned = True

    @apply_event.register
    def _(self, event: e.ConversationUnpinned) -> None:
        self.pinned = False

    @apply_event.register
    def _(self, event: e.ConversationArchived) -> None:
        self.archived = True

    @apply_event.register
    def _(self, event: e.ConversationUnarchived) -> None:
        self.archived = False

    @apply_event.register
    def _(self, event: e.ConversationDeleted) -> None:
        self.deleted = True

    @apply_event.register
    def _(self, event: e.ConversationRestored) -> None:
        self.deleted = False


def _fields(envelope: Envelope) -> dict[str, Any]:
    return envelope.as_event_fields()
