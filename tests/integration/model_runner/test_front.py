"""What the built-in runner's front does with a request: lists, refuses, or passes on byte for byte and at once.

The model behind it is the scripted runner here; the real one is in tests/integration/embedded/test_builtin_runner.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from backend.application.runner_port import Delta
from backend.model_runner.builtin.engine_process import EngineOptions
from backend.model_runner.builtin.errors import CannotLoad
from backend.model_runner.builtin.files import ModelFile, ModelFiles
from backend.model_runner.builtin.front import Front
from backend.model_runner.builtin.loading import Models, Patience
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import PATIENT, ask, body_asking, text_of, until
from tests.integration.model_runner.support import model, put

pytestmark = pytest.mark.asyncio

BODY = body_asking("Grüße", model="first")


@dataclass
class Engine:
    """Stands for a process: the scripted runner's port."""

    port: int
    on_end: Callable[[], None]
    is_running: bool = True

    async def end(self) -> None:
        self.die()

    def die(self) -> None:
        if self.is_running:
            self.is_running = False
            self.on_end()


class World:
    """A front with the model `first` in memory, and a folder for more of them."""

    def __init__(self, folder: Path, engine: ScriptedRunner) -> None:
        self.folder = folder
        self.scripted = engine
        self.engines: dict[str, Engine] = {}
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.files = ModelFiles(put(folder.parent, "first.gguf", model(2048)), "first", folder)
        self.models = Models(self._start, 1, Patience(keep=0.05, reserve=1.0, drain=0.5))
        self.front = Front("127.0.0.1", 0, self.files, self.models, EngineOptions(8192, 2, 1))

    async def _start(self, file: ModelFile, on_end: Callable[[], None]) -> Engine:
        await self.may_load.wait()
        if "truncated" in file.id:
            raise CannotLoad(f"tensor 'x' of {file.path} is not within the file bounds")
        port = int(self.scripted.url.rpartition(":")[2].removesuffix("/v1"))
        engine = self.engines[file.id] = Engine(port, on_end)
        return engine

    @property
    def port(self) -> int:
        return int(self.front.url.rpartition(":")[2].removesuffix("/v1"))

    async def open(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        return reader, writer

    async def exchange(self, request: bytes) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        reader, writer = await self.open(request)
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split(b" ")[1]), json.loads(body)

    async def get(self, target: str) -> tuple[int, Any]:
        return await self.exchange(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    async def post(self, body: bytes = BODY) -> tuple[int, Any]:
        return await self.exchange(posted(body))

    def client(self) -> HttpModelRunner:
        return HttpModelRunner(self.front.url, timeouts=PATIENT)


def posted(body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    lines = "".join(f"{header}\r\n" for header in (f"Content-Length: {len(body)}", *headers))
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def running(folder: Path, *, load_first: bool = True) -> AsyncIterator[World]:
    async with ScriptedRunner(delay_ms=0) as scripted:
        world = World(folder, scripted)
        if load_first:
            await world.models.load(world.files.listed()[0])
        loading = asyncio.create_task(world.models.run())
        async with world.front:
            yield world
        assert not loading.done(), loading
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path / "models") as made:
        yield made


# ---- passing on ---------------------------------------------------------------------------------


async def test_a_request_and_its_answer_are_passed_on_byte_for_byte(world: World) -> None:
    request = posted(BODY, "Content-Type: application/json", "Authorization: Bearer k", "X-Own: ü")
    direct_reader, direct_writer = await asyncio.open_connection("127.0.0.1", world.engines["first"].port)
    direct_writer.write(request)
    direct = await direct_reader.read()
    reader, writer = await world.open(request)
    assert await reader.read() == direct
    assert b"data: [DONE]" in direct
    straight, passed_on = world.scripted.completions
    assert passed_on.body == straight.body == BODY
    assert passed_on.headers == {**straight.headers, "connection": "close"}
    direct_writer.close()
    writer.close()


async def test_what_the_model_says_is_passed_on_before_it_says_more(world: World) -> None:
    world.scripted.play(Script().text("One").hold().text(" two").complete())
    client = world.client()
    async with asyncio.timeout(5), client.stream_chat(BODY) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                assert event.text == "One"
                break
        world.scripted.release()
        assert text_of([event async for event in stream]) == " two"
    await client.aclose()


async def test_two_streams_at_once_do_not_wait_for_each_other(world: World) -> None:
    world.scripted.play(Script().text("slow").hold().complete(), Script().text("quick").complete())
    client = world.client()
    slow = asyncio.create_task(ask(client, BODY))
    await until(lambda: world.scripted.completions)
    events, failure = await ask(client, BODY)
    assert (text_of(events), failure) == ("quick", None)
    assert not slow.done()
    world.scripted.release()
    events, failure = await slow
    assert (text_of(events), failure) == ("slow", None)
    await client.aclose()


@pytest.mark.parametrize(
    "script", [Script().never(), Script().headers().never(), Script().text("One").never()]
)
async def test_a_client_that_leaves_ends_the_models_work_at_once(world: World, script: Script) -> None:
    world.scripted.play(script)
    _, writer = await world.open(posted(BODY))
    await until(lambda: world.scripted.completions)
    await asyncio.sleep(0.05)
    left_at = time.monotonic()
    writer.transport.abort()
    [request] = world.scripted.completions
    await until(lambda: request.closed_at is not None)
    assert request.closed_at is not None
    assert request.closed_at - left_at < 0.2


async def test_a_client_that_leaves_in_mid_stream_ends_the_models_work_at_once(world: World) -> None:
    world.scripted.play(Script().words("one two three " * 500, delay_ms=5).complete())
    client = world.client()
    async with client.stream_chat(BODY) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                break
    left_at = time.monotonic()
    [request] = world.scripted.completions
    await until(lambda: request.closed_at is not None)
    assert request.closed_at is not None
    assert request.closed_at - left_at < 0.2
    await client.aclose()


async def test_a_client_that_does_not_read_slows_nobody_else(world: World) -> None:
    world.scripted.play(Script().data({"filler": "x" * 20_000_000}).complete())
    _, deaf = await world.open(posted(BODY))
    await until(lambda: world.scripted.completions)
    events, failure = await ask(client := world.client(), BODY)
    assert failure is None
    assert text_of(events)
    deaf.transport.abort()
    await client.aclose()


async def test_a_model_that_ends_in_mid_stream_looks_cut_not_complete(world: World) -> None:
    world.scripted.play(Script().text("One").cut())
    client = world.client()
    events, failure = await ask(client, BODY)
    assert text_of(events) == "One"
    assert failure is not None
    assert failure.code == "stream_cut"
    await client.aclose()


async def test_a_model_that_ends_before_its_first_word_is_told_in_words(world: World) -> None:
    world.scripted.play(Script().cut())
    status, body = await world.post()
    assert status == 500
    assert body["error"]["message"] == (
        "The model first ended while it worked on this request. It is started again with the next one."
    )


async def test_questions_about_no_model_go_to_the_one_in_memory(world: World) -> None:
    assert (await world.get("/props"))[0] == 404, "the scripted runner has no such page"
    await world.exchange(posted(b'{"content": "x"}', path="/tokenize"))
    await world.get("/props?model=FIRST")
    assert [request.path for request in world.scripted.requests] == [
        "/props",
        "/tokenize",
        "/props?model=FIRST",
    ]


# ---- models -------------------------------------------------------------------------------------


async def test_the_list_tells_of_each_model_what_a_choice_needs(world: World) -> None:
    put(world.folder, "Other.gguf", model(32768))
    put(world.folder, "page.gguf", b"<html>")
    status, listing = await world.get("/v1/models")
    assert (status, listing["object"]) == (200, "list")
    first, other, page = listing["data"]
    assert first["id"] == "first"
    assert (first["loaded"], first["demonstration"], first["size_bytes"]) == (True, False, len(model()))
    assert first["meta"]["n_ctx"] == 2048, "no more than it was trained for"
    assert (other["id"], other["loaded"], other["meta"]["n_ctx"]) == ("other", False, 8192)
    assert "error" not in first
    assert "error" not in other
    assert page["error"] == (
        "The model file page.gguf cannot be loaded: it is not a GGUF file: it begins with '<htm', expected 'GGUF'."
    )
    assert (await world.get("/models"))[1] == listing


async def test_asking_for_another_model_says_loading_and_then_it_answers(world: World) -> None:
    put(world.folder, "other.gguf")
    world.may_load.clear()
    body = body_asking("Hello", model="other")
    for _ in range(2):
        status, answer = await world.post(body)
        assert status == 503
        assert answer == {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    await asyncio.sleep(0.1)
    assert (await world.get("/health"))[0] == 503, "while one is exchanged for the other"
    world.may_load.set()
    await until(lambda: "other" in world.engines)
    await asyncio.sleep(0.02)
    events, failure = await ask(client := world.client(), body)
    assert failure is None
    assert text_of(events)
    assert [entry["loaded"] for entry in (await world.get("/v1/models"))[1]["data"]] == [False, True]
    await client.aclose()


async def test_a_client_that_leaves_while_its_model_loads_does_not_stop_the_loading(world: World) -> None:
    put(world.folder, "other.gguf")
    world.may_load.clear()
    body = body_asking("Hello", model="other")
    _, writer = await world.open(posted(body))
    await asyncio.sleep(0.1)
    writer.transport.abort()
    _, half = await world.open(posted(body)[:-10])
    half.transport.abort()
    world.may_load.set()
    await until(lambda: "other" in world.engines)
    await asyncio.sleep(0.02)
    client = world.client()
    events, failure = await ask(client, body)
    assert failure is None
    assert text_of(events)
    await client.aclose()


async def test_before_the_first_model_is_loaded_the_list_is_there_and_everything_else_says_loading(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "models", load_first=False) as world:
        world.may_load.clear()
        assert [entry["loaded"] for entry in (await world.get("/v1/models"))[1]["data"]] == [False]
        assert (await world.get("/health"))[0] == 503
        assert (await world.get("/props"))[0] == 503
        assert (await world.post())[0] == 503


async def test_a_file_that_llama_cpp_refuses_is_told_by_name_without_its_place(world: World) -> None:
    put(world.folder, "truncated.gguf")
    body = body_asking("Hello", model="truncated")
    assert (await world.post(body))[0] == 503
    await asyncio.sleep(0.2)
    status, answer = await world.post(body)
    expected = "The model file truncated.gguf cannot be loaded: tensor 'x' of truncated.gguf is not within the file bounds."
    assert (status, answer["error"]["message"]) == (500, expected)
    assert (await world.get("/v1/models"))[1]["data"][1]["error"] == expected
    assert (await world.get("/health"))[0] == 200, "the model before it is back"


async def test_a_file_that_is_no_model_is_refused_at_once_and_ends_no_other(world: World) -> None:
    put(world.folder, "page.gguf", b"<html>")
    status, answer = await world.post(body_asking("Hello", model="page"))
    assert status == 500
    assert "page.gguf cannot be loaded: it is not a GGUF file" in answer["error"]["message"]
    assert (await world.get("/health")) == (200, {"status": "ok"})


@pytest.mark.parametrize("body", [b'{"model": "another"}', b'{"model": 5}', b'{"messages": []}', b"[]", b""])
async def test_a_model_that_is_not_there_or_not_named_is_answered_with_those_that_are(
    world: World, body: bytes
) -> None:
    put(world.folder, "other.gguf")
    status, answer = await world.post(body)
    assert status == 404
    assert (answer["error"]["code"], answer["error"]["param"]) == ("model_not_found", "model")
    assert answer["error"]["message"].endswith("It has: first, other.")


# ---- what is no request -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (posted(b"{"), 400),
        (b"HELLO\r\n\r\n", 400),
        (b"GET / SPDY/1\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_cannot_be_passed_on_is_refused_in_openais_shape(
    world: World, request_bytes: bytes, status: int
) -> None:
    answered, body = await world.exchange(request_bytes)
    assert (answered, body["error"]["type"], body["error"]["code"]) == (
        status,
        "invalid_request_error",
        status,
    )
    assert world.scripted.requests == []


async def test_a_client_that_waits_for_permission_to_send_a_large_body_gets_it(world: World) -> None:
    request = posted(BODY, "Expect: 100-continue")
    reader, writer = await world.open(request[: -len(BODY)])
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    assert "expect" not in world.scripted.completions[0].headers
    writer.close()


async def test_a_connection_that_says_nothing_and_leaves_is_no_trouble(world: World) -> None:
    _, writer = await world.open(b"")
    writer.close()
    _, writer = await world.open(b"POST /v1/chat")
    writer.transport.abort()
    assert (await world.get("/health"))[0] == 200
