"""What must come from the store itself rather than from a read table: streams, and prompts rebuilt.

Query views use this through a port that bootstrap supplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backend.application.conversations import Conversations
from backend.application.erased import erased_only_for
from backend.application.ports import EventStore, StoredEventRow
from backend.domain.conversation import Conversation
from backend.domain.errors import NotRecordedYet, UnknownConversation
from backend.domain.model_call import ModelCall
from backend.prompting.build import Prompt, StreamSlice, build_prompt
from backend.prompting.client_body import prompt_of_client
from backend.prompting.prefixes import PromptBytes

MOST_EVENTS_OF_A_CALL = 1000
EVENTS_AT_ONCE = 200


@dataclass(frozen=True)
class RebuiltPrompt:
    """A call's prompt as rebuilt now, beside what was recorded when it was sent."""

    call: ModelCall
    prompt: Prompt

    @property
    def identical(self) -> bool:
        return (
            self.prompt.body_sha256 == self.call.body_sha256
            and len(self.prompt.body) == self.call.body_length
        )


@dataclass(frozen=True)
class PromptToSend:
    """A call's exact body as built now, beside what was recorded when it was asked for."""

    call: ModelCall
    prompt: PromptBytes

    @property
    def identical(self) -> bool:
        return (
            self.prompt.body_sha256 == self.call.body_sha256
            and len(self.prompt.body) == self.call.body_length
        )


def load_conversation(
    store: EventStore, conversation_id: UUID
) -> tuple[Conversation, tuple[StreamSlice, ...]]:
    """The aggregate and the history it came from. Raises UnknownConversation."""
    history = store.read_history(conversation_id)
    conversation = Conversation.from_streams([part.events for part in history])
    if conversation is None:
        raise UnknownConversation(conversation_id)
    return conversation, history


def load_own_conversation(
    store: EventStore, conversation_id: UUID, owner_id: UUID
) -> tuple[Conversation, tuple[StreamSlice, ...]]:
    """As load_conversation; somebody else's is as unknown as one that does not exist."""
    with erased_only_for(owner_id, conversation_id):
        conversation, history = load_conversation(store, conversation_id)
    if conversation.owner_id != owner_id:
        raise UnknownConversation(conversation_id)
    return conversation, history


def rebuild_prompt(store: EventStore, call: ModelCall) -> RebuiltPrompt:
    """Build a recorded call's prompt again from the events. Raises CannotRebuildPrompt."""
    if call.prompt_request.raw_body is not None:
        return RebuiltPrompt(call, prompt_of_client(call.prompt_request))
    if call.conversation_id is None:
        raise UnknownConversation(call.id)
    history = store.read_history(call.conversation_id, up_to_version=call.prompt_request.version)
    return RebuiltPrompt(call, build_prompt(history, call.prompt_request))


def prompt_to_send(conversations: Conversations, call: ModelCall) -> PromptToSend:
    """As rebuild_prompt, quickly: from what is kept of the conversation. Raises CannotRebuildPrompt."""
    if call.prompt_request.raw_body is not None:
        prompt = prompt_of_client(call.prompt_request)
        return PromptToSend(call, PromptBytes(prompt.body, prompt.body_sha256))
    if call.conversation_id is None:
        raise UnknownConversation(call.id)
    prompts = conversations.prompts_of(call.conversation_id, call.prompt_request.version)
    return PromptToSend(call, prompts.build(call.prompt_request))


def previous_call_id(store: EventStore, call: ModelCall) -> UUID | None:
    """The call of the nearest reply at or above the last message that this call sent, on its branch."""
    if call.conversation_id is None:
        return None
    conversation, _ = load_conversation(store, call.conversation_id)
    path = conversation.nodes.path(call.prompt_request.leaf_id)
    return next((node.call_id for node in reversed(path) if node.call_id is not None), None)


def call_event_ids(store: EventStore, call_id: UUID) -> dict[int, str]:
    """The id of each event of a call's stream, by its version; an erased event has none any more."""
    rows = store.read_stream(call_id, 0, MOST_EVENTS_OF_A_CALL)
    return {row.version: str(row.payload["event_id"]) for row in rows if "event_id" in row.payload}


def proof_event(store: EventStore, call: ModelCall, wanted: str) -> StoredEventRow:
    """The event that says that a call was requested, how it ended (terminal), or what came of it (reply).

    Raises NotRecordedYet.
    """
    if wanted == "requested":
        return store.read_stream(call.id, 0, 1)[0]
    if wanted == "terminal":
        ends = [
            row for row in store.read_stream(call.id, 0, MOST_EVENTS_OF_A_CALL) if row.payload.get("final")
        ]
        if not ends:
            raise NotRecordedYet(f"The model call {call.id} has not ended yet. Ask again when it has.")
        return ends[-1]
    if call.conversation_id is None or call.reply_id is None:
        raise NotRecordedYet(
            f"No reply of a conversation came of the model call {call.id}; its text stands in its terminal event."
        )
    version = call.prompt_request.version
    while rows := store.read_stream(call.conversation_id, version, EVENTS_AT_ONCE):
        for row in rows:
            if row.topic.startswith("ReplyRecorded.") and row.payload["reply_id"] == str(call.reply_id):
                return row
        version = rows[-1].version
    raise NotRecordedYet(f"The reply of the model call {call.id} is not recorded yet. Ask again when it is.")


def conversation_events(
    store: EventStore, conversation_id: UUID, owner_id: UUID, *, after_version: int, limit: int
) -> tuple[StoredEventRow, ...]:
    """A page of the conversation's own stream as stored, for its owner."""
    load_own_conversation(store, conversation_id, owner_id)
    return store.read_stream(conversation_id, after_version, limit)
