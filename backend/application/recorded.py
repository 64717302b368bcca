"""What else is due in the commit that records a reply."""

from __future__ import annotations

import hashlib
from uuid import UUID

from backend.application.conversations import Loaded
from backend.application.ports import Companion, KeepPrefixes, ReplayStepDue
from backend.domain.conversation import Conversation
from backend.domain.errors import DomainError
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.prompting.chains import chain_of
from backend.prompting.prefixes import BranchPrompts


def reply_companions(conversation: Conversation, reply_id: UUID) -> list[Companion]:
    """A replay that waits for this reply can go on once it is recorded."""
    replay_id = conversation.running_replay_of(reply_id)
    return [] if replay_id is None else [ReplayStepDue(replay_id, conversation.version)]


def prefix_companions(loaded: Loaded, call: ModelCall) -> list[Companion]:
    """A program that sends this reply back to us, after what was said before it, goes on from here.

    The conversation has the reply's end among its pending events.
    """
    conversation = loaded.conversation
    assert call.reply_id is not None, "only a call that writes a reply has one recorded"
    pending = [event for event in conversation.pending_events if isinstance(event, VerbatimEvent)]
    prompts = loaded.prompts.with_pending(pending)
    if not prompts.spoken(call.reply_id).content:
        return []
    try:
        ids = _new_since_the_reply_before(conversation, prompts, call.reply_id)
        chains = tuple((chain_of(prompts, message_id), message_id) for message_id in ids)
    except DomainError:
        # A reply is never held up by what only helps to find it again.
        return []
    system_prompt = call.prompt_request.system_prompt
    if system_prompt is None:
        system_prompt = conversation.settings.system_prompt
    return [KeepPrefixes(conversation.owner_id, conversation.id, chains, system_digest(system_prompt))]


def system_digest(system_prompt: str) -> bytes:
    return hashlib.sha256(system_prompt.encode("utf-8", "surrogatepass")).digest()


def _new_since_the_reply_before(
    conversation: Conversation, prompts: BranchPrompts, reply_id: UUID
) -> list[UUID]:
    """This reply, and the messages between it and the recorded reply above it.

    Without one above, only the reply: a list of messages without a reply of ours never goes on from anywhere.
    """
    between: list[UUID] = []
    next_id = conversation.nodes[reply_id].parent_id
    while next_id is not None:
        node = conversation.nodes[next_id]
        if node.call_id is not None and prompts.spoken(next_id).content:
            return [reply_id, *between]
        between.append(next_id)
        next_id = node.parent_id
    return [reply_id]
