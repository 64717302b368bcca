"""Recording how an attempt ended, with one line in the log: ids, outcome and timings, never content."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from backend.application.ports import ModelMemory
from backend.application.runner_port import ModelRunner
from backend.domain.commands import RecordModelCallResult
from backend.domain.model_call import AttemptResult, ModelCall
from backend.model_calls.chunks import ChunkWriter
from backend.model_calls.link import Link
from backend.model_calls.live_reply import Ending, LiveReply
from backend.model_calls.persistence import Persistence
from backend.model_calls.queue import Claim
from backend.model_calls.runner_version import RunnerVersion
from backend.model_calls.timings import WorkerTimings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What all calls of one worker share. models: remembers what runners tell of theirs."""

    persistence: Persistence
    runner: ModelRunner
    runner_version: RunnerVersion
    writer: ChunkWriter
    link: Link
    timings: WorkerTimings
    models: ModelMemory


async def record_end(
    call: ModelCall, claim: Claim, tools: Tools, result: AttemptResult, ending: Ending, reply: LiveReply
) -> None:
    """Store the end and the reply in one commit; a result that is not ours to give any more is dropped."""
    text = "".join(reply.text)
    if call.reply_id is None:
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
    )
    if await tools.persistence.record_result(command, claim, call):
        log.info(
            "model call %s ended: conversation %s, reply %s, attempt %d, outcome %s, code %s, finish %s,"
            " first token %s ms, duration %d ms, %d chunks, %d characters, worker %s, claim %d",
            call.id,
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
