"""Model runners over HTTP: the only module that imports httpx.

Sends the prompt's bytes as they are, reads server-sent events, and turns everything that can go wrong
on the way into a RunnerFailure with words for the person who waits. Never retries: whether asking again
could repeat something is for the caller to judge.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import cast
from urllib.parse import unquote, urlsplit

import httpx

from backend.application.runner_port import (
    AsWritten,
    Line,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    RunnerModel,
    StillThere,
)
from backend.model_runner import details, failures, wire
from backend.model_runner.http_exchange import BrokenAnswer, HttpExchange, connect
from backend.model_runner.line import Line as MadeLine
from backend.model_runner.patience import Patience, RunnerTimeouts
from backend.model_runner.runner_settings import FIRST_VARIABLES, OPENAI_COMPATIBLE
from backend.model_runner.sse import (
    EVENT_LIMIT_CHARACTERS,
    Comment,
    EventTooLong,
    OtherField,
    ServerSentEvent,
    SseItem,
    SseParser,
)

ERROR_BODY_LIMIT_BYTES = 64 * 1024
_LINE = "line"
"""Under this name a request carries a connection that was made before it."""


class HttpModelRunner:
    """Implements backend.application.runner_port.ModelRunner. Belongs to one event loop."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        name: str = "",
        kind: str = OPENAI_COMPATIBLE,
        variables: str = FIRST_VARIABLES,
        timeouts: RunnerTimeouts | None = None,
    ) -> None:
        """url: up to and including /v1; a user and password in it are sent, and shown nowhere.

        kind: one of runner_settings.KINDS; says where else models are described. variables: what the names of
        this runner's settings begin with, for advice.
        Raises ValueError for a key that no HTTP header can carry.
        """
        parts = urlsplit(url.rstrip("/"))
        self._place = parts.netloc.rpartition("@")[2]
        self._url = parts._replace(netloc=self._place).geturl()
        self._name = name or self._place
        self._kind = kind
        self._variables = variables
        self._timeouts = timeouts or RunnerTimeouts()
        # Identity, so that no server holds words back to compress them.
        headers = {"Accept-Encoding": "identity", "User-Agent": "verbatim", "Connection": "close"}
        if api_key and (key := api_key.strip()):
            headers["Authorization"] = f"Bearer {_header_text(key)}"
        self._transport = _Transport(self._timeouts.connect, tls=parts.scheme != "http")
        self._client = httpx.AsyncClient(
            headers=headers,
            auth=_basic_auth(parts.username, parts.password) if "Authorization" not in headers else None,
            # A proxy or a netrc entry of the machine must never see prompts.
            trust_env=False,
            follow_redirects=False,
            transport=self._transport,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return self._url

    def stream_chat(self, body: bytes) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        return self._chat(body, self._timeouts.first_token, as_written=False)

    def reach(self) -> Line:
        return MadeLine(self._transport.connect(httpx.URL(self._url)))

    def pass_chat(
        self, body: bytes, *, whole: bool, line: Line | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        patience_s = self._timeouts.whole_answer if whole else self._timeouts.first_token
        return self._chat(body, patience_s, as_written=True, line=line)

    @asynccontextmanager
    async def _chat(
        self, body: bytes, patience_s: float, *, as_written: bool, line: Line | None = None
    ) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        request = self._client.build_request(
            "POST",
            f"{self._url}/chat/completions",
            content=body,
            headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
            extensions={} if line is None else {_LINE: line},
        )
        deadline = asyncio.get_running_loop().time() + patience_s
        response = await self._send(request, deadline)
        try:
            if response.status_code != 200:
                error = await self._error_body(response)
                pause = failures.retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                raise failures.failure_of_response(
                    response.status_code, error, self._place, variables=self._variables, retry_after_s=pause
                )
            async with aclosing(self._events(response, deadline, as_written)) as events:
                yield events
        finally:
            await response.aclose()

    async def list_models(self) -> tuple[RunnerModel, ...]:
        listing = await self._get(f"{self._url}/models")
        if listing.status_code != 200:
            raise failures.failure_of_listing(
                listing.status_code, listing.content, self._place, variables=self._variables
            )
        models = wire.models_of_listing(listing.content)
        if len(models) == 1:
            # llama.cpp lists the context the model was trained for; what one request gets stands in its /props.
            props = await self._page("/props")
            models = (wire.with_context(models[0], wire.context_of_props(props)),)
        pages = await asyncio.gather(
            *(self._page(path, details.root_of(self._url)) for path in details.PAGES.get(self._kind, ()))
        )
        return details.with_details(self._kind, models, tuple(pages))

    async def version(self) -> str | None:
        # llama.cpp, vLLM, Ollama; asked together, because a call waits for the answer.
        pages = await asyncio.gather(*(self._page(path) for path in ("/props", "/version", "/api/version")))
        return next((version for version in map(wire.version_in, pages) if version is not None), None)

    async def aclose(self) -> None:
        await self._client.aclose()

    # ---- inside -----------------------------------------------------------------------------

    async def _send(self, request: httpx.Request, deadline: float) -> httpx.Response:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._client.send(request, stream=True)
        except TimeoutError:
            raise failures.no_first_token(self._place, self._timeouts.first_token) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            raise self._not_connected(error) from error
        except httpx.TransportError as error:
            raise failures.closed_without_answer(self._place) from error

    def _not_connected(self, error: Exception) -> RunnerFailure:
        if isinstance(error.__cause__, ssl.SSLError):
            why = getattr(error.__cause__, "verify_message", "")
            return failures.no_secure_connection(self._place, why, variables=self._variables)
        return failures.unreachable(self._place)

    async def _events(
        self, response: httpx.Response, deadline: float, as_written: bool
    ) -> AsyncGenerator[RunnerEvent, None]:
        """Everything the answer tells; deadline: when the first token must have come."""
        yield StillThere()  # the headers
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/html":
            raise failures.web_page(variables=self._variables)
        if kind == "application/json":
            # Some servers do not stream, whatever was asked for: one JSON object holds it all.
            text = (await self._whole_body(response, deadline)).decode("utf-8", "replace")
            for event in wire.events_of_data(text, self._place):
                yield event
            if as_written:
                yield AsWritten(text)
            return
        parser, patience = SseParser(), Patience(self._timeouts, deadline)
        identity: ResponseIdentity | None = None
        async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_bytes())) as stream:
            while data := await self._read(stream, patience):
                for item in _items(parser, data):
                    if isinstance(item, ServerSentEvent) and item.data.strip() == wire.DONE:
                        return
                    for event in self._events_of(item):
                        patience.note(event)
                        if isinstance(event, ResponseIdentity):
                            if event == identity:
                                continue  # every chunk repeats who answers
                            identity = event
                        yield event
                    if as_written and isinstance(item, ServerSentEvent) and item.data:
                        yield AsWritten(item.data)

    def _events_of(self, item: SseItem) -> Iterator[RunnerEvent]:
        match item:
            case Comment():
                yield StillThere()
            case OtherField("error", text) | ServerSentEvent(text, "error"):
                raise failures.failure_of_error(
                    failures.error_of_text(text), http_status=None, runner=self._place
                )
            case OtherField():
                pass  # the specification wants fields it does not know to be ignored
            case ServerSentEvent():
                yield from wire.events_of_data(item.data, self._place)

    async def _read(self, stream: AsyncIterator[bytes], patience: Patience) -> bytes:
        """The next bytes; nothing at the end of the stream, or where all has been said."""
        try:
            async with asyncio.timeout_at(patience.until):
                return await anext(stream, b"")
        except TimeoutError:
            match patience.waits_for:
                case "first token":
                    raise failures.no_first_token(self._place, self._timeouts.first_token) from None
                case "next chunk":
                    raise failures.silent(self._place, self._timeouts.between_chunks) from None
                case "end":
                    return b""
        except httpx.DecodingError as error:
            raise failures.bad_response(f"its compression is broken ({error})") from error
        except httpx.TransportError as error:
            raise failures.cut(self._place) from error

    async def _whole_body(self, response: httpx.Response, deadline: float) -> bytes:
        body = b""
        async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_bytes())) as stream:
            while data := await self._read(stream, Patience(self._timeouts, deadline)):
                body += data
                if len(body) > EVENT_LIMIT_CHARACTERS:
                    raise failures.bad_response(
                        f"it has more than {EVENT_LIMIT_CHARACTERS:,} bytes in one piece"
                    )
        return body

    async def _error_body(self, response: httpx.Response) -> bytes:
        body = b""
        try:
            async with asyncio.timeout(self._timeouts.listing):
                async for data in response.aiter_bytes():
                    body += data
                    if len(body) > ERROR_BODY_LIMIT_BYTES:
                        break
        except (TimeoutError, httpx.DecodingError, httpx.TransportError):
            # The status alone says enough; whatever of the body came is used.
            return body
        return body

    async def _page(self, path: str, below: str | None = None) -> bytes:
        """A page beside /v1, or below another address, that only some runners have; nothing where this one has not."""
        try:
            answer = await self._get((below or self._url.removesuffix("/v1")) + path)
        except RunnerFailure:
            return b""
        return answer.content if answer.status_code == 200 else b""

    async def _get(self, url: str) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeouts.listing):
                return await self._client.get(url)
        except TimeoutError:
            raise failures.slow_listing(self._place, self._timeouts.listing) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            raise self._not_connected(error) from error
        except httpx.DecodingError as error:
            raise failures.bad_response(f"its compression is broken ({error})") from error
        except httpx.TransportError as error:
            raise failures.closed_without_answer(self._place) from error


