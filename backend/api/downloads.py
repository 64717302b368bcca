"""Long downloads: few at the same time, and none goes on for a client that has gone.

What serves pages (docs/decisions/0003-asgi-dispatcher.md) takes an answer to its end, also where nobody reads it any more: a broken-off export
of a million events would hold its thread and its connections for minutes. So the one who accepts the connection looks
whether it is still there, and the one who makes the pieces asks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

from rest_framework.exceptions import Throttled

AT_ONCE: Final = 4
"""Per web process. Each holds a thread and a connection of those that pages need too."""
WAIT_S: Final = 5

_Receive = Callable[[], Awaitable[Any]]
_gone: ContextVar[threading.Event | None] = ContextVar("verbatim_client_gone", default=None)
_places = threading.BoundedSemaphore(AT_ONCE)


async def watched(
    application: Callable[..., Awaitable[None]],
    scope: dict[str, Any],
    receive: _Receive,
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Serve one request without a body; while it is served, `client_is_gone` says whether somebody reads."""
    gone = threading.Event()

    async def wait_for_the_end() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    token = _gone.set(gone)
    watching = asyncio.create_task(wait_for_the_end())
    try:
        await application(scope, nothing, send)
    finally:
        watching.cancel()
        _gone.reset(token)


def client_is_gone() -> bool:
    """Whether the client of the request that is being answered has closed its connection. Never true where nobody looks."""
    gone = _gone.get()
    return gone is not None and gone.is_set()


class Download:
    """Pieces of which the first is there already, so that what goes wrong before it is a proper refusal.

    Closing it, as the server does at the end in any case, gives back the place and the database's connections.
    """

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        """Raises Throttled where there are enough of them, and whatever the first piece raises."""
        if not _places.acquire(blocking=False):
            raise Throttled(
                WAIT_S,
                f"{AT_ONCE} exports are being made already, which is as many as this server makes at a time.",
            )
        self._has_place = True
        self._pieces: Iterator[bytes] = iter(())
        try:
            self._pieces = make()
            self._first: bytes | None = next(self._pieces, b"")
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Download:
        return self

    def __next__(self) -> bytes:
        if client_is_gone():
            self.close()
            raise StopIteration
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._pieces)

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        try:
            if close is not None:
                close()
        finally:
            if self._has_place:
                self._has_place = False
                _places.release()
