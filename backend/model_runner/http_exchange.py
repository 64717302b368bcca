"""One HTTP/1.1 request on a connection of its own, and its answer as it comes. Knows nothing of models.

A reply arrives in hundreds of small pieces, each of which passes through here, so this is as short a way as
there is: the parser is httptools', nothing is set up per piece, and a connection is used only once. What is
read and not taken is bounded; the sender has to wait then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import cast

import httptools

UNTAKEN_LIMIT_BYTES = 256 * 1024

Headers = list[tuple[bytes, bytes]]


class BrokenAnswer(Exception):
    """The connection ended before the answer did, or what came is no HTTP."""


class HttpExchange(asyncio.Protocol):
    """Make it with `connect`, then `send`. status, headers: set once `wait_for_head` has returned."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque()
        self._untaken = 0
        self._paused = False
        self._has_head = False
        self._complete = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # ---- for the one who asks ---------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        """Whether the other side has closed the connection, or said something before it was asked."""
        return self._error is not None or self._has_head

    def send(self, request: bytes) -> None:
        """The request with its head, once."""
        assert self._transport is not None, "a connection that was made has a transport"
        self._transport.write(request)

    async def wait_for_head(self) -> None:
        """Raises BrokenAnswer."""
        while not self._has_head:
            await self._something_new()

    async def read(self) -> bytes:
        """What has come since, as soon as there is something; nothing at the end. Raises BrokenAnswer."""
        while not self._pieces:
            if self._complete:
                return b""
            await self._something_new()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._untaken = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        """Hang up. Where the answer is not complete, the other side learns of it at once."""
        if self._transport is not None:
            if self._complete:
                self._transport.close()
            else:
                self._transport.abort()

    async def _something_new(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- for the event loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete or self._error is not None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._error = BrokenAnswer("the server wants to speak another protocol")
        except httptools.HttpParserError as error:
            self._error = BrokenAnswer(str(error))
        if self._untaken > UNTAKEN_LIMIT_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Nothing more will come; the connection is closed."""

    def connection_lost(self, error: Exception | None) -> None:
        if not self._complete and self._error is None:
            if error is None and self._has_head and self._ends_with_connection():
                self._complete = True
            else:
                self._error = BrokenAnswer(str(error or "the connection was closed in the middle"))
        self._wake()

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return not names & {b"content-length", b"transfer-encoding"}

    # ---- for the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= 200

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._untaken += len(body)

    def on_message_complete(self) -> None:
        # Before its answer a server may send others, of status 100 and above, which say only that it goes on.
        self._complete = self._has_head


async def connect(host: str, port: int, *, tls: ssl.SSLContext | None, connect_s: float) -> HttpExchange:
    """A connection on which nothing is sent yet. Raises OSError, and TimeoutError after `connect_s` seconds."""
    async with asyncio.timeout(connect_s):
        _, exchange = await asyncio.get_running_loop().create_connection(
            HttpExchange, host, port, ssl=tls, server_hostname=host if tls else None
        )
    return exchange
