"""POST /v1/chat/completions: record the request, pass it on, and pass back what comes while it is being stored."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Final
from uuid import uuid4

from backend.api.command_rate import seconds_until_allowed
from backend.api.openai import answers
from backend.api.openai.access import until_access_ends
from backend.api.openai.asking import Asked, asked, owner_of, token_in
from backend.api.openai.errors import (
    OpenAIError,
    error_of_ending,
    not_recordable,
    not_recorded,
    too_many_calls,
    too_many_requests,
)
from backend.api.openai.exchange import Exchange
from backend.api.openai.reading import ChatRequest, read_request
from backend.api.openai.threads import in_thread
from backend.application.outside_handlers import OutsideAnswer
from backend.application.ports import ClaimLost
from backend.application.runner_port import AsWritten, StillThere
from backend.bootstrap.outside import OutsideCalls
from backend.domain.commands import RequestOutsideCall
from backend.logs.context import note
from backend.model_calls.outside import NotReady, OutsideShift, TooManyCalls
from backend.model_calls.passage import Ended, Passage
from backend.prompting.client_body import with_model

LIVENESS_S: Final = 10.0
"""A stream from which nothing comes begins after so long all the same, so that nobody on the way gives it up."""
ARCHIVE_HEADER: Final = "X-Archive-Conversation"
TRIES: Final = 3
SMALL_BYTES: Final = 64 * 1024
"""A body up to this size is taken apart at once; a larger one in a thread, and only for those we know."""


async def complete(exchange: Exchange, outside: OutsideCalls) -> None:
    """Answer one request. Raises OpenAIError where it is refused before a call was recorded."""
    token = token_in(exchange.header("Authorization"))
    request, body = await _read(exchange, token)
    who = await in_thread(asked, token, request)
    note(user_id=who.owner_id)
    if wait_s := seconds_until_allowed(str(who.owner_id)):
        raise too_many_requests(wait_s)
    passage = Passage()
    try:
        shift, answer = await _begin(exchange, outside, request, body, who, passage)
    except NotReady:
        raise not_recordable() from None
    except TooManyCalls:
        raise too_many_calls() from None
    note(call_id=answer.call.id, conversation_id=answer.call.conversation_id)
    # What the client does from here on ends the call, or is seen when its answer is written.
    gone = asyncio.create_task(exchange.until_gone())
    gone.add_done_callback(lambda _: shift.leave(answer.call.id, who.owner_id))
    access = asyncio.create_task(until_access_ends(token))
    access.add_done_callback(
        lambda task: None if task.cancelled() else shift.leave(answer.call.id, who.owner_id, "access_ended")
    )
    try:
        await _Answering(exchange, request, answer, passage).run()
    finally:
        gone.cancel()
        access.cancel()
        if not passage.has_ended:
            shift.leave(answer.call.id, who.owner_id)


async def _read(exchange: Exchange, token: str) -> tuple[ChatRequest, bytes]:
    """The request and its bytes. Whoever may not ask is told only that, whatever is wrong with what they sent."""
    if exchange.announced_bytes is None or exchange.announced_bytes > SMALL_BYTES:
        # Nobody unknown has us take in and take apart what is large.
        await in_thread(owner_of, token)
    try:
        body = await exchange.body()
        request = read_request(body) if len(body) <= SMALL_BYTES else await in_thread(read_request, body)
    except OpenAIError:
        await in_thread(owner_of, token)
        raise
    return request, body


async def _begin(
    exchange: Exchange,
    outside: OutsideCalls,
    request: ChatRequest,
    body: bytes,
    who: Asked,
    passage: Passage,
) -> tuple[OutsideShift, OutsideAnswer]:
    """Record the call and start it."""
    if who.chosen.model != request.model:
        body = await in_thread(_with_model, request.raw, who.chosen.model)
    digest = await in_thread(_sha256, body) if len(body) > SMALL_BYTES else _sha256(body)
    for _ in range(TRIES):
        shift = await outside.worker.shift()
        runner = shift.tools.runners.find(who.chosen.name)
        assert runner is not None, "a runner that is not there is not chosen"
        command = RequestOutsideCall(
            owner_id=who.owner_id,
            call_id=uuid4(),
            messages=request.messages,
            joins=who.joins,
            system_prompt=request.system_prompt,
            model=request.model,
            sent_model=who.chosen.model,
            params=request.params,
            runner=who.chosen.name,
            runner_version=await runner.version.get(),
            raw_body=request.raw,
            body_sha256=digest,
            body_length=len(body),
            worker=shift.worker_id,
            # A runner with a limit has a line in which everybody waits.
            at_once=who.chosen.name not in outside.limits,
            archived=(exchange.header(ARCHIVE_HEADER) or "").lower() in {"1", "true", "yes"},
        )
        try:
            return shift, await shift.carry_out(command, body, passage, whole=not request.stream)
        except ClaimLost:
            # This process was taken for dead a moment ago and goes on under a new name.
            await asyncio.sleep(0.1)
    raise NotReady


def _with_model(raw: str, model: str) -> bytes:
    return with_model(raw, model).encode("utf-8")


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class _Answering:
    """Turns what comes through the passage into the answer."""

    def __init__(
        self, exchange: Exchange, request: ChatRequest, answer: OutsideAnswer, passage: Passage
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._passage = passage
        self._call_id = str(answer.call.id)
        self._created = int(time.time())
        self._headers = {
            "X-Model-Call-Id": self._call_id,
            "X-Conversation-Id": str(answer.call.conversation_id),
        }

    async def run(self) -> None:
        if self._request.stream:
            await self._stream()
        else:
            await self._whole()

    async def _stream(self) -> None:
        """Pass on piece by piece; the end is told once it is recorded."""
        ended = await self._pass_on()
        error = self._error(ended)
        if error is not None and not self._exchange.has_begun:
            await self._exchange.refuse(error, self._headers)
            return
        await self._begun()
        if error is not None:
            await self._exchange.write(answers.as_event(error.body_bytes.decode("utf-8")))
        else:
            await self._exchange.write(answers.DONE)
        await self._exchange.end_stream()

    async def _pass_on(self) -> Ended:
        in_one_piece = False
        while True:
            try:
                async with asyncio.timeout(LIVENESS_S):
                    piece = await self._passage.take()
            except TimeoutError:
                await self._begun()
                piece = StillThere()
            match piece:
                case Ended():
                    if in_one_piece:
                        await self._begun()
                        await self._exchange.write(answers.chunk_of(piece.reply, **self._names()))
                    return piece
                case AsWritten(data):
                    if '"delta"' not in data and answers.is_completion(data):
                        in_one_piece = True
                        continue
                    await self._begun()
                    await self._exchange.write(answers.as_event(data))
                case StillThere():
                    if self._exchange.has_begun:
                        await self._exchange.write(answers.STILL_THERE)

    async def _whole(self) -> None:
        """The runner's own answer, byte for byte, where it gave one in one piece."""
        pieces: list[str] = []
        while not isinstance(piece := await self._passage.take(), Ended):
            if isinstance(piece, AsWritten):
                pieces.append(piece.data)
        is_whole = len(pieces) == 1 and answers.is_completion(pieces[0])
        error = self._error(piece)
        if error is not None and not (is_whole and error.code == "no_finish_reason"):
            await self._exchange.refuse(error, self._headers)
            return
        body = (
            pieces[0].encode("utf-8", "replace")
            if is_whole
            else answers.completion_of(piece.reply, **self._names())
        )
        await self._exchange.answer(200, body, headers=self._headers)

    async def _begun(self) -> None:
        if not self._exchange.has_begun:
            await self._exchange.begin_stream(self._headers)

    def _error(self, ended: Ended) -> OpenAIError | None:
        error = error_of_ending(ended.ending, had_token=ended.reply.had_token)
        return not_recorded() if error is None and not ended.recorded else error

    def _names(self) -> answers.Names:
        return {"call_id": self._call_id, "model": self._request.model, "created": self._created}
