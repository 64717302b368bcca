"""A model runner that only keeps time: 100 tokens, one every 20 ms, each saying when it was sent.

For measurements under load, where the scripted runner would cost more than what is measured. Serves any number
of streams from one event loop, in a process of its own: prints its URL as its first line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

MODEL_ID = "metronome"
TOKENS = 100
TOKEN_DELAY_S = 0.020

_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": MODEL_ID, "object": "model", "meta": {"n_ctx": 8192}}]}
).encode()
_END = (
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":100}}\n\n'
    b"data: [DONE]\n\n"
)


def _part(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Connection(asyncio.Protocol):
    """One request, one answer. The n-th token is due 20 ms * n after the first, however busy the machine is."""

    def __init__(self) -> None:
        self._received = b""
        self._sent = 0
        self._begun_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        if len(body) < length:
            return
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/chat/completions"):
            self._transport.write(_HEADERS)
            self._begun_at = asyncio.get_running_loop().time()
            self._say()
        elif path.endswith(b"/models"):
            self._answer(b"200 OK", _MODELS)
        else:
            self._answer(b"404 Not Found", b"{}")

    def _answer(self, status: bytes, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (status, len(body), body)
        )
        self._transport.close()

    def _say(self) -> None:
        if self._transport.is_closing():
            return
        if self._sent == TOKENS:
            self._transport.write(_part(_END) + b"0\r\n\r\n")
            self._transport.close()
            return
        # Microseconds on the clock that all processes of a machine share.
        token = b'data: {"id":"chatcmpl-metronome","model":"%s","choices":[{"index":0,"delta":{"content":"%d "}}]}\n\n'
        self._transport.write(_part(token % (MODEL_ID.encode(), time.monotonic_ns() // 1000)))
        self._sent += 1
        asyncio.get_running_loop().call_at(self._begun_at + self._sent * TOKEN_DELAY_S, self._say)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        uvloop.run(serve())
    except KeyboardInterrupt:
        sys.exit(0)
