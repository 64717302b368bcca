"""What each event does to a conversation: it assigns, and never decides or refuses.

Read back in order, events make the same conversation at any later time; that is why nothing here may
ask the clock, raise for a rule, or look beyond the conversation itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from backend.domain import events as e
from backend.domain.imported import text_of_imported
from backend.domain.message_tree import ASSISTANT, USER, Node
from backend.domain.outcomes import COMPLETE, PENDING
from backend.domain.replay import CANCELLED, FINISHED, RUNNING, STOPPED, Replay
from backend.domain.titles import UNTITLED, first_words
from backend.domain.values import Params

if TYPE_CHECKING:
    from backend.domain.conversation import Conversation


@dataclass(frozen=True)
class Settings:
    """What new calls use unless a command says otherwise."""

    system_prompt: str = ""
    model: str = ""
    params: Params | None = None


@singledispatch
def apply_change(event: e.VerbatimEvent, conversation: Conversation) -> None:
    """Bring the conversation from before the event to after it."""
    raise TypeError(f"Conversation does not know the event {type(event).__name__}. Add its apply function.")


@apply_change.register(e.ConversationStarted)
def _(event: e.ConversationStarted, conversation: Conversation) -> None:
    """Nothing is left to do: `__init__` took the event's fields."""


@apply_change.register(e.SystemPromptChanged)
def _(event: e.SystemPromptChanged, conversation: Conversation) -> None:
    _set(conversation, event, system_prompt=event.text)


@apply_change.register(e.ModelSettingsChanged)
def _(event: e.ModelSettingsChanged, conversation: Conversation) -> None:
    _set(conversation, event, model=event.model, params=event.params)


def _set(conversation: Conversation, event: e.VerbatimEvent, **changed: Any) -> None:
    conversation.settings = replace(conversation.settings, **changed)
    conversation.settings_since.append((event.originator_version, conversation.settings))


@apply_change.register(e.UserMessageSent)
def _(event: e.UserMessageSent, conversation: Conversation) -> None:
    if conversation.title == UNTITLED and not conversation.title_is_given:
        conversation.title = first_words(event.content)
    conversation.nodes.add(Node(event.message_id, event.parent_id, USER))
    conversation.selected_leaf_id = event.message_id


@apply_change.register(e.ReplyRequested)
def _(event: e.ReplyRequested, conversation: Conversation) -> None:
    conversation.nodes.add(
        Node(
            event.reply_id,
            event.parent_id,
            ASSISTANT,
            PENDING,
            event.call_id,
            continues=event.continues,
            has_text=False,
        )
    )
    conversation.selected_leaf_id = event.reply_id
    if event.replay is not None:
        before = conversation.replays[event.replay.replay_id]
        conversation.replay_of_reply[event.reply_id] = before.replay_id
        conversation.replays[before.replay_id] = replace(
            before,
            turn=event.replay.turn,
            tries=before.tries + 1 if event.replay.turn == before.turn else 1,
            reply_id=event.reply_id,
        )


@apply_change.register(e.ReplyRecorded)
def _(event: e.ReplyRecorded, conversation: Conversation) -> None:
    conversation.nodes.end(event.reply_id, outcome=event.outcome, has_text=bool(event.content))


@apply_change.register(e.MessageImported)
def _(event: e.MessageImported, conversation: Conversation) -> None:
    text = text_of_imported(event.content)
    if event.role == USER and conversation.title == UNTITLED and not conversation.title_is_given:
        conversation.title = first_words(text)
    outcome = COMPLETE if event.role == ASSISTANT else None
    conversation.nodes.add(
        Node(event.message_id, event.parent_id, event.role, outcome, has_text=bool(text) or outcome is None)
    )
    conversation.selected_leaf_id = event.message_id


@apply_change.register(e.BranchSelected)
def _(event: e.BranchSelected, conversation: Conversation) -> None:
    conversation.selected_leaf_id = event.leaf_id


@apply_change.register(e.BranchHidden)
def _(event: e.BranchHidden, conversation: Conversation) -> None:
    conversation.nodes.hide(event.leaf_id)


@apply_change.register(e.BranchShown)
def _(event: e.BranchShown, conversation: Conversation) -> None:
    conversation.nodes.show(event.leaf_id)


@apply_change.register(e.ReplayRequested)
def _(event: e.ReplayRequested, conversation: Conversation) -> None:
    conversation.replays[event.replay_id] = Replay(
        replay_id=event.replay_id,
        leaf_id=event.leaf_id,
        model=event.model,
        params=event.params,
        system_prompt=event.system_prompt,
        turns_total=event.turns_total,
    )


@apply_change.register(e.ReplayStopped)
def _(event: e.ReplayStopped, conversation: Conversation) -> None:
    _move(conversation, event, STOPPED)


@apply_change.register(e.ReplayResumed)
def _(event: e.ReplayResumed, conversation: Conversation) -> None:
    _move(conversation, event, RUNNING)


@apply_change.register(e.ReplayFinished)
def _(event: e.ReplayFinished, conversation: Conversation) -> None:
    _move(conversation, event, FINISHED)


@apply_change.register(e.ReplayCancelled)
def _(event: e.ReplayCancelled, conversation: Conversation) -> None:
    _move(conversation, event, CANCELLED)


def _move(
    conversation: Conversation,
    event: e.ReplayStopped | e.ReplayResumed | e.ReplayFinished | e.ReplayCancelled,
    state: str,
) -> None:
    before = conversation.replays[event.replay_id]
    conversation.replays[event.replay_id] = replace(before, state=state)


@apply_change.register(e.ConversationRenamed)
def _(event: e.ConversationRenamed, conversation: Conversation) -> None:
    conversation.title = event.title
    conversation.title_is_given = True


@apply_change.register(e.TitleRequested)
def _(event: e.TitleRequested, conversation: Conversation) -> None:
    conversation.title_call_id = event.call_id


@apply_change.register(e.ConversationTitled)
def _(event: e.ConversationTitled, conversation: Conversation) -> None:
    conversation.title = event.title


@apply_change.register(e.ConversationPinned)
def _(event: e.ConversationPinned, conversation: Conversation) -> None:
    conversation.pinned = True


@apply_change.register(e.ConversationUnpinned)
def _(event: e.ConversationUnpinned, conversation: Conversation) -> None:
    conversation.pinned = False


@apply_change.register(e.ConversationArchived)
def _(event: e.ConversationArchived, conversation: Conversation) -> None:
    conversation.archived = True


@apply_change.register(e.ConversationUnarchived)
def _(event: e.ConversationUnarchived, conversation: Conversation) -> None:
    conversation.archived = False


@apply_change.register(e.ConversationDeleted)
def _(event: e.ConversationDeleted, conversation: Conversation) -> None:
    conversation.deleted = True


@apply_change.register(e.ConversationRestored)
def _(event: e.ConversationRestored, conversation: Conversation) -> None:
    conversation.deleted = False


@apply_change.register(e.ConversationErased)
def _(event: e.ConversationErased, conversation: Conversation) -> None:
    """Nothing goes on from here: whoever loads the conversation after this is refused before it comes to that."""
    conversation.deleted = True
