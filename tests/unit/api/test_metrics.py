"""How requests find their route, and calls their series: bounded, whatever is asked for."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from backend.api.metrics.installation import call_metrics
from backend.api.metrics.requests import DURATION, LIVE_PATH, REQUESTS, STREAMS, counted, route_of
from projections.model_calls.figures import ENDED, FIRST_TOKEN, FIRST_TOKEN_BOUNDS_MS, RATE, Figure

ID = "0b6f2c3e-6c1a-4f2e-9a54-0a6f3f6c7a11"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        (f"/api/conversations/{ID}/", "/api/conversations/<uuid:conversation_id>/"),
        ("/api/conversations/", "/api/conversations/"),
        ("/healthz", "/healthz"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/models/anything-at-all", "/v1/models"),
        ("/v1/anything-else", "v1"),
        ("/assets/index-1234.js", "assets"),
        ("/", "page"),
        (f"/c/{ID}", "page"),
        ("/anything/at/all", "page"),
        ("/api/nothing/of/ours/", "other"),
    ],
)
def test_each_path_has_one_of_few_routes(path: str, route: str) -> None:
    assert route_of(path) == route


def requests_with(status: str) -> float:
    samples = [sample for family in REQUESTS.collect() for sample in family.samples]
    return sum(
        each.value
        for each in samples
        if each.labels["route"] == "/healthz"
        and each.labels["status"] == status
        and each.labels["method"] == "GET"
    )


async def receive() -> None:
    """Nothing to be had."""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ending", "sent", "status"),
    [
        (None, 204, "204"),
        (ValueError, None, "500"),
        (ValueError, 200, "200"),
        (asyncio.CancelledError, None, "499"),
        (asyncio.CancelledError, 200, "200"),
    ],
)
async def test_a_request_counts_once_however_it_ends(
    ending: type[BaseException] | None, sent: int | None, status: str
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if sent is not None:
            await send({"type": "http.response.start", "status": sent, "headers": []})
        if ending is not None:
            raise ending

    async def send(message: Any) -> None:
        """A server that answers in no time."""

    scope = {"type": "http", "method": "GET", "path": "/healthz"}
    before = requests_with(status)
    with nullcontext() if ending is None else pytest.raises(ending):
        await counted(application)(scope, receive, send)
    assert requests_with(status) == before + 1


@pytest.mark.asyncio
async def test_a_stream_is_open_until_it_ends_and_no_long_request() -> None:
    open_now = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        open_now.append(STREAMS._value.get())
        raise asyncio.CancelledError

    async def send(message: Any) -> None:
        """A server that answers in no time."""

    before = STREAMS._value.get()
    with pytest.raises(asyncio.CancelledError):
        await counted(application)({"type": "http", "method": "GET", "path": LIVE_PATH}, receive, send)
    assert (open_now, STREAMS._value.get()) == ([before + 1], before)
    timed = {sample.labels["route"] for family in DURATION.collect() for sample in family.samples}
    assert LIVE_PATH not in timed


def some(figure: str, calls: int = 1, total: int = 0, place: int = 0, **labels: str) -> Figure:
    known = {"runner": "gpu", "model": "m", "purpose": "", "source": "", "outcome": "", **labels}
    return Figure(figure=figure, calls=calls, total=total, place=place, **known)


def test_histograms_add_up() -> None:
    counted = [
        some(FIRST_TOKEN, 2, 60, place=0),
        some(FIRST_TOKEN, 1, 400_000, place=len(FIRST_TOKEN_BOUNDS_MS)),
        some(RATE, 5, 90_000, place=4),
    ]
    families = {family.name: family for family in call_metrics(counted)}
    samples = {
        (sample.name.removeprefix("verbatim_"), sample.labels.get("le")): sample.value
        for name in ("verbatim_first_token_seconds", "verbatim_tokens_per_second")
        for sample in families[name].samples
    }
    assert samples["first_token_seconds_bucket", "0.05"] == 2
    assert samples["first_token_seconds_bucket", "300.0"] == 2
    assert samples["first_token_seconds_bucket", "+Inf"] == 3
    assert samples["first_token_seconds_count", None] == 3
    assert samples["first_token_seconds_sum", None] == pytest.approx(400.06)
    assert samples["tokens_per_second_bucket", "10.0"] == 0
    assert samples["tokens_per_second_bucket", "20.0"] == 5
    assert samples["tokens_per_second_sum", None] == pytest.approx(90)


def test_turns_are_calls_for_replies() -> None:
    counted = [
        some(ENDED, 3, purpose="reply", source="browser", outcome="complete"),
        some(ENDED, 2, purpose="reply", source="api", outcome="failed"),
        some(ENDED, 7, purpose="title", source="browser", outcome="complete"),
    ]
    samples = {
        (sample.name, sample.labels.get("purpose"), sample.labels.get("source")): sample.value
        for family in call_metrics(counted)
        for sample in family.samples
    }
    assert samples["verbatim_turns_total", None, None] == 5
    assert samples["verbatim_model_calls_total", "reply", "api"] == 2
    assert samples["verbatim_model_calls_total", "title", "browser"] == 7
