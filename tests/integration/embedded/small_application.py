"""A small ASGI application: `/stream` stays open until the server stops, everything else answers at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]


async def application(
    scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer with the client's address as the server sees it, or stream."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] != "/stream":
        body = json.dumps({"client": scope["client"][0], "scheme": scope["scheme"]}).encode()
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.body", "body": b"begins\n", "more_body": True})
    shutdown: asyncio.Event = scope["state"]["shutdown"]
    await shutdown.wait()
    await send({"type": "http.response.body", "body": b"ends\n"})
