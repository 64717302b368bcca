"""Each way in which a runner fails has its code, its words, and keeps what came before: the HTTP client alone.

The same cases go through the whole product in tests/acceptance/test_runner_failures.py.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from backend.application.runner_port import Finished, RunnerEvent, RunnerFailure, StillThere
from backend.model_calls.live_reply import LiveReply
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.patience import RunnerTimeouts
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.acceptance.failure_case import FailureCase
from tests.acceptance.failure_cases import CASES, words_of
from tests.contract.model_runner.support import SHORT, ask, listing_failure, text_of
from tests.support.full_listener import full_listener
from tests.support.stack import free_port

pytestmark = pytest.mark.asyncio

ENOUGH = RunnerTimeouts(connect=1.0, first_token=2.0, between_chunks=1.0, after_finish=0.3, listing=0.5)
"""Between the pauses that the cases make on purpose and those that they never end."""

PLAYED = [case for case in CASES if case.asked == "scripted" and case.cancel is None and not case.refuse_s]
FOUND_BY_THE_WORKER = {"length", "content_filter", "no_finish_reason", "empty_response", "reply_too_long"}
"""Codes of replies whose stream simply ended, or was left."""


@pytest_asyncio.fixture
async def patient(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    made = HttpModelRunner(scripted.url, timeouts=ENOUGH)
    yield made
    await made.aclose()


def place_of(scripted: ScriptedRunner) -> str:
    return scripted.url.split("/")[2]


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case.name.replace(" ", "-"))
async def test_each_case_gives_what_came_and_fails_with_its_code_and_words(
    case: FailureCase, patient: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(*case.scripts)
    for _ in case.scripts[:-1]:
        events, failure = await ask(patient)
        assert failure is not None
        assert failure.safe_to_retry
        assert text_of(events) == ""
    events, failure = await ask(patient)
    reply = LiveReply()
    for event in events:
        reply.take_in(event)
    assert ("".join(reply.text), "".join(reply.reasoning)) == (case.text, case.reasoning)
    assert reply.tool_calls == case.tool_calls
    if case.code is None or case.code in FOUND_BY_THE_WORKER:
        assert failure is None or (failure.code == "stream_cut" and reply.finish_reason is not None)
    else:
        check_failure(failure, case, place_of(scripted))
    assert len(scripted.completions) == len(case.scripts), "nothing is ever sent twice"


def check_failure(failure: RunnerFailure | None, case: FailureCase, place: str) -> None:
    assert failure is not None
    assert (failure.code, failure.http_status) == (case.code, case.http_status)
    assert failure.safe_to_retry == (case.attempts > 1)
    words = words_of(case, place, first_token_s=ENOUGH.first_token, silence_s=ENOUGH.between_chunks)
    # The worker adds where the sentence ends, and whether text is kept.
    assert words.startswith(failure.message)


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        (Script().respond(400, b"\xff\xfe", "text/plain"), "runner_refused", ""),
        (Script().respond(404, b""), "model_not_found", ""),
        (Script().socket(b"HTTP/1.1 200 OK\r\nContent-Type: text/ev").cut(), "runner_error", ""),
        (Script().socket(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\n").cut(), "stream_cut", ""),
        (Script().text("a").raw(b"event: error\ndata: {\"object\": \"error\"}\n\n"), "runner_error", "a"),
        (Script().text("a").raw(b"data: [1]\n\n"), "bad_response", "a"),
        (Script().text("a").raw(b"data: " + b"[" * 100_000 + b"\n\n"), "bad_response", "a"),
        (Script().text("a").error(type="exceed_context_size_error", n_prompt_tokens=9000, n_ctx=8192), "context_overflow", "a"),
        (Script().respond(200, b"", "text/event-stream"), None, ""),
        (Script().text("a").data({"error": None, "choices": []}).finish(), None, "a"),
        (Script().text("a").data({"error": {}, "choices": []}).finish(), None, "a"),
        (Script().text("a").data({}).data({"choices": [{}]}).data({"choices": None}).finish(), None, "a"),
        (Script().text("a").data({"choices": [{"index": 1, "delta": {"content": "another"}}]}).finish(), None, "a"),
    ],
)  # fmt: skip
async def test_what_is_stranger_than_the_cases_is_classified_too(
    script: Script, code: str | None, text: str, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(script)
    events, failure = await ask(client)
    assert (failure.code if failure else None) == code
    assert text_of(events) == text
    assert failure is None or not failure.safe_to_retry


@pytest.mark.parametrize(
    ("status", "header", "pause"),
    [
        (429, "7", 7),
        (503, "7", 7),
        (429, "3600", 30),
        (429, "soon", None),
        (500, "7", None),
        (400, "7", None),
    ],
)
async def test_a_runners_wish_for_a_pause_is_told_where_it_may_be_asked_again(
    status: int, header: str, pause: float | None, client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    scripted.play(Script().respond(status, b"", **{"Retry-After": header}))
    _, failure = await ask(client)
    assert failure is not None
    assert failure.retry_after_s == pause


async def test_a_runner_that_is_started_anew_is_there_again_when_it_is_asked_again(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    await scripted.refuse(0.5)
    _, failure = await ask(client)
    assert failure is not None
    assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
    events: list[RunnerEvent] = []
    async with asyncio.timeout(10):
        while failure is not None:
            await asyncio.sleep(0.05)
            events, failure = await ask(client)
    assert any(isinstance(event, Finished) for event in events)


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


async def test_tls_to_a_runner_that_speaks_none_is_told_with_the_setting_to_look_at(
    scripted: ScriptedRunner,
) -> None:
    runner = HttpModelRunner(
        scripted.url.replace("http://", "https://"), variables="MODEL_RUNNER_GPU", timeouts=SHORT
    )
    for failure in ((await ask(runner))[1], await listing_failure(runner)):
        assert failure is not None
        assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", False)
        assert failure.message == (
            f"The model runner at {place_of(scripted)} makes no secure connection. "
            "Check whether MODEL_RUNNER_GPU_URL should begin with http:// instead of https://."
        )
    await runner.aclose()


async def test_a_certificate_that_nobody_trusts_is_told_with_the_reason(
    client: HttpModelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refusal.verify_message = "self-signed certificate"  # as the ssl module sets it

    async def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr("backend.model_runner.http_client.connect", refuse)
    _, failure = await ask(client)
    assert failure is not None
    assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", False)
    place = client.url.split("/")[2]
    assert failure.message == (
        f"The certificate of the model runner at {place} is not trusted: self-signed certificate. "
        "Give it one that this machine trusts, then retry."
    )


async def test_advice_names_the_settings_of_the_runner_that_was_asked(scripted: ScriptedRunner) -> None:
    runner = HttpModelRunner(scripted.url, variables="MODEL_RUNNER_GPU", timeouts=SHORT)
    for script, advice in (
        (Script().respond(401, b""), "Check MODEL_RUNNER_GPU_API_KEY."),
        (Script().respond(404, "404 page not found"), "Check MODEL_RUNNER_GPU_URL: "),
        (Script().respond(307, b"", location="/"), "Set MODEL_RUNNER_GPU_URL "),
        (Script().respond(200, "<html>", "text/html"), "Check MODEL_RUNNER_GPU_URL: "),
    ):
        scripted.play(script)
        _, failure = await ask(runner)
        assert failure is not None
        assert advice in failure.message
    await runner.aclose()


async def test_a_host_that_takes_no_connection_is_given_up_after_the_connect_timeout() -> None:
    with full_listener() as port:
        runner = HttpModelRunner(
            f"http://127.0.0.1:{port}/v1", timeouts=RunnerTimeouts(connect=0.3, first_token=10.0)
        )
        began = time.monotonic()
        _, failure = await ask(runner)
        assert failure is not None
        assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
        assert time.monotonic() - began < 3
        await runner.aclose()
