"""The Conversation aggregate: a tree of messages to which things are only ever added.

Methods check, then trigger events; what events do to it stands in conversation_changes.py. Texts are not kept here: a decision needs
the shape of the tree, not its words, so a long conversation stays cheap to load.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from backend.domain import events as e
from backend.domain.conversation_changes import Settings, apply_change
from backend.domain.envelope import Envelope, Stamp
from backend.domain.erasure import ErasedCall
from backend.domain.errors import (
    AttemptRefused,
    CallsUnderWay,
    ConversationIsDeleted,
    LastVisibleBranch,
    NothingToContinue,
    NothingToReplay,
    ReplayNotStopped,
    ReplyPending,
    UnknownMessage,
    UnknownParent,
    UnknownReplay,
    VersionConflict,
    WrongMessageKind,
)
from backend.domain.message_tree import ASSISTANT, USER, MessageTree, Node
from backend.domain.outcomes import COMPLETE, TRUNCATED
from backend.domain.replay import (
    RUNNING,
    STOPPED,
    Replay,
    ReplayStep,
    can_go_on_from,
    next_step,
    turns_of,
)
from backend.domain.titles import UNTITLED
from backend.domain.values import Params


class SelectedLeaf:
    """Stands for `the message at the end of the selected branch` where a parent may be named."""


SELECTED_LEAF: Final = SelectedLeaf()


@dataclass(frozen=True)
class ReplyPlace:
    """Where a reply hangs: below a user's message, or below the reply that it continues."""

    parent_id: UUID
    continues: UUID | None = None


