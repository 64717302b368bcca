"""Finishing what another worker left: back into the queue, or recorded as it stands.

Only ever done under a claim of our own, taken first: from then on nothing the other worker stores is
accepted, so what is read afterwards is all there will be.
"""

from __future__ import annotations

import logging

from backend.domain.errors import UnknownModelCall
from backend.domain.model_call import EXTERNAL_PURPOSE, AttemptResult, ModelCall
from backend.logs.context import note
from backend.model_calls import live_reply as endings
from backend.model_calls import queue, stored_chunks
from backend.model_calls.link import Pauses, until_back
from backend.model_calls.live_reply import LiveReply
from backend.model_calls.queue import Claim
from backend.model_calls.recording import Tools, record_end

log = logging.getLogger(__name__)

RELEASE_PAUSE_S = 0.5
"""Before a call that its holder did not even start is tried again, so that a fault does not spin."""


async def settle(claim: Claim, tools: Tools) -> None:
    """Started: record what was received. Not started: any worker may claim it. Ended: out of the queue."""
    try:
        call = await tools.persistence.read_call(claim.call_id)
    except UnknownModelCall:
        log.warning("model call %s is in the queue but was never requested; it is taken out", claim.call_id)
        await until_back(lambda: queue.remove(tools.link, claim), _pauses(tools))
        return
    note(conversation_id=call.conversation_id)
    if call.is_final:
        await until_back(lambda: queue.remove(tools.link, claim), _pauses(tools))
    elif call.open_attempt is None and call.purpose == EXTERNAL_PURPOSE:
        await record_client_lost(call, claim, tools)
    elif call.open_attempt is None:
        await until_back(lambda: queue.release(tools.link, claim, pause_s=RELEASE_PAUSE_S), _pauses(tools))
    else:
        await _record_what_was_received(call, call.open_attempt, claim, tools)


async def record_client_lost(call: ModelCall, claim: Claim, tools: Tools) -> None:
    """A program's call that was never sent: the process that held the program's connection is gone, and with it the one
    who waits. Nobody else can carry it out."""
    ending = endings.interrupted_with_client()
    result = AttemptResult(attempt=0, outcome=ending.outcome, error=ending.call_error)
    await record_end(call, claim, tools, result, ending, LiveReply())


async def _record_what_was_received(call: ModelCall, attempt: int, claim: Claim, tools: Tools) -> None:
    chunks = await until_back(
        lambda: stored_chunks.chunks_of_attempt(tools.link, claim.call_id, attempt), _pauses(tools)
    )
    reply = LiveReply(
        text=[chunk.text for chunk in chunks],
        reasoning=[chunk.reasoning for chunk in chunks],
        characters=sum(len(chunk.text) + len(chunk.reasoning) for chunk in chunks),
        had_token=bool(chunks),
    )
    ending = endings.CANCELLED if call.cancel_requested else endings.interrupted_by_loss(reply)
    # As far as the chunks tell: the worker that measured exactly is gone.
    began = claim.previously_claimed_at
    known = began is not None and bool(chunks)
    result = AttemptResult(
        attempt=attempt,
        outcome=ending.outcome,
        duration_ms=_ms((chunks[-1].at - began).total_seconds()) if known and began else 0,
        first_token_ms=_ms((chunks[0].at - began).total_seconds()) if known and began else None,
        chunk_count=len(chunks),
        error=ending.call_error,
        delivered_characters=reply.characters,
    )
    await record_end(call, claim, tools, result, ending, reply)


def _pauses(tools: Tools) -> Pauses:
    return Pauses(tools.timings.reconnect_first_s, tools.timings.reconnect_longest_s)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
