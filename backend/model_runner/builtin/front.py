"""The one door of the built-in runner: lists its models, and passes every other request on to the model it names.

Decides neither which model is in memory nor what a model answers.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager
from typing import Final, Self
from urllib.parse import parse_qs

from backend.model_runner.builtin import answers
from backend.model_runner.builtin.engine_process import EngineOptions
from backend.model_runner.builtin.errors import CannotLoad, StillLoading
from backend.model_runner.builtin.files import ModelFile, ModelFiles
from backend.model_runner.builtin.loading import Models
from backend.model_runner.builtin.relay import (
    LONGEST_HEAD_BYTES,
    BadRequest,
    EngineGone,
    Request,
    read_request,
    relay,
    send_and_finish,
)

LISTINGS: Final = ("/v1/models", "/models")
WAITING_CONNECTIONS: Final = 256


class Front:
    """Use as an async context manager; it serves until the context is left."""

    def __init__(
        self, host: str, port: int, files: ModelFiles, models: Models, options: EngineOptions
    ) -> None:
        self._host = host
        self._port = port
        self._files = files
        self._models = models
        self._options = options
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve,
            self._host,
            self._port,
            limit=LONGEST_HEAD_BYTES,
            backlog=WAITING_CONNECTIONS,
            # The supervisor keeps the port reserved with a socket of its own that never listens.
            reuse_port=True,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                request = await read_request(reader, writer)
                reply = None if request is None else await self._answer(request, reader, writer)
            except BadRequest as problem:
                reply = answers.failure(problem.status, "invalid_request_error", problem.message)
            if reply is not None:
                await send_and_finish(reply, reader, writer)
        except ConnectionError:
            pass  # the client went away
        finally:
            writer.close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        """Our own answer, or None where the model's has been passed on."""
        if request.method == "GET" and request.path in LISTINGS:
            return self._listing()
        if request.method == "GET" and request.path == "/health":
            return answers.answer(200, {"status": "ok"}) if self._any_loaded() else answers.loading()
        name = _model_named(request)
        model: ModelFile | None = None
        if name is not None or (request.method == "POST" and request.path.startswith("/v1/")):
            listed = self._files.listed()
            model = self._files.find(name, listed) if name is not None else None
            if model is None:
                return answers.no_such_model(name, listed)
            if model.problem is not None:
                return answers.cannot_load(model, model.problem)
        try:
            with self._port_for(model) as port:
                answered = await relay(request, port, reader, writer)
        except (StillLoading, EngineGone):
            # An engine that has just died is started again for the next request; this one has begun nothing.
            return answers.loading()
        except CannotLoad as failure:
            assert model is not None
            return answers.cannot_load(model, str(failure))
        return None if answered else answers.engine_ended(model)

    def _port_for(self, model: ModelFile | None) -> AbstractContextManager[int]:
        return self._models.using_any() if model is None else self._models.using(model)

    def _listing(self) -> bytes:
        entries = [
            answers.listing_entry(
                model,
                self._options.context_of(model),
                self._models.is_loaded(model),
                model.problem or self._models.failure_of(model),
            )
            for model in self._files.listed()
        ]
        return answers.answer(200, {"object": "list", "data": entries})

    def _any_loaded(self) -> bool:
        return any(self._models.is_loaded(model) for model in self._files.listed())


def _model_named(request: Request) -> str | None:
    """The model in the body, or in the address of a request without one; None where none is named."""
    if not request.body:
        return next(iter(parse_qs(request.target.partition("?")[2]).get("model", [])), None)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadRequest(400, "The body of the request is not JSON.") from None
    named = body.get("model") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named else None
