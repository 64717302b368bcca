"""One handler for each command: load, call, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any
from uuid import UUID

from backend.application.execution import Handling, execute
from backend.application.history import load_own_conversation
from backend.application.ports import AnnounceCancel, Answer, ClaimLost, DequeueUnclaimedCall, QueueCall
from backend.domain import commands as c
from backend.domain import outcomes
from backend.domain.conversation import Conversation, Settings
from backend.domain.errors import InvalidInput, UnknownModelCall
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.prompt_request import PromptRequest
from backend.domain.values import (
    Params,
    check_content,
    check_model,
    check_params,
    check_system_prompt,
    check_title,
)
from backend.prompting.build import StreamSlice, build_prompt

_Handle = Callable[[Handling], Answer]


def handle(command: c.Command, handling: Handling) -> Answer:
    """Carry out a command. Raises DomainError where it is refused; then nothing was stored."""
    return execute(handler_of(command), handling)


@singledispatch
def handler_of(command: object) -> _Handle:
    """The handler of a command, which may be run several times until it commits."""
    raise TypeError(f"No handler is registered for {type(command).__name__}.")


@handler_of.register
def _(command: c.StartConversation) -> _Handle:
    def start_conversation(handling: Handling) -> Answer:
        defaults = handling.services.defaults
        settings = Settings(
            system_prompt=_or_default(command.system_prompt, check_system_prompt, defaults.system_prompt),
            model=_or_default(command.model, check_model, defaults.model),
            params=check_params(defaults.params if command.params is None else command.params),
        )
        conversation = Conversation.start(
            conversation_id=handling.id_of("conversation"),
            owner_id=command.owner_id,
            title=_or_default(command.title, check_title, defaults.title),
            settings=settings,
            stamp=handling.stamp,
        )
        return handling.save(conversation, status=201, body=conversation_body(conversation))

    return start_conversation


@handler_of.register
def _(command: c.SendUserMessage) -> _Handle:
    content = check_content(command.content)
    overrides = _Overrides(command.model, command.params)

    def send_user_message(handling: Handling) -> Answer:
        conversation, history = load_own_conversation(
            handling.store, command.conversation_id, command.owner_id
        )
        conversation.check_version(command.expected_version)
        message_id = handling.id_of("message")
        conversation.send_user_message(
            message_id=message_id, parent_id=command.parent_id, content=content, stamp=handling.stamp
        )
        call = _request_reply(conversation, history, message_id, overrides, command.source, handling)
        return handling.save(
            conversation,
            call,
            status=202,
            body={"message_id": str(message_id), **_reply_body(conversation, call)},
            companions=[QueueCall(call.id, conversation.id, conversation.owner_id)],
        )

    return send_user_message


@handler_of.register
def _(command: c.RegenerateReply) -> _Handle:
    overrides = _Overrides(command.model, command.params)

    def regenerate_reply(handling: Handling) -> Answer:
        conversation, history = load_own_conversation(
            handling.store, command.conversation_id, command.owner_id
        )
        conversation.check_version(command.expected_version)
        parent_id = conversation.parent_for_regeneration(command.message_id)
        call = _request_reply(conversation, history, parent_id, overrides, command.source, handling)
        return handling.save(
            conversation,
            call,
            status=202,
            body=_reply_body(conversation, call),
            companions=[QueueCall(call.id, conversation.id, conversation.owner_id)],
        )

    return regenerate_reply


@handler_of.register
def _(command: c.ChangeConversation) -> _Handle:
    title = None if command.title is None else check_title(command.title)
    system_prompt = None if command.system_prompt is None else check_system_prompt(command.system_prompt)
    overrides = _Overrides(command.model, command.params)

    def change_conversation(handling: Handling) -> Answer:
        conversation, _ = load_own_conversation(handling.store, command.conversation_id, command.owner_id)
        conversation.check_version(command.expected_version)
        if title is not None:
            conversation.rename(title, handling.stamp)
        if command.pinned is not None:
            conversation.pin(command.pinned, handling.stamp)
        if command.archived is not None:
            conversation.archive(command.archived, handling.stamp)
        if system_prompt is not None:
            conversation.change_system_prompt(system_prompt, handling.stamp)
        if overrides.given:
            conversation.change_model_settings(
                model=overrides.model, params=overrides.params, stamp=handling.stamp
            )
        return handling.save(conversation, status=200, body=conversation_body(conversation))

    return change_conversation


@handler_of.register
def _(command: c.DeleteConversation) -> _Handle:
    def delete_conversation(handling: Handling) -> Answer:
        conversation, _ = load_own_conversation(handling.store, command.conversation_id, command.owner_id)
        conversation.check_version(command.expected_version)
        running: list[ModelCall] = []
        if not conversation.deleted:
            conversation.delete(handling.stamp)
            running = [handling.store.read_call(call_id) for call_id in conversation.pending_call_ids]
            for call in running:
                call.request_cancel(by=handling.actor, stamp=handling.stamp)
        announced = [AnnounceCancel(call.id) for call in running]
        return handling.save(conversation, *running, status=202, body={}, companions=announced)

    return delete_conversation


@handler_of.register
def _(command: c.RestoreConversation) -> _Handle:
    def restore_conversation(handling: Handling) -> Answer:
        conversation, _ = load_own_conversation(handling.store, command.conversation_id, command.owner_id)
        conversation.check_version(command.expected_version)
        conversation.restore(handling.stamp)
        return handling.save(conversation, status=200, body=conversation_body(conversation))

    return restore_conversation


@handler_of.register
def _(command: c.CancelModelCall) -> _Handle:
    def cancel_model_call(handling: Handling) -> Answer:
        try:
            return _cancel(handling, unclaimed=True)
        except ClaimLost:
            return _cancel(handling, unclaimed=False)

    def _cancel(handling: Handling, *, unclaimed: bool) -> Answer:
        call = handling.store.read_call(command.call_id)
        if call.owner_id != command.owner_id:
            raise UnknownModelCall(command.call_id)
        asked_now = call.request_cancel(by=handling.actor, stamp=handling.stamp)
        if not asked_now:
            return handling.save(call, status=202, body={})
        if not unclaimed or call.attempts_started > 0:
            return handling.save(call, status=202, body={}, companions=[AnnounceCancel(call.id)])
        call.end_attempt(AttemptResult(attempt=0, outcome=outcomes.CANCELLED), handling.stamp)
        changed: list[Conversation | ModelCall] = [call]
        if call.conversation_id is not None and call.reply_id is not None:
            conversation, _ = load_own_conversation(handling.store, call.conversation_id, command.owner_id)
            conversation.record_reply(
                reply_id=call.reply_id,
                content="",
                reasoning="",
                tool_calls=[],
                finish_reason=None,
                outcome=outcomes.CANCELLED,
                error=None,
                stamp=handling.stamp,
            )
            changed.insert(0, conversation)
        return handling.save(*changed, status=202, body={}, companions=[DequeueUnclaimedCall(call.id)])

    return cancel_model_call


class _Overrides:
    """A command's own choice of model and parameters, checked once."""

    def __init__(self, model: str | None, params: Mapping[str, object] | None) -> None:
        self.model = None if model is None else check_model(model)
        self.params: Params | None = None if params is None else check_params(params)

    @property
    def given(self) -> bool:
        return self.model is not None or self.params is not None


