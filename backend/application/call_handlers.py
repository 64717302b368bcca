"""Handlers of what model-call workers record: an attempt's start and its end, under the claim they hold.

An end records the reply and the call's terminal event in one commit: a reply is never finished
without its text, and a text never kept twice. The first reply also asks for the conversation's title.
"""

from __future__ import annotations

from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import Answer, ClaimFence, Companion, QueueCall
from backend.application.recorded import prefix_companions, reply_companions
from backend.application.titling import TITLE_PURPOSE, title_call
from backend.domain import commands as c
from backend.domain.conversation import Conversation
from backend.domain.model_call import ModelCall
from backend.domain.outcomes import COMPLETE, TRUNCATED
from backend.domain.titles import title_from_model


@handler_of.register
def _(command: c.StartModelCallAttempt) -> Handle:
    seen = command.seen

    def start_attempt(handling: Handling) -> Answer:
        nonlocal seen
        call = handling.store.read_call(command.call_id) if seen is None else seen.copy()
        seen = None  # a second try means that somebody else has changed it
        attempt = call.start_attempt(
            runner=command.runner,
            runner_version=command.runner_version,
            worker=command.worker,
            stamp=handling.stamp,
        )
        fence = ClaimFence(call.id, command.worker, command.claim, done=False)
        return handling.save(call, status=200, body={"attempt": attempt}, companions=[fence])

    return start_attempt


@handler_of.register
def _(command: c.RecordModelCallResult) -> Handle:
    def record_result(handling: Handling) -> Answer:
        call = handling.store.read_call(command.call_id)
        call.end_attempt(command.result, handling.stamp)
        final = command.result.final
        changed: list[Conversation | ModelCall] = [call]
        companions: list[Companion] = [
            ClaimFence(
                call.id,
                command.worker,
                command.claim,
                done=final,
                # Somebody may have asked to stop meanwhile; whoever claims it next sees to that.
                again_after_s=0.0 if call.cancel_requested and not final else command.again_after_s,
            )
        ]
        if not final or call.conversation_id is None:
            return handling.save(*changed, status=200, body={}, companions=companions)
        loaded = handling.load(call.conversation_id)
        conversation = loaded.conversation
        if call.reply_id is not None:
            conversation.record_reply(
                reply_id=call.reply_id,
                content=command.content,
                reasoning=command.reasoning,
                tool_calls=list(command.tool_calls),
                finish_reason=command.result.finish_reason,
                outcome=command.result.outcome,
                error=command.reply_error,
                stamp=handling.stamp,
            )
            changed.insert(0, conversation)
            companions += [*reply_companions(conversation, call.reply_id), *prefix_companions(loaded, call)]
            if (asked := title_call(loaded, call, handling)) is not None:
                changed.append(asked)
                companions.append(QueueCall.of(asked))
        elif call.purpose == TITLE_PURPOSE and command.result.outcome in {COMPLETE, TRUNCATED}:
            title = title_from_model(command.content)
            if title is not None and conversation.take_title(title, call.id, handling.stamp):
                changed.insert(0, conversation)
        return handling.save(*changed, status=200, body={}, companions=companions)

    return record_result