class Conversation(BaseAggregate[UUID]):
    """Decides what may be added to one conversation."""

    TOPIC = "Conversation.v1"
    Event = e.ConversationEvent
    Started = e.ConversationStarted

    def __init__(self, owner_id: UUID, title: str, forked_from: e.ForkOrigin | None) -> None:
        """The state right after ConversationStarted; the library calls this when that event is applied."""
        self.owner_id = owner_id
        self.title = title
        self.title_is_given = forked_from is not None or title != UNTITLED
        self.title_call_id: UUID | None = None
        self.forked_from = forked_from
        self.settings = Settings()
        self.settings_since = [(0, self.settings)]
        self.nodes = MessageTree()
        self.replays: dict[UUID, Replay] = {}
        self.replay_of_reply: dict[UUID, UUID] = {}
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

    def fork(self, *, conversation_id: UUID, message_id: UUID, title: str, stamp: Stamp) -> Conversation:
        """A new conversation that goes on from a message of this one. This one is not changed."""
        node = self.node(message_id)
        if node.is_pending:
            raise ReplyPending(message_id)
        conversation = Conversation._create(
            e.ConversationStarted,
            id=conversation_id,
            owner_id=self.owner_id,
            title=title,
            forked_from=e.ForkOrigin(self.id, self.version, message_id),
            **_fields(stamp()),
        )
        conversation.inherit(self)
        return conversation

    @classmethod
    def from_events(
        cls, stream: Iterable[e.VerbatimEvent], source: Conversation | None = None
    ) -> Conversation | None:
        """The conversation as its events tell it, or None when there are none.

        source: where a fork comes from, as of the version that the fork names or later.
        """
        found: Any = None
        for event in stream:
            is_first = found is None
            found = event.mutate(found)
            if is_first and source is not None and isinstance(found, cls):
                found.inherit(source)
        return found if isinstance(found, cls) else None

    @classmethod
    def from_streams(cls, streams: Sequence[Iterable[e.VerbatimEvent]]) -> Conversation | None:
        """The last of a fork chain, root first."""
        conversation: Conversation | None = None
        for stream in streams:
            conversation = cls.from_events(stream, source=conversation)
        return conversation

    def inherit(self, source: Conversation) -> None:
        """Take over the branch and the settings from which this fork goes on."""
        origin = self.forked_from
        if origin is None:
            return
        for node in source.nodes.path(origin.message_id):
            self.nodes.add(node)
        self.settings = source.settings_at(origin.version)
        self.settings_since = [(0, self.settings)]
        self.selected_leaf_id = origin.message_id

    def copy(self) -> Conversation:
        """The same conversation, free to go on by itself. Only without pending events."""
        assert not self.pending_events
        twin = copy.copy(self)
        twin._pending_events = []
        twin.settings_since = list(self.settings_since)
        twin.nodes = self.nodes.copy()
        twin.replays = dict(self.replays)
        twin.replay_of_reply = dict(self.replay_of_reply)
        return twin

    def settings_at(self, version: int) -> Settings:
        """The settings that were in force at a version of this conversation."""
        place = bisect_right(self.settings_since, version, key=lambda since: since[0])
        return self.settings_since[place - 1][1]

    def node(self, message_id: UUID) -> Node:
        """One message's place. Raises UnknownMessage."""
        node = self.nodes.get(message_id)
        if node is None:
            raise UnknownMessage(message_id, self.id)
        return node

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

    def edit_user_message(self, *, edited_id: UUID, message_id: UUID, content: str, stamp: Stamp) -> None:
        """Add another user message beside one that was sent before, which stays as it is."""
        edited = self.node(edited_id)
        if edited.role != USER:
            raise WrongMessageKind(edited_id, expected="user message", found="reply")
        self.send_user_message(
            message_id=message_id, parent_id=edited.parent_id, content=content, stamp=stamp
        )

    def import_message(
        self,
        *,
        message_id: UUID,
        parent_id: UUID | None,
        role: str,
        content: str | list[Any],
        source: str,
        stamp: Stamp,
    ) -> None:
        """Add a message that was written elsewhere, below its parent (None: a new root)."""
        self._check_open()
        if parent_id is not None and self.node(parent_id).is_pending:
            raise ReplyPending(parent_id)
        self._trigger(
            e.MessageImported,
            stamp,
            message_id=message_id,
            parent_id=parent_id,
            role=role,
            content=content,
            source=source,
        )

    def request_reply(
        self,
        *,
        reply_id: UUID,
        place: ReplyPlace,
        call_id: UUID,
        stamp: Stamp,
        replay: e.ReplayTurn | None = None,
        after_any: bool = False,
    ) -> None:
        """Add a pending reply where `place` says; its text comes with `record_reply`.

        after_any: also below a reply that it does not continue, as a program outside may ask for one.
        """
        self._check_open()
        parent = self.node(place.parent_id)
        if place.continues is None and parent.role == ASSISTANT and not after_any:
            raise WrongMessageKind(place.parent_id, expected="user message", found="reply")
        if parent.is_pending:
            raise ReplyPending(parent.message_id)
        self._trigger(
            e.ReplyRequested,
            stamp,
            reply_id=reply_id,
            parent_id=place.parent_id,
            call_id=call_id,
            continues=place.continues,
            replay=replay,
        )

    def place_of_another_reply(self, message_id: UUID) -> ReplyPlace:
        """Where a reply beside this one goes, or the first or a further one to this user message."""
        node = self.node(message_id)
        if node.role == USER:
            return ReplyPlace(node.message_id)
        if node.parent_id is None:
            raise WrongMessageKind(message_id, expected="reply to a message", found="reply without one")
        return ReplyPlace(node.parent_id, node.continues)

    def place_of_continuation(self, reply_id: UUID) -> ReplyPlace:
        """Where the text of a reply that ended too early goes on."""
        node = self.node(reply_id)
        if node.role != ASSISTANT:
            raise WrongMessageKind(reply_id, expected="reply", found="user message")
        if node.is_pending:
            raise ReplyPending(reply_id)
        if node.outcome == COMPLETE:
            raise NothingToContinue(
                reply_id, why="is complete. Send a message to go on, or ask for another version of it."
            )
        if not node.has_text:
            raise NothingToContinue(reply_id, why="has no text to go on from. Ask for another version of it.")
        return ReplyPlace(reply_id, continues=reply_id)

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
        node = self.node(reply_id)
        if node.role != ASSISTANT:
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

    # ---- branches ---------------------------------------------------------------------------

    def select_branch(self, message_id: UUID, stamp: Stamp) -> None:
        """Select the branch that ends at this message, or else the newest visible one through it."""
        self._check_open()
        leaf_id = self.nodes.newest_leaf(self.node(message_id).message_id)
        if leaf_id != self.selected_leaf_id:
            self._trigger(e.BranchSelected, stamp, leaf_id=leaf_id)

    def hide_branch(self, message_id: UUID, stamp: Stamp) -> None:
        """Leave every branch through this message out of sight; the selection moves to one that is left."""
        self._check_open()
        hidden = self.nodes.visible_leaves(self.node(message_id).message_id)
        if hidden and len(hidden) == len(self.nodes.visible_leaves()):
            raise LastVisibleBranch(self.id)
        for leaf_id in hidden:
            self._trigger(e.BranchHidden, stamp, leaf_id=leaf_id)
        if self.selected_leaf_id in hidden:
            nearest = self.nodes.nearest_visible_leaf(self.selected_leaf_id)
            self._trigger(e.BranchSelected, stamp, leaf_id=nearest)

    def show_branch(self, message_id: UUID, stamp: Stamp) -> None:
        """Bring every hidden branch through this message back into sight."""
        self._check_open()
        for leaf_id in self.nodes.leaves(self.node(message_id).message_id):
            if self.nodes.is_hidden(leaf_id):
                self._trigger(e.BranchShown, stamp, leaf_id=leaf_id)

    # ---- replays ----------------------------------------------------------------------------

    def start_replay(
        self,
        *,
        replay_id: UUID,
        leaf_id: UUID | None,
        model: str,
        params: Params,
        system_prompt: str | None,
        stamp: Stamp,
    ) -> Replay:
        """Begin to send a branch's user messages again; leaf_id None: those of the selected branch."""
        self._check_open()
        leaf = self.selected_leaf_id if leaf_id is None else self.node(leaf_id).message_id
        turns = len(turns_of(leaf, self.nodes))
        if leaf is None or turns == 0:
            raise NothingToReplay(self.id)
        self._trigger(
            e.ReplayRequested,
            stamp,
            replay_id=replay_id,
            leaf_id=leaf,
            model=model,
            params=params,
            system_prompt=system_prompt,
            turns_total=turns,
        )
        return self.replays[replay_id]

    def replay(self, replay_id: UUID) -> Replay:
        """Raises UnknownReplay."""
        replay = self.replays.get(replay_id)
        if replay is None:
            raise UnknownReplay(replay_id)
        return replay

    def running_replay_of(self, reply_id: UUID) -> UUID | None:
        """The running replay that waits for this reply, if one does."""
        replay_id = self.replay_of_reply.get(reply_id)
        if replay_id is None or self.replays[replay_id].state != RUNNING:
            return None
        return replay_id

    def cancel_replay(self, replay_id: UUID, stamp: Stamp) -> UUID | None:
        """End a replay for good; the call that is running for it is returned, to be cancelled by the asker.

        Repeated, or too late: nothing is stored.
        """
        replay = self.replay(replay_id)
        if replay.state not in {RUNNING, STOPPED}:
            return None
        self._trigger(e.ReplayCancelled, stamp, replay_id=replay_id)
        node = None if replay.reply_id is None else self.nodes[replay.reply_id]
        return node.call_id if node is not None and node.is_pending else None

    def resume_replay(self, replay_id: UUID, stamp: Stamp) -> e.ReplayTurn | None:
        """Go on with a replay that stopped: the turn whose reply to ask for again, None where none was sent."""
        self._check_open()
        replay = self.replay(replay_id)
        if replay.state != STOPPED:
            raise ReplayNotStopped(replay_id, replay.state)
        self._trigger(e.ReplayResumed, stamp, replay_id=replay_id)
        return None if can_go_on_from(replay, self.nodes) else e.ReplayTurn(replay_id, replay.turn)

    def replay_step(self, replay_id: UUID) -> ReplayStep | None:
        """What is due next for a replay; None while its reply is being written, and after its end."""
        return next_step(self.replay(replay_id), self.nodes, deleted=self.deleted)

    def finish_replay(self, replay_id: UUID, leaf_id: UUID, stamp: Stamp) -> None:
        self._trigger(e.ReplayFinished, stamp, replay_id=replay_id, leaf_id=leaf_id)

    def stop_replay(self, replay_id: UUID, *, turn: int, error: e.ReplyError, stamp: Stamp) -> None:
        self._trigger(e.ReplayStopped, stamp, replay_id=replay_id, turn=turn, error=error)

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
        # Also one that reads like the first words: from now on it is the person's own.
        if title != self.title or not (self.title_is_given or title == UNTITLED):
            self._trigger(e.ConversationRenamed, stamp, title=title)

    @property
    def wants_title(self) -> bool:
        """Whether a model may be asked for a title: once, after the first reply that says something."""
        if self.deleted or self.title_is_given or self.title_call_id is not None:
            return False
        replies = (node for node in self.nodes.values() if node.role == ASSISTANT and node.has_text)
        return sum(node.outcome in {COMPLETE, TRUNCATED} for node in replies) == 1

    def request_title(self, call_id: UUID, stamp: Stamp) -> None:
        self._trigger(e.TitleRequested, stamp, call_id=call_id)

    def take_title(self, title: str, call_id: UUID, stamp: Stamp) -> bool:
        """Use a model's title, unless a person has given one meanwhile; then False, and nothing is stored."""
        if self.title_is_given or self.title_call_id != call_id:
            return False
        self._trigger(e.ConversationTitled, stamp, title=title, call_id=call_id)
        return True

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

    def erase(self, *, by: str, reason: str, calls: list[ErasedCall], stamp: Stamp) -> None:
        """The last thing that ever happens here. calls: every call of this conversation, all of them ended."""
        if pending := self.pending_call_ids:
            raise CallsUnderWay(self.id, pending)
        self._trigger(e.ConversationErased, stamp, owner_id=self.owner_id, by=by, reason=reason, calls=calls)

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

    def apply_event(self, event: e.VerbatimEvent) -> None:
        apply_change(event, self)


def _fields(envelope: Envelope) -> dict[str, Any]:
    return envelope.as_event_fields()
