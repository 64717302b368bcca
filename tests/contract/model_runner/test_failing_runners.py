"""Each way in which a runner fails has its code, its words, and keeps what came before."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from backend.application.runner_port import (
    StillThere,
)
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import SHORT, ask, text_of
from tests.support.stack import free_port

pytestmark = pytest.mark.asyncio

LOADING = {"error": {"type": "unavailable_error", "message": "Loading model", "code": 503}}
OVERFLOW = {"type": "exceed_context_size_error", "message": "m", "n_prompt_tokens": 9000, "n_ctx": 8192}


@pytest.mark.parametrize(
    ("script", "code", "text", "retry"),
    [
        (Script().text("a").cut(), "stream_cut", "a", False),
        (Script().headers().cut(), "stream_cut", "", False),
        (Script().text("a").hold(), "stream_silent", "a", False),
        (Script().reasoning("a").hold(), "stream_silent", "", False),
        (Script().role().hold(), "first_token_timeout", "", False),
        (Script().headers().hold(), "first_token_timeout", "", False),
        (Script().never(), "first_token_timeout", "", False),
        (Script().cut(), "runner_error", "", False),
        (Script().text("a").error(message="x"), "runner_error", "a", False),
        (Script().error(message="x"), "runner_error", "", False),
        (Script().text("a").data({"error": "x"}), "runner_error", "a", False),
        (
            Script().text("a").data({"object": "error", "message": "x", "code": 500}),
            "runner_error",
            "a",
            False,
        ),
        (Script().text("a").raw(b'error: {"code":500,"message":"x"}\n\n'), "runner_error", "a", False),
        (Script().text("a").raw(b"event: error\ndata: plain words\n\n"), "runner_error", "a", False),
        (Script().text("a").error(**OVERFLOW), "context_overflow", "a", False),
        (Script().error(**OVERFLOW), "context_overflow", "", False),
        (Script().respond(400, {"error": OVERFLOW}), "context_overflow", "", False),
        (Script().respond(200, {"error": OVERFLOW}), "context_overflow", "", False),
        (Script().text("a").raw(b"data: {\n\n"), "bad_response", "a", False),
        (Script().respond(200, "not JSON"), "bad_response", "", False),
        (Script().respond(200, "<html>", "text/html; charset=utf-8"), "bad_response", "", False),
        (Script().text("a").raw(b"data: " + b"x" * (5 * 2**20)), "bad_response", "a", False),
        (Script().respond(503, LOADING), "runner_loading", "", True),
        (Script().respond(404, "not pulled", "text/plain"), "model_not_found", "", False),
        (Script().respond(502, b"", "text/plain"), "runner_error", "", False),
        (Script().respond(400, b"\xff\xfe", "text/plain"), "runner_refused", "", False),
    ],
)
async def test_each_failure_has_its_code_and_gives_what_came_before(
    script: Script, code: str, text: str, retry: bool, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(script)
    events, failure = await ask(client)
    assert failure is not None
    assert (failure.code, text_of(events), failure.safe_to_retry) == (code, text, retry)
    assert "runner" in failure.message or "conversation" in failure.message
    assert len(scripted.completions) == 1, "nothing is ever sent twice"


async def test_pings_keep_a_running_stream_alive(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    running = Script().text("a")
    for _ in range(6):
        running.sleep(150).ping()
    scripted.play(running.text("b").complete())
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "ab"
    assert events.count(StillThere()) == 1 + 6


async def test_pings_do_not_count_as_a_first_token(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    beginning = Script()
    for _ in range(10):
        beginning.ping().sleep(100)
    scripted.play(beginning.text("too late"))
    began = time.monotonic()
    events, failure = await ask(client)
    assert failure is not None
    assert failure.code == "first_token_timeout"
    assert 0.4 < time.monotonic() - began < 0.95
    assert set(events) == {StillThere()}


async def test_an_error_body_without_an_end_is_not_waited_for(client: HttpModelRunner) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nhalf of it")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    runner = HttpModelRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeouts=SHORT)
    _, failure = await ask(runner)
    assert failure is not None
    assert (failure.code, failure.http_status) == ("runner_error", 500)
    assert "half of it" in failure.message
    await runner.aclose()
    server.close()


async def test_nobody_there_is_told_with_the_place_and_can_be_retried() -> None:
    port = free_port()
    runner = HttpModelRunner(f"http://localhost:{port}/v1", timeouts=SHORT)
    _, failure = await ask(runner)
    assert failure is not None
    assert (failure.code, failure.safe_to_retry, failure.http_status) == ("runner_unreachable", True, None)
    assert failure.message == f"The model runner at localhost:{port} does not answer. Start it, then retry."
    await runner.aclose()


async def test_an_unknown_host_is_not_reachable() -> None:
    runner = HttpModelRunner("http://no-such-host.invalid/v1")
    _, failure = await ask(runner)
    assert failure is not None
    assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
    assert "no-such-host.invalid" in failure.message
    await runner.aclose()


async def test_a_host_that_takes_no_connection_is_given_up_after_the_connect_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # they fill the queue that nobody empties
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        runner = HttpModelRunner(
            f"http://127.0.0.1:{full.getsockname()[1]}/v1",
            timeouts=type(SHORT)(connect=0.3, first_token=10.0),
        )
        began = time.monotonic()
        _, failure = await ask(runner)
        assert failure is not None
        assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
        assert time.monotonic() - began < 3
        await runner.aclose()
        for one in waiting:
            one.close()
