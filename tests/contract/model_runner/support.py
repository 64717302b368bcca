"""What the tests of model runners share: a request, short limits, and one call from start to end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from backend.application.runner_port import Delta, ModelRunner, RunnerEvent, RunnerFailure
from backend.model_runner.patience import RunnerTimeouts

BODY = '{"messages":[{"content":"Grüße 👋","role":"user"}],"model":"a-model","stream":true}'.encode()
SHORT = RunnerTimeouts(connect=1.0, first_token=0.5, between_chunks=0.5, after_finish=0.3, listing=0.5)
PATIENT = RunnerTimeouts(first_token=60.0, between_chunks=60.0)


BUILTIN_MODEL = "smollm2-135m-instruct"


def body_asking(text: str, *, max_tokens: int = 12, model: str = BUILTIN_MODEL) -> bytes:
    request = {
        "max_tokens": max_tokens,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}],
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    return json.dumps(request).encode()


async def ask(runner: ModelRunner, body: bytes = BODY) -> tuple[list[RunnerEvent], RunnerFailure | None]:
    """Everything a call gave, and how it failed if it did."""
    events: list[RunnerEvent] = []
    try:
        async with runner.stream_chat(body) as stream:
            async for event in stream:
                events.append(event)
    except RunnerFailure as failure:
        return events, failure
    return events, None


def text_of(events: list[RunnerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


async def listing_failure(runner: ModelRunner) -> RunnerFailure:
    try:
        models = await runner.list_models()
    except RunnerFailure as failure:
        return failure
    raise AssertionError(f"it listed {models}")


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait for what only the other side of a socket can show."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  the other side sends no signal
            await asyncio.sleep(0.005)
