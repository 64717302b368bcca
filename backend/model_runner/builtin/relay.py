"""Reads one HTTP request, and passes it and its answer on, byte for byte.

Knows nothing about models. Each connection carries one request: the answer's end is the connection's end, so no
answer has to be understood to be passed on at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

LONGEST_HEAD_BYTES: Final = 64 * 1024
LONGEST_BODY_BYTES: Final = 64 * 1024 * 1024
READING_SECONDS: Final = 60.0
PARTING_SECONDS: Final = 1.0
PIECE_BYTES: Final = 64 * 1024
LOOPBACK: Final = "127.0.0.1"

_OF_ONE_CONNECTION: Final = (b"connection", b"keep-alive", b"proxy-connection", b"expect", b"upgrade")


class BadRequest(Exception):
    """What was received is no request that can be passed on. status: the HTTP status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class EngineGone(Exception):
    """Nobody listens at the engine's port any more; nothing was sent."""


@dataclass(frozen=True)
class Request:
    """One request as it came. head: its lines without the headers that are about the connection alone."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def to_send(self) -> bytes:
        return self.head + b"\r\nConnection: close\r\n\r\n" + self.body


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The request; None when the other side left before it was complete. Raises BadRequest."""
    try:
        async with asyncio.timeout(READING_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
            lines = head.split(b"\r\n")
            length = _body_length(lines[1:])
            if any(line.lower().replace(b" ", b"") == b"expect:100-continue" for line in lines):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(length)
    except asyncio.LimitOverrunError:
        raise BadRequest(431, f"The headers have more than {LONGEST_HEAD_BYTES:,} bytes.") from None
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return None
    words = lines[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise BadRequest(400, "This is not an HTTP/1.1 request.")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _OF_ONE_CONNECTION]
    return Request(words[0].decode("latin-1"), words[1].decode("latin-1"), b"\r\n".join(kept), body)


def _body_length(headers: list[bytes]) -> int:
    lengths: set[bytes] = set()
    for line in headers:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"transfer-encoding":
            raise BadRequest(411, "Send the body in one piece, with a Content-Length.")
        if name.strip().lower() == b"content-length":
            lengths.add(value.strip())
    if not lengths:
        return 0
    text = lengths.pop()
    if lengths or not text.isdigit():
        raise BadRequest(400, "Content-Length is not one whole number.")
    if len(text) > 12 or int(text) > LONGEST_BODY_BYTES:
        raise BadRequest(413, f"The body has more than {LONGEST_BODY_BYTES:,} bytes.")
    return int(text)


async def relay(
    request: Request, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Pass the request on to a port of this machine and its answer back, until one side is done.

    reader, writer: the connection to the client. A client that leaves ends the other connection at once.
    Returns False where not one byte of an answer came. Raises EngineGone where nothing could be sent.
    """
    try:
        from_engine, to_engine = await asyncio.open_connection(LOOPBACK, port, limit=PIECE_BYTES)
    except OSError as error:
        raise EngineGone from error
    copying = asyncio.create_task(_copy(request, from_engine, to_engine, writer))
    leaving = asyncio.create_task(_has_left(reader))
    try:
        await asyncio.wait({copying, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return copying.result() if copying.done() else True
    finally:
        to_engine.transport.abort()
        for task in (copying, leaving):
            task.cancel()
        await asyncio.gather(copying, leaving, return_exceptions=True)


async def send_and_finish(answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send an answer of our own, and let it arrive: closing while a client still sends would throw it away."""
    writer.write(answer)
    await writer.drain()
    writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PARTING_SECONDS):
            await _has_left(reader)


async def _copy(
    request: Request,
    from_engine: asyncio.StreamReader,
    to_engine: asyncio.StreamWriter,
    writer: asyncio.StreamWriter,
) -> bool:
    """Returns whether any answer came."""
    began = False
    # A side that went away ends the copying, as a side that is done does.
    with contextlib.suppress(ConnectionError):
        to_engine.write(request.to_send())
        await to_engine.drain()
        while piece := await from_engine.read(PIECE_BYTES):
            began = True
            writer.write(piece)
            await writer.drain()
    return began


async def _has_left(reader: asyncio.StreamReader) -> None:
    """Return when the client has closed. Nothing more is expected from it after its request."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(PIECE_BYTES):
            pass
