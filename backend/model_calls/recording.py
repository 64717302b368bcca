"""Recording how an attempt ended, with one line in the log: ids, outcome and timings, never content."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from backend.application.ports import ModelMemory
from backend.domain.commands import RecordModelCallResult
from backend.domain.model_call import AttemptResult, ModelCall
from backend.model_calls.chunks import ChunkWriter
from backend.model_calls.known_runners import KnownRunners
from backend.model_calls.link import Link
from backend.model_calls.live_reply import Ending, LiveReply
from backend.model_calls.persistence import Persistence
from backend.model_calls.queue import Claim
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What all calls of one worker share. models: remembers what runners tell of theirs."""

    persistence: Persistence
    runners: KnownRunners
    writer: ChunkWriter
    link: Link
    timings: WorkerTimings
    models: ModelMemory


async def record_end(
    call: ModelCall,
    claim: Claim,
    tools: Tools,
    result: AttemptResult,
    ending: Ending,
    reply: LiveReply,
    again_after_s: float | None = None,
) -> bool:
    """Store the end and the reply in one commit; False for a result that is not ours to give any more.

    again_after_s: the call goes back into the queue for another attempt, and its reply stays pending.
    """
    text = "".join(reply.text)
    if call.reply_id is None and result.final:
        result = replace(result, content=text)
    command = RecordModelCallResult(
        call_id=call.id,
        result=result,
        content=text,
        reasoning="".join(reply.reasoning),
        tool_calls=reply.tool_calls,
        reply_error=ending.reply_error,
        worker=claim.worker,
        claim=claim.number,
        again_after_s=again_after_s,
    )
    recorded = await tools.persistence.record_result(command, claim, call)
    if recorded:
        log.info(
            "model call %s %s: conversation %s, reply %s, attempt %d, outcome %s, code %s, finish %s,"
            " first token %s ms, duration %d ms, %d chunks, %d characters, worker %s, claim %d",
            call.id,
            "ended" if result.final else f"is tried again in {again_after_s or 0:g} s",
            call.conversation_id,
            call.reply_id,
            result.attempt,
            result.outcome,
            ending.reply_error.code if ending.reply_error else None,
            result.finish_reason,
            result.first_token_ms,
            result.duration_ms,
            result.chunk_count,
            result.delivered_characters,
            claim.worker,
            claim.number,
        )
    return recorded
