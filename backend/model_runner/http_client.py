"""Model runners over HTTP: the only module that imports httpx.

Sends the prompt's bytes as they are, reads server-sent events, and turns everything that can go wrong
on the way into a RunnerFailure with words for the person who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from backend.application.runner_port import (
    Delta,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    RunnerModel,
    StillThere,
    ToolCallFragment,
)
from backend.model_runner import wire
from backend.model_runner.sse import Comment, LineTooLong, SseParser

STREAMS_AT_ONCE = 512
ERROR_BODY_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True)
class RunnerTimeouts:
    """In seconds. first_token is long because some runners load the model inside the first request.

    Comment pings keep `between_chunks` from running out, never `first_token`.
    """

    connect: float = 5.0
    first_token: float = 310.0
    between_chunks: float = 60.0
    listing: float = 3.0


class HttpModelRunner:
    """Implements backend.application.runner_port.ModelRunner. Belongs to one event loop."""

    def __init__(
        self, url: str, *, api_key: str | None = None, name: str = "", timeouts: RunnerTimeouts | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._place = urlsplit(self._url).netloc.rpartition("@")[2]
        self._name = name or self._place
        self._timeouts = timeouts or RunnerTimeouts()
        headers = {"Accept-Encoding": "identity", "User-Agent": "verbatim"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            # A proxy or a netrc entry of the machine must never see prompts.
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=self._timeouts.connect),
            limits=httpx.Limits(max_connections=STREAMS_AT_ONCE, max_keepalive_connections=32),
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return self._url

    @asynccontextmanager
    async def stream_chat(self, body: bytes) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        request = self._client.build_request(
            "POST",
            f"{self._url}/chat/completions",
            content=body,
            headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
        )
        deadline = asyncio.get_running_loop().time() + self._timeouts.first_token
        response = await self._send(request, deadline)
        try:
            if response.status_code != 200:
                raise wire.failure_of_response(response.status_code, await self._error_body(response), self._place)
            yield self._events(response, deadline)
        finally:
            await response.aclose()

    async def list_models(self) -> tuple[RunnerModel, ...]:
        listing = await self._get(f"{self._url}/models")
        if listing.status_code != 200:
            raise wire.failure_of_response(listing.status_code, listing.content, self._place)
        models = wire.models_of_listing(listing.content)
        if len(models) == 1:
            # llama.cpp lists the context the model was trained for; what one request gets stands in its /props.
            try:
                props = await self._get(f"{self._url.removesuffix('/v1')}/props")
                size = wire.context_of_props(props.content) if props.status_code == 200 else None
            except RunnerFailure:
                size = None
            if size is not None:
                models = (RunnerModel(models[0].id, size, models[0].demonstration),)
        return models

    async def version(self) -> str | None:
        try:
            props = await self._get(f"{self._url.removesuffix('/v1')}/props")
        except RunnerFailure:
            return None
        if props.status_code != 200:
            return None
        try:
            build = props.json().get("build_info")
        except (ValueError, AttributeError):
            return None
        return build if isinstance(build, str) else None

    async def aclose(self) -> None:
        await self._client.aclose()

    # ---- inside -----------------------------------------------------------------------------

    async def _send(self, request: httpx.Request, deadline: float) -> httpx.Response:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._client.send(request, stream=True)
        except TimeoutError:
            raise self._no_first_token() from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable() from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise RunnerFailure(
                "runner_error",
                f"The model runner at {self._place} closed the connection without an answer. "
                "Retry, and look at its log if it happens again.",
            ) from error

    async def _events(self, response: httpx.Response, deadline: float) -> AsyncIterator[RunnerEvent]:
        parser = SseParser()
        bytes_of_response = response.aiter_raw()
        loop = asyncio.get_running_loop()
        got_token = False
        identity: ResponseIdentity | None = None
        # Answers without a stream: one JSON object, whatever was asked for.
        if "application/json" in response.headers.get("content-type", ""):
            for event in wire.events_of_data((await self._whole_body(response, deadline)).decode("utf-8", "replace")):
                yield event
            return
        while True:
            try:
                until = loop.time() + self._timeouts.between_chunks if got_token else deadline
                async with asyncio.timeout_at(until):
                    data = await anext(bytes_of_response, b"")
            except TimeoutError:
                raise self._silent() if got_token else self._no_first_token() from None
            except httpx.TransportError as error:
                raise self._cut() from error
            if not data:
                return
            try:
                found = parser.feed(data)
            except LineTooLong as error:
                raise wire.bad_response(str(error)) from error
            for item in found:
                if isinstance(item, Comment):
                    yield StillThere()
                    continue
                if item.data.strip() == wire.DONE:
                    return
                for event in wire.events_of_data(item.data):
                    if event == identity:
                        continue  # every chunk repeats who answers
                    if isinstance(event, ResponseIdentity):
                        identity = event
                    got_token = got_token or isinstance(event, Delta | ToolCallFragment)
                    yield event

    async def _whole_body(self, response: httpx.Response, deadline: float) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                return await response.aread()
        except TimeoutError:
            raise self._no_first_token() from None
        except httpx.TransportError as error:
            raise self._cut() from error

    async def _error_body(self, response: httpx.Response) -> bytes:
        body = b""
        try:
            async with asyncio.timeout(self._timeouts.listing):
                async for data in response.aiter_raw():
                    body += data
                    if len(body) > ERROR_BODY_LIMIT_BYTES:
                        break
        except (TimeoutError, httpx.TransportError):
            # The status alone says enough; whatever of the body came is used.
            return body
        return body

    async def _get(self, url: str) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeouts.listing):
                return await self._client.get(url)
        except TimeoutError:
            raise RunnerFailure(
                "runner_unreachable",
                f"The model runner at {self._place} did not answer within {self._timeouts.listing:g} seconds.",
                safe_to_retry=True,
            ) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable() from error

    def _unreachable(self) -> RunnerFailure:
        return RunnerFailure(
            "runner_unreachable",
            f"The model runner at {self._place} does not answer. Start it, then retry.",
            safe_to_retry=True,
        )

    def _no_first_token(self) -> RunnerFailure:
        return RunnerFailure(
            "first_token_timeout",
            f"The model runner at {self._place} sent no word within {self._timeouts.first_token:g} seconds. "
            "It may be busy or still loading the model; retry later.",
        )

    def _silent(self) -> RunnerFailure:
        return RunnerFailure(
            "stream_silent",
            f"The model runner at {self._place} fell silent for {self._timeouts.between_chunks:g} seconds. "
            "The text up to there is kept.",
        )

    def _cut(self) -> RunnerFailure:
        return RunnerFailure(
            "stream_cut",
            f"The connection to the model runner at {self._place} broke. The text up to there is kept.",
        )