def _request_reply(
    conversation: Conversation,
    history: tuple[StreamSlice, ...],
    parent_id: UUID,
    overrides: _Overrides,
    source: str,
    handling: Handling,
) -> ModelCall:
    """Add the pending reply and the call that will write it, with the digest of what will be sent."""
    reply_id, call_id = handling.id_of("reply"), handling.id_of("call")
    conversation.request_reply(reply_id=reply_id, parent_id=parent_id, call_id=call_id, stamp=handling.stamp)
    settings = conversation.settings
    # A conversation that was started while no model was known has none of its own.
    model = overrides.model or settings.model or handling.services.defaults.model
    if not model:
        raise InvalidInput(
            "No model is chosen for this conversation. Choose one of the models listed under /api/models/.",
            field="model",
        )
    request = PromptRequest(
        leaf_id=parent_id,
        version=conversation.version,
        model=model,
        params=(settings.params or {}) if overrides.params is None else overrides.params,
    )
    own = history[-1]
    pending = [event for event in conversation.pending_events if isinstance(event, VerbatimEvent)]
    prompt = build_prompt((*history[:-1], StreamSlice(own.conversation_id, [*own.events, *pending])), request)
    return ModelCall.request(
        call_id=call_id,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        reply_id=reply_id,
        purpose="reply",
        source=source,
        prompt_request=request,
        body_sha256=prompt.body_sha256,
        body_length=len(prompt.body),
        stamp=handling.stamp,
    )


def conversation_body(conversation: Conversation) -> dict[str, Any]:
    """A conversation's fields as a command answers them, from the aggregate."""
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "settings": {
            "system_prompt": conversation.settings.system_prompt,
            "model": conversation.settings.model,
            "params": conversation.settings.params or {},
        },
        "version": conversation.version,
        "selected_leaf_id": _text(conversation.selected_leaf_id),
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "deleted": conversation.deleted,
    }


def _reply_body(conversation: Conversation, call: ModelCall) -> dict[str, Any]:
    return {"reply_id": _text(call.reply_id), "call_id": str(call.id), "version": conversation.version}


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _or_default(value: str | None, check: Callable[[str], str], default: str) -> str:
    return default if value is None else check(value)
