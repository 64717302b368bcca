"""Handler of calls that programs make through us: into which conversation each goes, and under whose claim.

What the program sent is passed on as it is and kept with the call. Its messages become part of a conversation, so
that people can read it and go on from it: those that are there already are not added again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import Answer, QueueOwnCall
from backend.domain import commands as c
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.conversation_changes import Settings
from backend.domain.errors import UnknownConversation
from backend.domain.imported import OutsideMessage
from backend.domain.model_call import EXTERNAL_PURPOSE, ModelCall
from backend.domain.prompt_request import CLIENT_BUILDER, CLIENT_SERIALIZER, PromptRequest


@dataclass(frozen=True)
class OutsideAnswer(Answer):
    """With the call as it was stored, for the one who carries it out."""

    call: ModelCall


@handler_of.register
def _(command: c.RequestOutsideCall) -> Handle:
    def request_outside_call(handling: Handling) -> Answer:
        conversation, parent_id, known = _joined(command, handling) or (_begun(command, handling), None, 0)
        place = _import(conversation, command, command.messages[known:], parent_id, handling, first=known)
        reply_id = handling.id_of("reply")
        conversation.request_reply(
            reply_id=reply_id,
            place=ReplyPlace(place),
            call_id=command.call_id,
            stamp=handling.stamp,
            after_any=True,
        )
        call = ModelCall.request(
            call_id=command.call_id,
            owner_id=command.owner_id,
            conversation_id=conversation.id,
            reply_id=reply_id,
            purpose=EXTERNAL_PURPOSE,
            source=command.source,
            runner=command.runner,
            prompt_request=PromptRequest(
                leaf_id=place,
                version=conversation.version,
                model=command.sent_model,
                params=command.params,
                builder=CLIENT_BUILDER,
                serializer=CLIENT_SERIALIZER,
                system_prompt=command.system_prompt,
                raw_body=command.raw_body,
            ),
            body_sha256=command.body_sha256,
            body_length=command.body_length,
            stamp=handling.stamp,
        )
        if command.at_once:
            call.start_attempt(
                runner=command.runner,
                runner_version=command.runner_version,
                worker=command.worker,
                stamp=handling.stamp,
            )
        queued = QueueOwnCall(
            call.id, conversation.id, command.owner_id, command.runner, command.worker, command.at_once
        )
        answer = handling.save(
            conversation,
            call,
            status=202,
            body={
                "conversation_id": str(conversation.id),
                "reply_id": str(reply_id),
                "call_id": str(call.id),
            },
            companions=[queued],
        )
        return OutsideAnswer(answer.status, answer.body, call)

    return request_outside_call


def _joined(command: c.RequestOutsideCall, handling: Handling) -> tuple[Conversation, UUID, int] | None:
    """The first conversation that still takes the messages, from which message on, and how many it knows."""
    for join in command.joins:
        try:
            conversation = handling.load_own(join.conversation_id, command.owner_id).conversation
        except UnknownConversation:
            continue
        node = conversation.nodes.get(join.message_id)
        if node is not None and not node.is_pending and not conversation.deleted:
            return conversation, join.message_id, join.count
    return None


def _begun(command: c.RequestOutsideCall, handling: Handling) -> Conversation:
    conversation = Conversation.start(
        conversation_id=handling.id_of("conversation"),
        owner_id=command.owner_id,
        title=handling.services.defaults.title,
        settings=Settings(command.system_prompt, command.model, command.params),
        stamp=handling.stamp,
    )
    if command.archived:
        conversation.archive(True, handling.stamp)
    return conversation


def _import(
    conversation: Conversation,
    command: c.RequestOutsideCall,
    messages: Sequence[OutsideMessage],
    parent_id: UUID | None,
    handling: Handling,
    *,
    first: int,
) -> UUID:
    """Add the messages that are not there yet, one below the other; return the last one's id."""
    for number, message in enumerate(messages, start=first):
        message_id = handling.id_of(f"message {number}")
        conversation.import_message(
            message_id=message_id,
            parent_id=parent_id,
            role=message.role,
            content=message.content,
            source=command.source,
            stamp=handling.stamp,
        )
        parent_id = message_id
    assert parent_id is not None, "a request has at least one message"
    return parent_id
