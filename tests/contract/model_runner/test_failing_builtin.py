"""What the cases of failing runners look like on the real built-in runner: llama.cpp with the demonstration model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from backend.application.runner_port import (
    Delta,
    Finished,
    PromptProgress,
    RunnerEvent,
    RunnerFailure,
    Usage,
)
from backend.model_runner.http_client import HttpModelRunner
from tests.contract.model_runner.support import BUILTIN_MODEL, PATIENT, ask, body_asking, text_of
from tests.integration.model_runner.real_runner import Runner, running

pytestmark = [pytest.mark.asyncio, pytest.mark.real_model]

CONTEXT = 256
STORY = "Tell me a very long story."


@pytest.fixture(scope="module")
def small() -> Iterator[Runner]:
    """A runner whose context is soon full."""
    with running("--context", str(CONTEXT)) as runner:
        yield runner


@pytest_asyncio.fixture
async def client(small: Runner) -> AsyncIterator[HttpModelRunner]:
    made = HttpModelRunner(f"{small.url}/v1", timeouts=PATIENT)
    yield made
    await made.aclose()


def body(**fields: Any) -> bytes:
    request = {
        "messages": [{"role": "user", "content": "Say hello."}],
        "model": BUILTIN_MODEL,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": 4,
        **fields,
    }
    return json.dumps(request).encode()


async def test_a_prompt_that_is_too_long_is_told_in_numbers(client: HttpModelRunner) -> None:
    events, failure = await ask(client, body_asking("word " * 400))
    assert events == []
    assert failure is not None
    assert (failure.code, failure.http_status, failure.safe_to_retry) == ("context_overflow", 400, False)
    assert failure.details["n_ctx"] == CONTEXT
    assert failure.details["n_prompt_tokens"] > 400
    assert f"the model takes {CONTEXT}: " in failure.message


async def test_a_context_that_fills_up_while_writing_ends_the_reply_at_its_length(
    client: HttpModelRunner,
) -> None:
    # Without a limit of its own, the reply ends where the context does.
    endless = body(messages=[{"role": "user", "content": STORY}], max_tokens=None, ignore_eos=True)
    events, failure = await ask(client, endless)
    assert failure is None
    assert Finished("length") in events
    assert text_of(events)
    [usage] = [event for event in events if isinstance(event, Usage)]
    assert usage.prompt_tokens is not None
    assert usage.completion_tokens is not None
    assert usage.prompt_tokens + usage.completion_tokens == CONTEXT


async def test_a_reply_as_long_as_it_may_be_ends_at_its_length(client: HttpModelRunner) -> None:
    events, failure = await ask(client, body(messages=[{"role": "user", "content": STORY}], max_tokens=3))
    assert failure is None
    assert Finished("length") in events


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": [{"role": "martian", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": None}]},
        {"temperature": -1},
    ],
    ids=["no messages", "an unknown role", "content null", "a negative temperature"],
)
async def test_what_nobody_should_ask_is_answered_all_the_same_so_it_is_refused_before(
    fields: dict[str, Any], client: HttpModelRunner
) -> None:
    events, failure = await ask(client, body(**fields))
    assert failure is None, "should the runner refuse this one day, the refusal before it is no longer needed"
    assert any(isinstance(event, Finished) for event in events)


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        (json.dumps({"model": BUILTIN_MODEL, "stream": True}).encode(), "'messages' is required"),
        (body(temperature="hot"), "temperature"),
        (body(messages=5), "messages"),
    ],
    ids=["messages missing", "a temperature in words", "messages of another type"],
)
async def test_what_it_cannot_read_is_refused_in_its_own_words(
    request_body: bytes, words: str, client: HttpModelRunner
) -> None:
    events, failure = await ask(client, request_body)
    assert events == []
    assert failure is not None
    assert failure.code in ("runner_refused", "runner_error")
    assert words in failure.message.partition(" It said: ")[2]
    assert not failure.safe_to_retry


async def test_a_model_it_does_not_have_is_told_with_those_it_has(client: HttpModelRunner) -> None:
    _, failure = await ask(client, body(model="another"))
    assert failure is not None
    assert (failure.code, failure.http_status) == ("model_not_found", 404)
    assert BUILTIN_MODEL in failure.message


async def test_leaving_in_mid_stream_frees_its_place_at_once(client: HttpModelRunner) -> None:
    waited: list[float] = []
    for _ in range(4):  # more often than there are places
        async with client.stream_chat(
            body(messages=[{"role": "user", "content": STORY}], max_tokens=150)
        ) as s:
            async for event in s:
                if isinstance(event, Delta):
                    break
        left_at = time.monotonic()
        events, failure = await ask(client, body(max_tokens=1))
        waited.append(time.monotonic() - left_at)
        assert failure is None
        assert any(isinstance(event, Finished) for event in events)
    # A reply of 150 tokens takes seconds; two of them in every place would be waited for.
    assert min(waited) < 2


async def test_leaving_while_it_reads_the_prompt_frees_its_place_after_a_batch(real_url: str) -> None:
    client = HttpModelRunner(real_url, timeouts=PATIENT)
    seen: list[PromptProgress] = []
    # Two at once, so that both places are taken; each with words of its own, or the second would find them read.
    await asyncio.gather(*(_leave_while_it_reads(client, f"{place} word " * 1500, seen) for place in "ab"))
    assert seen, "it told how far it had come"
    assert all(0 < progress.processed < progress.total for progress in seen), "it was still reading"
    left_at = time.monotonic()
    _, failure = await ask(client, body(max_tokens=1))
    assert failure is None
    assert time.monotonic() - left_at < 10
    await client.aclose()


async def _leave_while_it_reads(client: HttpModelRunner, text: str, seen: list[PromptProgress]) -> None:
    asked = body(messages=[{"role": "user", "content": text}], return_progress=True)
    async with client.stream_chat(asked) as stream:
        async for event in stream:
            if isinstance(event, PromptProgress) and event.processed > 0:
                seen.append(event)
                return


async def test_an_engine_killed_in_mid_stream_looks_cut_and_its_model_is_loaded_again(
    small: Runner, client: HttpModelRunner
) -> None:
    events, failure = await _killed_in_mid_stream(client, small.engine)
    assert text_of(events)
    assert not any(isinstance(event, Finished) for event in events), "it must not look complete"
    assert (failure.code, failure.safe_to_retry) == ("stream_cut", False)
    codes: list[str] = []
    async with asyncio.timeout(60):
        while True:
            again, refusal = await ask(client, body())
            if refusal is None:
                break
            codes.append(refusal.code)
            # A request that still reached the dying engine may have begun.
            assert refusal.safe_to_retry == (refusal.code == "runner_loading")
            await asyncio.sleep(0.1)
    assert text_of(again)
    assert set(codes[1:]) <= {"runner_loading"}
    assert set(codes[:1]) <= {"runner_loading", "runner_error"}


async def test_a_runner_killed_in_mid_stream_is_cut_and_then_not_reachable() -> None:
    with running("--context", str(CONTEXT)) as runner:
        client = HttpModelRunner(f"{runner.url}/v1", timeouts=PATIENT)
        events, failure = await _killed_in_mid_stream(client, runner.process.pid)
        assert text_of(events)
        assert failure.code == "stream_cut"
        runner.process.wait(10)
        _, failure_after = await ask(client, body())
        assert failure_after is not None
        assert (failure_after.code, failure_after.safe_to_retry) == ("runner_unreachable", True)
        await client.aclose()


async def _killed_in_mid_stream(client: HttpModelRunner, pid: int) -> tuple[list[RunnerEvent], RunnerFailure]:
    events: list[RunnerEvent] = []
    alive = True
    asked = body(messages=[{"role": "user", "content": STORY}], max_tokens=None, ignore_eos=True)
    with pytest.raises(RunnerFailure) as caught:  # noqa: PT012  the failure comes while the stream is read
        async with client.stream_chat(asked) as stream:
            async for event in stream:
                events.append(event)
                if alive and isinstance(event, Delta):
                    os.kill(pid, signal.SIGKILL)
                    alive = False
    return events, caught.value
