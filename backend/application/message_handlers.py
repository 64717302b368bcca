"""Handlers of what people write, and of replies they ask for."""

from __future__ import annotations

from collections.abc import Mapping

from backend.application.answers import reply_body
from backend.application.conversations import Loaded
from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import (
    AnnounceCancel,
    Answer,
    ClaimLost,
    Companion,
    DequeueUnclaimedCall,
    QueueCall,
)
from backend.application.recorded import reply_companions
from backend.application.requesting import Asking, Overrides, choose_runner, request_reply
from backend.domain import commands as c
from backend.domain import outcomes
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.errors import ModelCallIsErased, UnknownModelCall
from backend.domain.model_call import EXTERNAL_PURPOSE, AttemptResult, ModelCall
from backend.domain.values import check_content

GO_ON = "Continue exactly where you stopped."
"""What is said to a runner that cannot go on from a message of its own."""


@handler_of.register
def _(command: c.SendUserMessage) -> Handle:
    content = check_content(command.content)
    asking = _asking(command)

    def send_user_message(handling: Handling) -> Answer:
        loaded = _own(command, handling)
        message_id = handling.id_of("message")
        loaded.conversation.send_user_message(
            message_id=message_id, parent_id=command.parent_id, content=content, stamp=handling.stamp
        )
        body = {"message_id": str(message_id)}
        return _ask(loaded, ReplyPlace(message_id), asking, handling, body)

    return send_user_message


@handler_of.register
def _(command: c.EditUserMessage) -> Handle:
    content = check_content(command.content)
    asking = _asking(command)

    def edit_user_message(handling: Handling) -> Answer:
        loaded = _own(command, handling)
        message_id = handling.id_of("message")
        loaded.conversation.edit_user_message(
            edited_id=command.message_id, message_id=message_id, content=content, stamp=handling.stamp
        )
        body = {"message_id": str(message_id)}
        return _ask(loaded, ReplyPlace(message_id), asking, handling, body)

    return edit_user_message


@handler_of.register
def _(command: c.RegenerateReply) -> Handle:
    asking = _asking(command, tighter_cut=command.tighter_cut)

    def regenerate_reply(handling: Handling) -> Answer:
        loaded = _own(command, handling)
        place = loaded.conversation.place_of_another_reply(command.message_id)
        return _ask(loaded, place, asking, handling, {})

    return regenerate_reply


@handler_of.register
def _(command: c.ContinueReply) -> Handle:
    def continue_reply(handling: Handling) -> Answer:
        loaded = _own(command, handling)
        place = loaded.conversation.place_of_continuation(command.message_id)
        asking = _asking_again(loaded, command, handling)
        message_id = None
        if not choose_runner(loaded.conversation, asking, handling).continues_replies:
            message_id = handling.id_of("message")
            loaded.conversation.send_user_message(
                message_id=message_id, parent_id=place.parent_id, content=GO_ON, stamp=handling.stamp
            )
            place = ReplyPlace(message_id)
        body = {"message_id": None if message_id is None else str(message_id)}
        return _ask(loaded, place, asking, handling, body)

    return continue_reply


def _asking(
    command: c.SendUserMessage | c.EditUserMessage | c.RegenerateReply, *, tighter_cut: bool = False
) -> Asking:
    overrides = Overrides(command.model, command.params)
    return Asking(
        model=overrides.model, params=overrides.params, source=command.source, tighter_cut=tighter_cut
    )


def _asking_again(loaded: Loaded, command: c.ContinueReply, handling: Handling) -> Asking:
    """As the reply was asked for that is continued: two halves of one reply come from one model."""
    call_id = loaded.conversation.node(command.message_id).call_id
    assert call_id is not None, "a reply has a call"
    call = handling.store.read_call(call_id)
    request = call.prompt_request
    return Asking(
        model=request.model,
        runner=call.runner,
        params=request.params,
        system_prompt=request.system_prompt,
        source=command.source,
    )


def _own(
    command: c.SendUserMessage | c.EditUserMessage | c.RegenerateReply | c.ContinueReply, handling: Handling
) -> Loaded:
    loaded = handling.load_own(command.conversation_id, command.owner_id)
    loaded.conversation.check_version(command.expected_version)
    return loaded


def _ask(
    loaded: Loaded, place: ReplyPlace, asking: Asking, handling: Handling, body: Mapping[str, str | None]
) -> Answer:
    conversation = loaded.conversation
    call = request_reply(
        loaded, place, asking, handling, reply_id=handling.id_of("reply"), call_id=handling.id_of("call")
    )
    return handling.save(
        conversation,
        call,
        status=202,
        body={**body, **reply_body(conversation, call)},
        companions=[QueueCall.of(call)],
    )


@handler_of.register
def _(command: c.CancelModelCall) -> Handle:
    def cancel_model_call(handling: Handling) -> Answer:
        try:
            return _cancel(handling, unclaimed=True)
        except ClaimLost:
            return _cancel(handling, unclaimed=False)

    def _cancel(handling: Handling, *, unclaimed: bool) -> Answer:
        try:
            call = handling.store.read_call(command.call_id)
        except ModelCallIsErased as erased:
            raise UnknownModelCall(command.call_id) from erased  # whose it was is not in its events any more
        if call.owner_id != command.owner_id:
            raise UnknownModelCall(command.call_id)
        asked_now = call.request_cancel(by=handling.actor, stamp=handling.stamp)
        if not asked_now:
            return handling.save(call, status=202, body={})
        if not unclaimed or call.open_attempt is not None:
            return handling.save(call, status=202, body={}, companions=[AnnounceCancel(call.id)])
        call.end_attempt(AttemptResult(attempt=0, outcome=outcomes.CANCELLED), handling.stamp)
        changed: list[Conversation | ModelCall] = [call]
        companions: list[Companion] = [DequeueUnclaimedCall(call.id)]
        if call.purpose == EXTERNAL_PURPOSE:
            # A client waits for it, at the process that wanted to carry it out.
            companions.append(AnnounceCancel(call.id))
        if call.conversation_id is not None and call.reply_id is not None:
            conversation = handling.load_own(call.conversation_id, command.owner_id).conversation
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
            companions += reply_companions(conversation, call.reply_id)
        return handling.save(*changed, status=202, body={}, companions=companions)

    return cancel_model_call
