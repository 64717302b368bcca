"""What a runner offers and which version it is: asked briefly, and never in the way of a reply."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from backend.application.runner_port import RunnerModel
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.scripted import CONTEXT_TOKENS, MODEL_ID, ScriptedRunner
from tests.contract.model_runner.support import SHORT, listing_failure
from tests.support.stack import free_port

pytestmark = pytest.mark.asyncio

ONE = {"data": [{"id": "smollm2-135m-instruct", "meta": {"n_ctx_train": 2048}}]}


@asynccontextmanager
async def serving(pages: Mapping[str, object], base: str = "/v1") -> AsyncIterator[HttpModelRunner]:
    """A server with these pages: a value as JSON, bytes as they are, a number as a status, None without an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        page = pages.get(path, 404)
        if page is None:
            await reader.read()
        else:
            status = page if isinstance(page, int) else 200
            body = (
                page
                if isinstance(page, bytes)
                else json.dumps({} if isinstance(page, int) else page).encode()
            )
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    runner = HttpModelRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{base}", timeouts=SHORT)
    try:
        yield runner
    finally:
        await runner.aclose()
        server.close()


async def test_models_are_listed_with_their_context(
    client: HttpModelRunner, scripted: ScriptedRunner
) -> None:
    assert await client.list_models() == (RunnerModel(MODEL_ID, CONTEXT_TOKENS),)
    assert scripted.requests[0].headers["authorization"] == "Bearer the-key"


async def test_the_room_of_one_slot_counts_not_the_room_of_the_training() -> None:
    pages = {"/v1/models": ONE, "/props": {"default_generation_settings": {"n_ctx": 8192}}}
    async with serving(pages) as runner:
        assert await runner.list_models() == (RunnerModel("smollm2-135m-instruct", 8192, True),)


async def test_llama_cpp_tells_context_and_size_of_its_one_model() -> None:
    """As a recent llama-server answers; the size of the training is not what a request gets."""
    meta = {"vocab_type": 2, "n_ctx": 4096, "n_ctx_train": 131072, "n_params": 3212749888, "size": 2013265920}
    entry = {"id": "llama-3.2-3b", "object": "model", "owned_by": "llamacpp", "meta": meta}
    async with serving({"/v1/models": {"object": "list", "data": [entry]}}) as runner:
        assert await runner.list_models() == (RunnerModel("llama-3.2-3b", 4096, size_bytes=2013265920),)


async def test_llama_cpp_with_several_models_tells_which_are_loaded() -> None:
    """As llama-server answers where it was started without a model."""
    states: list[dict[str, object]] = [
        {"value": "loaded", "args": ["llama-server", "--ctx-size", "8192"]},
        {"value": "loading", "args": []},
        {"value": "unloaded", "args": [], "failed": True, "exit_code": 1},
        {"value": None},
    ]
    entries: list[dict[str, object]] = [
        {
            "id": f"model-{number}",
            "object": "model",
            "owned_by": "llamacpp",
            "in_cache": True,
            "status": state,
        }
        for number, state in enumerate(states)
    ]
    entries.append({"id": "another-server", "status": "ok"})
    async with serving({"/v1/models": {"object": "list", "data": entries}}) as runner:
        assert [model.loaded for model in await runner.list_models()] == [True, False, False, None, None]


@pytest.mark.parametrize("props", [404, 503, b"nonsense", {}, None])
async def test_a_runner_without_props_is_listed_all_the_same(props: object) -> None:
    async with serving({"/v1/models": ONE, "/props": props}) as runner:
        assert await runner.list_models() == (RunnerModel("smollm2-135m-instruct", 2048, True),)


async def test_props_say_nothing_about_several_models() -> None:
    pages = {
        "/engines/v1/models": {"data": [{"id": "ai/a"}, {"id": "ai/b"}]},
        "/engines/props": {"default_generation_settings": {"n_ctx": 1}},
    }
    async with serving(pages, "/engines/v1/") as runner:
        assert await runner.list_models() == (RunnerModel("ai/a"), RunnerModel("ai/b"))


@pytest.mark.parametrize(
    ("page", "code", "words"),
    [
        (404, "runner_refused", "Check MODEL_RUNNER_URL"),
        (401, "runner_refused", "MODEL_RUNNER_API_KEY"),
        (500, "runner_error", "HTTP 500"),
        (b"<html>", "bad_response", "not JSON"),
        ({"models": []}, "bad_response", "no `data`"),
    ],
)
async def test_what_is_no_listing_is_explained(page: object, code: str, words: str) -> None:
    async with serving({"/v1/models": page}) as runner:
        failure = await listing_failure(runner)
    assert failure.code == code
    assert words in failure.message


async def test_a_listing_that_does_not_come_is_not_waited_for() -> None:
    async with serving({"/v1/models": None}) as runner:
        began = time.monotonic()
        failure = await listing_failure(runner)
    assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
    assert "did not answer within 0.5 seconds" in failure.message
    assert time.monotonic() - began < 1.5


async def test_nobody_there_has_no_models_and_no_version() -> None:
    runner = HttpModelRunner(f"http://127.0.0.1:{free_port()}/v1", timeouts=SHORT)
    failure = await listing_failure(runner)
    assert (failure.code, failure.safe_to_retry) == ("runner_unreachable", True)
    assert await runner.version() is None
    await runner.aclose()


@pytest.mark.parametrize(
    ("pages", "version"),
    [
        ({"/props": {"build_info": "b9000-abc"}, "/version": {"version": "1"}}, "b9000-abc"),
        ({"/version": {"version": "0.12.0"}}, "0.12.0"),
        ({"/api/version": {"version": "0.9.1"}}, "0.9.1"),
        ({"/props": b"nonsense", "/version": 500}, None),
        ({"/props": None, "/version": {"version": "0.12.0"}}, "0.12.0"),
        ({}, None),
    ],
)
async def test_the_version_is_found_where_each_runner_keeps_it(
    pages: dict[str, object], version: str | None
) -> None:
    async with serving(pages) as runner:
        assert await runner.version() == version


async def test_no_connection_is_used_twice_so_none_can_have_died_while_it_idled() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b'HTTP/1.1 200 X\r\nContent-Length: 11\r\n\r\n{"data":[]}')
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    runner = HttpModelRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeouts=SHORT)
    for _ in range(3):
        assert await runner.list_models() == ()
    assert connections == 3
    await runner.aclose()
    server.close()
