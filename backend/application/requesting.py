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
from backend.application.ports import ChosenRunner
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.errors import InvalidInput
from backend.domain.events import ReplayTurn, VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.domain.prompt_request import PromptRequest, Trimming
from backend.domain.values import Params, check_model, check_params
from backend.prompting.budget import BYTES_PER_TOKEN, EarlierCall, MessageSize, Room, plan_cut
from backend.prompting.prefixes import BranchPrompts

CALLS_LOOKED_AT: Final = 3
"""How many calls back somebody is looked for whose tokens a runner has counted."""
AROUND_MESSAGE: Final = len('{"content":"","role":"user"},')
"""About how many bytes of a body stand around a message's text."""


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

    runner: the one that is asked, if it is still there. replay: the turn of a replay that asks.
    """

    model: str | None = None
    runner: str | None = None
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
    chosen = choose_runner(conversation, asking, handling)
    params = (conversation.settings.params or {}) if asking.params is None else asking.params
    pending = [event for event in conversation.pending_events if isinstance(event, VerbatimEvent)]
    prompts = loaded.prompts.with_pending(pending)
    whole = PromptRequest(
        leaf_id=place.parent_id,
        version=conversation.version,
        model=chosen.model,
        params=params,
        system_prompt=asking.system_prompt,
        progress=chosen.reports_progress,
    )
    room = _room(whole, chosen, handling)
    request = _fitting(whole, room, prompts, conversation, handling, tighter=asking.tighter_cut)
    body_sha256, body_length = prompts.digest(request)
    return ModelCall.request(
        call_id=call_id,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        reply_id=reply_id,
        purpose=asking.purpose,
        source=asking.source,
        runner=chosen.name,
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


def choose_runner(conversation: Conversation, asking: Asking, handling: Handling) -> ChosenRunner:
    """Where a reply of this conversation is asked for."""
    model = asking.model or model_of(conversation, handling)
    return handling.services.runners.choose(model, on=asking.runner)


def _room(whole: PromptRequest, chosen: ChosenRunner, handling: Handling) -> Room:
    max_tokens = whole.params.get("max_tokens")
    return Room(
        context_tokens=handling.services.models.context_tokens(chosen.name, chosen.model),
        max_tokens=int(max_tokens) if isinstance(max_tokens, str) else None,
    )


def _fitting(
    whole: PromptRequest,
    room: Room,
    prompts: BranchPrompts,
    conversation: Conversation,
    handling: Handling,
    *,
    tighter: bool,
) -> PromptRequest:
    """The request, with earlier messages left out where the model's context asks for it."""
    limit = room.for_prompt
    assert whole.leaf_id is not None
    calls = _earlier_calls(conversation, whole.leaf_id, tighter, handling)
    cut = _cut_still_in_force(calls, room)
    if not tighter:
        as_before = replace(whole, trimming=cut)
        tokens = _tokens(prompts.digest(as_before)[1], calls)
        if limit is None or tokens <= limit:
            kept = None if cut is None else replace(cut, counted_tokens=tokens)
            return replace(whole, trimming=kept)
    counted = bool(calls) and _prompt_tokens(calls[-1]) > 0
    branch = [
        MessageSize(message_id, role, length + AROUND_MESSAGE if counted and length else length)
        for message_id, role, length in prompts.lengths(whole.leaf_id)
    ]
    if counted:
        # Everything in bytes of the body, as the count was of a body: its system prompt may have been another.
        rest = prompts.digest(whole)[1] - sum(size.length for size in branch)
    else:
        system_prompt = whole.system_prompt
        if system_prompt is None:
            system_prompt = conversation.settings.system_prompt
        rest = len(system_prompt.encode("utf-8"))
    trimming = plan_cut(
        room, system_length=rest, branch=branch, earlier=_as_measure(calls, cut), tighter=tighter
    )
    return replace(whole, trimming=trimming)


def _earlier_calls(
    conversation: Conversation, leaf_id: UUID, tighter: bool, handling: Handling
) -> list[ModelCall]:
    """The last calls of the branch, newest first, up to one whose tokens a runner has counted."""
    replies = [node for node in reversed(conversation.nodes.path(leaf_id)) if node.call_id is not None]
    if tighter:
        # What was refused is not above the message that is answered, but beside the reply to come.
        refused = [node for node in conversation.nodes.values() if node.parent_id == leaf_id and node.call_id]
        replies = [*reversed(refused[:-1]), *replies]
    calls: list[ModelCall] = []
    for node in replies[:CALLS_LOOKED_AT]:
        assert node.call_id is not None
        calls.append(handling.earlier_call(node.call_id))
        if _prompt_tokens(calls[-1]):
            break
    return calls


def _cut_still_in_force(calls: Sequence[ModelCall], room: Room) -> Trimming | None:
    """Where the last call cut; nowhere, if this model's context is larger than the one it was cut for."""
    cut = calls[0].prompt_request.trimming if calls else None
    if cut is not None and room.context_tokens is not None and 0 < cut.context_tokens < room.context_tokens:
        return None
    return cut


def _tokens(body_length: int, calls: Sequence[ModelCall]) -> int:
    """About how many tokens a body comes to, by the last one that was counted."""
    counted = calls[-1] if calls else None
    tokens = 0 if counted is None else _prompt_tokens(counted)
    if counted is None or tokens == 0:
        return int(body_length / BYTES_PER_TOKEN)
    return int(body_length * tokens / counted.body_length)


def _as_measure(calls: Sequence[ModelCall], cut: Trimming | None) -> EarlierCall | None:
    """What the earlier calls tell about this branch; none where there were none."""
    if not calls:
        return None
    first_kept = None if cut is None else cut.first_kept_message_id
    return EarlierCall(first_kept, calls[-1].body_length, _prompt_tokens(calls[-1]) or None)


def _prompt_tokens(call: ModelCall) -> int:
    return (call.usage.prompt_tokens or 0) if call.usage is not None else 0
