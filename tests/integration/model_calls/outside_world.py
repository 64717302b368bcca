"""A program's calls without HTTP: a worker like that of a web process, and a runner held by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from backend.api.openai.reading import read_request
from backend.application.runner_port import AsWritten
from backend.domain.commands import RequestOutsideCall
from backend.model_calls.outside import OutsideWorker
from backend.model_calls.passage import Ended, Passage
from backend.model_calls.timings import WorkerTimings
from tests.integration.model_calls.world import PATIENCE_S, QUICK, RUNNER, Asked, HeldRunner, World


@dataclass
class OutsideCall:
    """A call that was handed to the worker; asked: its ids, as tests of workers know them."""

    asked: Asked
    passage: Passage

    async def next(self) -> str | Ended:
        """The next piece as the runner wrote it, or the end."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                piece = await self.passage.take()
                if isinstance(piece, AsWritten):
                    return piece.data
                if isinstance(piece, Ended):
                    return piece

    async def end(self) -> Ended:
        """The end, whatever pieces come before it."""
        while not isinstance(piece := await self.next(), Ended):
            pass
        return piece


class OutsideCalls:
    """Hands calls to one worker."""

    def __init__(self, world: World, worker: OutsideWorker, limits: Mapping[str, int]) -> None:
        self.world = world
        self.worker = worker
        self._limits = limits

    async def ask(
        self, content: str = "Hi", *, owner_id: UUID | None = None, stream: bool = True
    ) -> OutsideCall:
        body = json.dumps(
            {"model": "scripted-model", "messages": [{"role": "user", "content": content}], "stream": stream}
        ).encode()
        request = read_request(body)
        shift = await self.worker.shift()
        passage = Passage()
        command = RequestOutsideCall(
            owner_id=owner_id or self.world.owner_id,
            call_id=uuid4(),
            messages=request.messages,
            joins=(),
            system_prompt=request.system_prompt,
            model=request.model,
            sent_model=request.model,
            params=request.params,
            runner=RUNNER,
            runner_version=None,
            raw_body=request.raw,
            body_sha256=hashlib.sha256(body).hexdigest(),
            body_length=len(body),
            worker=shift.worker_id,
            at_once=RUNNER not in self._limits,
        )
        answer = await shift.carry_out(command, body, passage, whole=not stream)
        call = answer.call
        assert call.conversation_id is not None
        assert call.reply_id is not None
        leaf_id = call.prompt_request.leaf_id
        assert leaf_id is not None
        return OutsideCall(Asked(call.conversation_id, leaf_id, call.reply_id, call.id), passage)


@asynccontextmanager
async def web_process(
    world: World,
    runner: HeldRunner,
    *,
    limits: Mapping[str, int] | None = None,
    timings: WorkerTimings = QUICK,
) -> AsyncIterator[OutsideCalls]:
    """The worker of a web process, which must end cleanly."""
    arguments: dict[str, Any] = {
        "database_url": world.database_url,
        "store": world.store,
        "run_command": world.run,
        "runners": [runner],
        "runner_limits": limits or {},
        "conversations": world.conversations,
        "timings": timings,
    }
    worker = OutsideWorker(**arguments)
    task = asyncio.create_task(worker.run())
    try:
        yield OutsideCalls(world, worker, limits or {})
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)
