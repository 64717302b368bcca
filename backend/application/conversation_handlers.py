"""Handlers of a conversation as a whole: starting it, its settings and place in the list, deleting it."""

from __future__ import annotations

from collections.abc import Callable

from backend.application.answers import conversation_body
from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import AnnounceCancel, Answer
from backend.application.requesting import Overrides
from backend.domain import commands as c
from backend.domain.conversation import Conversation
from backend.domain.conversation_changes import Settings
from backend.domain.model_call import ModelCall
from backend.domain.values import check_model, check_params, check_system_prompt, check_title


@handler_of.register
def _(command: c.StartConversation) -> Handle:
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
def _(command: c.ChangeConversation) -> Handle:
    title = None if command.title is None else check_title(command.title)
    system_prompt = None if command.system_prompt is None else check_system_prompt(command.system_prompt)
    overrides = Overrides(command.model, command.params)

    def change_conversation(handling: Handling) -> Answer:
        conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
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
def _(command: c.DeleteConversation) -> Handle:
    def delete_conversation(handling: Handling) -> Answer:
        conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
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
def _(command: c.RestoreConversation) -> Handle:
    def restore_conversation(handling: Handling) -> Answer:
        conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
        conversation.check_version(command.expected_version)
        conversation.restore(handling.stamp)
        return handling.save(conversation, status=200, body=conversation_body(conversation))

    return restore_conversation


def _or_default(value: str | None, check: Callable[[str], str], default: str) -> str:
    return default if value is None else check(value)
