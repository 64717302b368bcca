"""Handler of erasing conversations: what was said goes, that it was said stays.

Everything happens in one commit: the events that say who erased what and why, and the replacement of all payloads
by their digests. What other processes keep in memory is dropped when they look at the conversation next.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import Answer, Companion, ErasePayloads, ForgetConversations
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain.conversation import Conversation
from backend.domain.erasure import ErasedCall
from backend.domain.errors import CallsUnderWay
from backend.domain.outcomes import outcome_of_end
from backend.domain.values import check_erasure


@handler_of.register
def _(command: c.EraseConversations) -> Handle:
    by, reason = check_erasure("by", command.by), check_erasure("reason", command.reason)

    def erase_conversations(handling: Handling) -> Answer:
        erased: list[Conversation] = []
        streams = list(command.conversation_ids)
        for conversation_id in command.conversation_ids:
            conversation = handling.load(conversation_id).conversation
            call_ids = _call_ids(conversation, handling)
            calls = _calls(conversation, call_ids, handling)
            conversation.erase(by=by, reason=reason, calls=calls, stamp=handling.stamp)
            erased.append(conversation)
            streams += call_ids
        companions: list[Companion] = [
            ErasePayloads(command.conversation_ids, tuple(streams)),
            ForgetConversations(command.conversation_ids, tuple(streams)),
        ]
        body = {"conversations": len(erased), "streams": len(streams)}
        return handling.save(*erased, status=200, body=body, companions=companions)

    return erase_conversations


def _call_ids(conversation: Conversation, handling: Handling) -> list[UUID]:
    """The calls that this conversation's own events name; what a fork inherits is its source's."""
    named = [
        event.call_id
        for event in handling.store.read_events(conversation.id)
        if isinstance(event, e.ReplyRequested | e.TitleRequested)
    ]
    return list(dict.fromkeys(named))


def _calls(conversation: Conversation, call_ids: Sequence[UUID], handling: Handling) -> list[ErasedCall]:
    """What stays known of these calls. Raises CallsUnderWay where one has not ended."""
    found: list[ErasedCall] = []
    for call_id in call_ids:
        events = handling.store.read_events(call_id)
        first, last = (events[0], events[-1]) if events else (None, None)
        if not isinstance(first, e.ModelCallRequested):
            continue  # its events are missing, which `verify coverage` says
        if not isinstance(last, e.ModelCallAttemptEnded) or not last.final:
            raise CallsUnderWay(conversation.id, [call_id])
        found.append(
            ErasedCall(
                call_id=call_id,
                versions=len(events),
                purpose=first.purpose,
                source=first.source,
                runner=first.runner,
                model=first.prompt_request.model,
                requested_at=first.timestamp,
                ended_at=last.timestamp,
                outcome=outcome_of_end(last),
                prompt_tokens=last.usage.prompt_tokens if last.usage else None,
                completion_tokens=last.usage.completion_tokens if last.usage else None,
                duration_ms=last.duration_ms,
                first_token_ms=last.first_token_ms,
            )
        )
    return found