class _Transport(httpx.AsyncBaseTransport):
    """Each request on a connection of its own.

    No connection is used twice: one that the runner closes while it idles would look, to the next call, like a
    runner that closed without an answer. And httpx's own transport takes as long for a token as all the rest.
    """

    def __init__(self, connect_s: float, *, tls: bool) -> None:
        self._connect_s = connect_s
        # Reading the certificates takes 25 ms; without redirects, a plain URL never needs them.
        self._tls = httpx.create_ssl_context() if tls else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), url.raw_path)]
        lines += [b"%s: %s" % header for header in request.headers.raw]
        head = b"\r\n".join([*lines, b"", b""])
        line: MadeLine | None = request.extensions.get(_LINE)
        try:
            exchange = (await line.take() if line is not None else None) or await self.connect(url)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except (OSError, UnicodeError) as error:  # a host name that cannot be one is refused as bad text
            raise httpx.ConnectError(str(error), request=request) from error
        exchange.send(head + await request.aread())
        try:
            await exchange.wait_for_head()
        except BaseException as error:
            exchange.close()
            if isinstance(error, BrokenAnswer):
                raise httpx.RemoteProtocolError(str(error), request=request) from error
            raise
        return httpx.Response(exchange.status, headers=exchange.headers, stream=_Body(exchange))

    async def connect(self, url: httpx.URL) -> HttpExchange:
        port = url.port or (443 if self._tls else 80)
        return await connect(url.host, port, tls=self._tls, connect_s=self._connect_s)


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: HttpExchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while data := await self._exchange.read():
                yield data
        except BrokenAnswer as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    async def aclose(self) -> None:
        self._exchange.close()


def _items(parser: SseParser, data: bytes) -> list[SseItem]:
    try:
        return parser.feed(data)
    except EventTooLong as error:
        raise failures.bad_response(str(error)) from error


def _header_text(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise ValueError(
            "MODEL_RUNNER_API_KEY holds characters that an HTTP header cannot carry. "
            "Expected printable ASCII; copy the key again."
        )
    return key


def _basic_auth(username: str | None, password: str | None) -> httpx.BasicAuth | None:
    if username is None:
        return None
    return httpx.BasicAuth(unquote(username), unquote(password or ""))
