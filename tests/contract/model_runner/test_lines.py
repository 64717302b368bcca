"""A connection that is made before there is anything to send: nothing leaves early, and none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from backend.application.runner_port import Line, RunnerEvent, RunnerFailure
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import BODY, SHORT, text_of, until
from tests.support.stack import free_port

pytestmark = pytest.mark.asyncio


@dataclass
class Doorkeeper:
    """Passes connections on to a runner, and knows how many there were and what was sent over each."""

    to_port: int
    sent: list[bytearray] = field(default_factory=list)
    open: int = 0
    close_at_once: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent.append(bytearray())
        kept = self.sent[-1]
        if len(self.sent) <= self.close_at_once:
            writer.close()
            return
        self.open += 1
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.to_port)

        async def forth() -> None:
            while data := await reader.read(65536):
                kept.extend(data)
                to_writer.write(data)
            to_writer.close()

        async def back() -> None:
            while data := await to_reader.read(65536):
                writer.write(data)
            writer.close()

        await asyncio.gather(forth(), back(), return_exceptions=True)
        to_writer.close()
        writer.close()
        self.open -= 1


@asynccontextmanager
async def behind_a_door(scripted: ScriptedRunner) -> AsyncIterator[tuple[HttpModelRunner, Doorkeeper]]:
    door = Doorkeeper(int(scripted.url.rsplit(":", 1)[1].partition("/")[0]))
    async with await asyncio.start_server(door.serve, "127.0.0.1", 0) as server:
        runner = HttpModelRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeouts=SHORT)
        yield runner, door
        await runner.aclose()


async def all_of(runner: HttpModelRunner, line: Line | None) -> list[RunnerEvent]:
    async with runner.pass_chat(BODY, whole=False, line=line) as events:
        return [event async for event in events]


async def test_nothing_is_sent_before_there_is_something_to_send(scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("Hello").complete())
    async with behind_a_door(scripted) as (runner, door):
        line = runner.reach()
        await until(lambda: door.open == 1)
        await asyncio.sleep(0.05)
        assert door.sent == [b""]
        assert text_of(await all_of(runner, line)) == "Hello"
        assert len(door.sent) == 1, "the call has used the connection that was there"
        assert door.sent[0].endswith(BODY)
        line.hang_up()


async def test_a_line_that_nobody_uses_is_closed(scripted: ScriptedRunner) -> None:
    async with behind_a_door(scripted) as (runner, door):
        line = runner.reach()
        await until(lambda: door.open == 1)
        line.hang_up()
        line.hang_up()
        await until(lambda: door.open == 0)
        early = runner.reach()
        early.hang_up()
        await asyncio.sleep(0.05)
        assert door.open == 0


async def test_a_line_that_the_runner_closed_is_made_anew(scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("Hello").complete())
    async with behind_a_door(scripted) as (runner, door):
        door.close_at_once = 1
        line = runner.reach()
        await until(lambda: len(door.sent) == 1)
        await asyncio.sleep(0.05)
        assert text_of(await all_of(runner, line)) == "Hello"
        assert len(door.sent) == 2


async def test_a_runner_that_is_not_there_is_told_when_the_line_is_used() -> None:
    runner = HttpModelRunner(f"http://127.0.0.1:{free_port()}/v1", timeouts=SHORT)
    line, unused = runner.reach(), runner.reach()
    await asyncio.sleep(0.05)
    unused.hang_up()
    with pytest.raises(RunnerFailure) as caught:
        await all_of(runner, line)
    assert caught.value.code == "runner_unreachable"
    await runner.aclose()
