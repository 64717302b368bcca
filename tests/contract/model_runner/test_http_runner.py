"""What the worker may rely on, whatever a runner does on the socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any

import pytest

from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    StillThere,
    ToolCallFragment,
    Usage,
)
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import BODY, PATIENT, SHORT, ask, text_of, until
from tests.support.stack import free_port

pytestmark = pytest.mark.asyncio


# ---- what goes out ----------------------------------------------------------------------------


async def test_the_bytes_go_out_as_they_are_with_the_key_and_without_an_origin(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    odd = b'{ "b" : 1.0,\n"a":"\\u00e9\xc3\xa9" }  '
    await ask(client)
    await ask(client, odd)
    assert [request.body for request in scripted.completions] == [BODY, odd]
    request = scripted.completions[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer the-key"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(BODY))
    assert not {"origin", "cookie", "referer"} & request.headers.keys()
    assert client.url == scripted.url
    assert client.name == scripted.url.removeprefix("http://").removesuffix("/v1")


async def test_without_a_key_none_is_sent(scripted: ScriptedRunner) -> None:
    for key in (None, "", " \n"):
        runner = HttpModelRunner(scripted.url, api_key=key)
        await ask(runner)
        await runner.aclose()
    assert all("authorization" not in request.headers for request in scripted.completions)


async def test_a_key_is_sent_without_the_blanks_it_was_pasted_with(scripted: ScriptedRunner) -> None:
    runner = HttpModelRunner(scripted.url, api_key=" the-key\n")
    await ask(runner)
    assert scripted.completions[0].headers["authorization"] == "Bearer the-key"
    await runner.aclose()


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
async def test_a_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="MODEL_RUNNER_API_KEY"):
        HttpModelRunner("http://localhost/v1", api_key=key)


async def test_a_password_in_the_address_is_sent_and_shown_nowhere(scripted: ScriptedRunner) -> None:
    runner = HttpModelRunner(scripted.url.replace("http://", "http://me:p%40ss@"))
    scripted.play(Script().respond(500, "x"))
    _, failure = await ask(runner)
    assert scripted.completions[0].headers["authorization"] == "Basic bWU6cEBzcw=="
    assert failure is not None
    assert "p%40ss" not in runner.url + runner.name + failure.message
    assert runner.url == scripted.url
    await runner.aclose()


async def test_the_machines_proxy_never_sees_a_prompt(
    scripted: ScriptedRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    runner = HttpModelRunner(scripted.url, timeouts=SHORT)
    assert (await ask(runner))[1] is None
    await runner.aclose()


async def test_a_redirect_is_not_followed(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().respond(307, b"", location=f"{scripted.url}/elsewhere/chat/completions"))
    _, failure = await ask(client)
    assert failure is not None
    assert (failure.code, failure.http_status) == ("runner_refused", 307)
    assert len(scripted.requests) == 1


# ---- what comes back --------------------------------------------------------------------------


async def test_a_good_stream_gives_identity_text_reason_and_usage(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    script = (
        Script().role().reasoning("Hm").reasoning("m", field_name="reasoning").text("Hel").role().text("lo")
    )
    scripted.play(script.tool_call(0, call_id="c", name="f").tool_call(0, arguments="{}").complete())
    events, failure = await ask(client)
    assert failure is None
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert events == [
        StillThere(),
        ResponseIdentity("chatcmpl-scripted", "a-model", "scripted-1"),  # once, though every chunk repeats it
        Delta("", "Hm"),
        Delta("", "m"),
        Delta("Hel"),
        Delta("lo"),
        ToolCallFragment(0, "c", "f", ""),
        ToolCallFragment(0, None, None, "{}"),
        Finished("stop"),
        Usage(11, 7, usage),
    ]


async def test_another_models_name_in_the_answer_is_told(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    chunk = {
        "id": "1",
        "model": "what-was-loaded",
        "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}],
    }
    scripted.play(Script().data(chunk).done())
    events, _ = await ask(client)
    assert ResponseIdentity("1", "what-was-loaded", None) in events


@pytest.mark.parametrize("script", [Script().text("a").end(), Script().text("a").done(), Script().end()])
async def test_an_end_without_a_reason_just_ends(
    script: Script, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(script)
    events, failure = await ask(client)
    assert failure is None
    assert not any(isinstance(event, Finished) for event in events)


async def test_a_missing_done_changes_nothing(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("a").finish("stop").end())
    events, failure = await ask(client)
    assert failure is None
    assert events[-1] == Finished("stop")


async def test_what_comes_after_done_is_not_read(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("a").complete().text("b").error(message="x"))
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "a"


async def test_usage_may_be_null_or_missing(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("a").finish().data({"choices": [], "usage": None}).done())
    events, failure = await ask(client)
    assert failure is None
    assert events[-1] == Finished("stop")


async def test_usage_is_read_after_the_reason(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    scripted.play(Script().text("a").finish().sleep(60).usage(3, 4).done())
    events, failure = await ask(client)
    assert failure is None
    assert [type(event) for event in events[-2:]] == [Finished, Usage]


@pytest.mark.parametrize("ends", [Script().text("a").finish(), Script().finish()])
async def test_a_runner_that_keeps_the_line_open_after_its_reason_is_not_waited_for(
    ends: Script, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    for _ in range(20):
        ends.sleep(50).ping()
    scripted.play(ends)
    began = time.monotonic()
    events, failure = await ask(client)
    assert failure is None
    assert Finished("stop") in events
    assert time.monotonic() - began < 0.9, "pings must not prolong it"


async def test_sse_of_every_style_is_understood(client: HttpModelRunner, scripted: ScriptedRunner) -> None:
    def chunk(text: str) -> str:
        return json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)

    opened, closed = chunk("-two lines-").split("[", 1)
    pieces = [
        f"\ufeff: first\r\ndata: {chunk('CRLF')}\r\n\r\n",
        "data:\n\ndata\n\n\n\n",
        f"data:{chunk('-no space-')}\r\r",
        f"id: 1\nretry: 5\nnonsense: yes\ndata: {opened}\ndata: [{closed}\n\n",
        f"event: message\ndata: {chunk('last 👋')}\n\n",
    ]
    script = Script()
    for piece in pieces:
        script.raw(piece.encode())
    scripted.play(script.finish().done())
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "CRLF-no space--two lines-last 👋"


async def test_a_character_split_over_two_reads_stays_whole(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    data = b'data: {"choices":[{"delta":{"content":"\xf0\x9f\x91\x8b"}}]}\r\n\r\n'
    split = data.index(b"\x9f")
    scripted.play(Script().raw(data[:split]).sleep(20).raw(data[split:]).finish("stop").done())
    events, _ = await ask(client)
    assert text_of(events) == "👋"


async def test_an_answer_that_is_not_streamed_is_understood(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "All at once"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    scripted.play(Script().respond(200, whole, "application/json; charset=utf-8"))
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "All at once"
    assert [type(event) for event in events[-2:]] == [Finished, Usage]


async def test_a_compressed_answer_is_understood_though_none_was_asked_for(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    stream = b'data: {"choices":[{"delta":{"content":"small"},"finish_reason":"stop"}]}\n\n'
    packed = Script().respond(200, gzip.compress(stream), "text/event-stream", **{"Content-Encoding": "gzip"})
    broken = Script().respond(200, b"no gzip", "text/event-stream", **{"Content-Encoding": "gzip"})
    scripted.play(packed, broken)
    events, failure = await ask(client)
    assert failure is None
    assert text_of(events) == "small"
    _, failure = await ask(client)
    assert failure is not None
    assert failure.code == "bad_response"


# ---- leaving, and many at once ----------------------------------------------------------------


async def is_closed_soon(scripted: ScriptedRunner, left_at: float) -> None:
    await until(lambda: scripted.completions[0].closed_early)
    closed_at = scripted.completions[0].closed_at
    assert closed_at is not None
    assert closed_at - left_at < 2


async def test_leaving_the_stream_closes_the_connection(scripted: ScriptedRunner) -> None:
    client = HttpModelRunner(scripted.url, timeouts=PATIENT)
    scripted.play(Script().text("a").hold().text("never"))
    async with client.stream_chat(BODY) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                break
        left_at = time.monotonic()
    await is_closed_soon(scripted, left_at)
    await client.aclose()


async def test_leaving_without_reading_closes_the_connection(scripted: ScriptedRunner) -> None:
    client = HttpModelRunner(scripted.url, timeouts=PATIENT)
    scripted.play(Script().headers().hold())
    async with client.stream_chat(BODY):
        left_at = time.monotonic()
    await is_closed_soon(scripted, left_at)
    await client.aclose()


@pytest.mark.parametrize("script", [Script().never(), Script().headers().hold(), Script().text("a").hold()])
async def test_cancelling_the_task_closes_the_connection_wherever_it_waits(
    script: Script, scripted: ScriptedRunner
) -> None:
    client = HttpModelRunner(scripted.url, timeouts=PATIENT)
    scripted.play(script)
    asking = asyncio.create_task(ask(client))
    await until(lambda: scripted.completions)
    await asyncio.sleep(0.1)
    left_at = time.monotonic()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await is_closed_soon(scripted, left_at)
    await client.aclose()


async def test_two_hundred_streams_run_at_once_and_none_is_mixed_up(scripted: ScriptedRunner) -> None:
    client = HttpModelRunner(scripted.url, timeouts=PATIENT)
    scripted.play(
        *(Script().text(f"{number} begins").hold().text(", and ends").complete() for number in range(200))
    )
    begun = 0

    async def read(number: int) -> tuple[str, Any]:
        nonlocal begun
        text, last = "", None
        async with client.stream_chat(json.dumps({"model": str(number)}).encode()) as stream:
            async for event in stream:
                if isinstance(event, Delta):
                    begun += not text
                    text += event.text
                last = event
        return text, last

    asked = [asyncio.create_task(read(number)) for number in range(200)]
    await until(lambda: begun == 200, within_s=60)
    scripted.release()
    answers = await asyncio.gather(*asked)
    assert sorted(text for text, _ in answers) == sorted(
        f"{number} begins, and ends" for number in range(200)
    )
    assert all(isinstance(last, Usage) for _, last in answers)
    await client.aclose()
