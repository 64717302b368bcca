"""Asking a model for a reply: which model, which earlier messages fit, and the digest of what will be sent.

Shared by every command that makes a model call. Nothing here waits for a runner: what is known of
models comes from memory, and what earlier calls used comes from their events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from backend.application.conversations import Loaded
from backend.application.execution import Handling
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.errors import InvalidInput
from backend.domain.events import ReplayTurn, VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.domain.prompt_request import PromptRequest, Trimming
from backend.domain.values import Params, check_model, check_params
from backend.prompting.budget import EarlierCall, MessageSize, Room, certainly_fits, plan_cut
from backend.prompting.prefixes import BranchPrompts

CALLS_LOOKED_AT: Final = 3
"""How many calls back somebody is looked for whose tokens a runner has counted."""


class Overrides:
    """A command's own choice of model and parameters, checked once."""

    def __init__(self, model: str | None, params: Mapping[str, object] | None) -> None:
        self.model = None if model is None else check_model(model)
        self.params: Params | None = None if params is None else check_params(params)

    @property
    def given(self) -> bool:
        return self.model is not None or self.params is not None


@dataclass(frozen=True)
class Asking:
    """How a reply is asked for. system_prompt: None for the one in force. tighter_cut: see RegenerateReply.

    replay: the turn of a replay that asks.
    """

    model: str | None = None
    params: Params | None = None
    system_prompt: str | None = None
    source: str = "browser"
    purpose: str = "reply"
    replay: ReplayTurn | None = None
    tighter_cut: bool = False


def request_reply(
    loaded: Loaded, place: ReplyPlace, asking: Asking, handling: Handling, *, reply_id: UUID, call_id: UUID
) -> ModelCall:
    """Add the pending reply and the call that will write it, with the digest of what will be sent."""
    conversation = loaded.conversation
    conversation.request_reply(
        reply_id=reply_id, place=place, call_id=call_id, stamp=handling.stamp, replay=asking.replay
    )
    model = asking.model or model_of(conversation, handling)
    params = (conversation.settings.params or {}) if asking.params is None else asking.params
    pending = [event for event in conversation.pending_events if isinstance(event, VerbatimEvent)]
    prompts = loaded.prompts.with_pending(pending)
    request = PromptRequest(
        leaf_id=place.parent_id,
        version=conversation.version,
        model=model,
        params=params,
        system_prompt=asking.system_prompt,
        trimming=_trimming(conversation, prompts, place, model, params, asking, handling),
    )
    body_sha256, body_length = prompts.digest(request)
    return ModelCall.request(
        call_id=call_id,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        reply_id=reply_id,
        purpose=asking.purpose,
        source=asking.source,
        prompt_request=request,
        body_sha256=body_sha256,
        body_length=body_length,
        stamp=handling.stamp,
    )


def model_of(conversation: Conversation, handling: Handling) -> str:
    """The conversation's model; one that was started while no model was known has none of its own."""
    model = conversation.settings.model or handling.services.defaults.model
    if not model:
        raise InvalidInput(
            "No model is chosen for this conversation. Choose one of the models listed under /api/models/.",
            field="model",
        )
    return model


def _trimming(
    conversation: Conversation,
    prompts: BranchPrompts,
    place: ReplyPlace,
    model: str,
    params: Params,
    asking: Asking,
    handling: Handling,
) -> Trimming | None:
    max_tokens = params.get("max_tokens")
    room = Room(
        context_tokens=handling.services.models.context_tokens(model),
        max_tokens=int(max_tokens) if isinstance(max_tokens, str) else None,
    )
    system_prompt = asking.system_prompt
    if system_prompt is None:
        system_prompt = conversation.settings.system_prompt
    system_length = len(system_prompt.encode("utf-8"))
    branch = [MessageSize(*size) for size in prompts.lengths(place.parent_id)]
    if not asking.tighter_cut and certainly_fits(room, system_length=system_length, branch=branch):
        return None
    earlier = _earlier_call(conversation, place.parent_id, branch, asking.tighter_cut, handling)
    return plan_cut(
        room,
        system_length=system_length,
        branch=branch,
        earlier=None
        if earlier is None
        else replace(earlier, text_length=earlier.text_length + system_length),
        tighter=asking.tighter_cut,
    )


def _earlier_call(
    conversation: Conversation,
    leaf_id: UUID,
    branch: Sequence[MessageSize],
    tighter: bool,
    handling: Handling,
) -> EarlierCall | None:
    """What the calls before this one tell: where the last one cut, and how many tokens its text came to."""
    replies = [node for node in reversed(conversation.nodes.path(leaf_id)) if node.call_id is not None]
    if tighter:
        # What was refused is not above the message that is answered, but beside the reply to come.
        refused = [node for node in conversation.nodes.values() if node.parent_id == leaf_id and node.call_id]
        replies = [*reversed(refused[:-1]), *replies]
    cut: UUID | None = None
    for place, node in enumerate(replies[:CALLS_LOOKED_AT]):
        assert node.call_id is not None
        call = handling.store.read_call(node.call_id)
        trimming = call.prompt_request.trimming
        first_kept = None if trimming is None else trimming.first_kept_message_id
        if place == 0:
            cut = first_kept
        if call.usage is not None and call.usage.prompt_tokens:
            length = _length_between(branch, first_kept, call.prompt_request.leaf_id)
            return EarlierCall(cut, length, call.usage.prompt_tokens)
    return EarlierCall(cut, 0, None) if replies else None


def _length_between(branch: Sequence[MessageSize], first: UUID | None, last: UUID | None) -> int:
    """Bytes of text from one message of the branch to another; None: from its first message."""
    length, counting = 0, first is None
    for size in branch:
        counting = counting or size.message_id == first
        if counting:
            length += size.length
        if size.message_id == last:
            break
    return length
