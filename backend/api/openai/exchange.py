"""One request and its answer under /v1, on bare ASGI: what stands between a token and the client is kept short.

Knows HTTP, and nothing of calls.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from backend.api.openai.errors import OpenAIError
from backend.api.openai.reading import BODY_LIMIT_BYTES, too_large

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

DRAINED_BYTES: Final = 4 * BODY_LIMIT_BYTES
"""So much of a body that is too large is still taken in: most clients read no answer before they have sent all."""
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class ClientGone(Exception):
    """The client closed its connection before it had sent its request."""


class Exchange:
    """A request to be read once, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers = {name.lower(): value for name, value in scope["headers"]}
        self._receive = receive
        self._send = send
        self.has_begun = False

    def header(self, name: str) -> str | None:
        value = self._headers.get(name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")

    @property
    def announced_bytes(self) -> int | None:
        """How large the client says that its body is; None where it does not."""
        told = self.header("content-length")
        return int(told) if told is not None and told.isascii() and told.isdigit() else None

    async def body(self) -> bytes:
        """All of the body. Raises OpenAIError beyond the limit, and ClientGone."""
        expected = self.announced_bytes or 0
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= DRAINED_BYTES:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if max(size, expected) <= BODY_LIMIT_BYTES:
                parts.append(part)
            more = message.get("more_body", False)
        if max(size, expected) > BODY_LIMIT_BYTES:
            raise too_large(max(size, expected))
        return b"".join(parts)

    async def until_gone(self) -> None:
        """Return when the client has closed its connection, or the answer is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """The whole answer at once."""
        length = {"Content-Length": str(len(body))}
        await self._begin(status, kind, {**(headers or {}), **length})
        await self._send({"type": "http.response.body", "body": body})

    async def answer_json(self, status: int, value: Any, *, headers: Mapping[str, str] | None = None) -> None:
        await self.answer(
            status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), headers=headers
        )

    async def refuse(self, error: OpenAIError, headers: Mapping[str, str] | None = None) -> None:
        closing = {"Connection": "close"} if error.status == 413 else {}
        await self.answer(
            error.status, error.body_bytes, headers={**(headers or {}), **error.headers, **closing}
        )

    async def begin_stream(self, headers: Mapping[str, str]) -> None:
        await self._begin(200, "text/event-stream; charset=utf-8", {**headers, "X-Accel-Buffering": "no"})

    async def write(self, data: bytes) -> None:
        """One more piece of a stream; waits while the client takes nothing."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end_stream(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _begin(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.has_begun = True
        named = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", kind.encode("ascii")), *_ALWAYS, *named],
            }
        )
