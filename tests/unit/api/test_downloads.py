"""Downloads end with their clients, and leave threads and connections to the pages."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from rest_framework.exceptions import Throttled

from backend.api.downloads import AT_ONCE, Download, client_is_gone, watched


class Endless:
    """Pieces without an end, and what became of them."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = threading.Event()

    def __call__(self) -> Iterator[bytes]:
        try:
            for number in itertools.count():
                self.made = number + 1
                yield b"x" * 1000
        finally:
            self.closed.set()


def served(make: Callable[[], Iterator[bytes]]) -> Any:
    """As the product serves its pages: Django's part is a WSGI application in a thread."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Download(make)

    return WSGIMiddleware(application, workers=2)


def test_a_download_ends_when_its_client_has_gone() -> None:
    pieces, sent = Endless(), 0

    async def scenario() -> None:
        leave = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            if sent > 50_000:
                leave.set()  # from now on the server takes what is sent, and throws it away
            await asyncio.sleep(0)

        await asyncio.wait_for(watched(served(pieces), SCOPE, receive, send), 10)

    asyncio.run(scenario())
    assert sent > 50_000
    assert pieces.closed.is_set()
    assert all_places_are_free()


def test_outside_of_a_watched_request_nobody_is_gone() -> None:
    assert not client_is_gone()
    download = Download(lambda: iter([b"one", b"two"]))
    assert list(download) == [b"one", b"two"]
    download.close()
    download.close()
    assert all_places_are_free()


def test_only_a_few_at_a_time() -> None:
    pieces = [Endless() for _ in range(AT_ONCE)]
    downloads = [Download(each) for each in pieces]
    with pytest.raises(Throttled) as caught:
        Download(Endless())
    assert getattr(caught.value, "wait", None) == 5
    downloads.pop().close()
    assert pieces[-1].closed.is_set()
    downloads.append(Download(Endless()))
    for download in downloads:
        download.close()
    assert all_places_are_free()


def test_what_goes_wrong_before_the_first_piece_takes_no_place() -> None:
    def broken() -> Iterator[bytes]:
        raise ValueError("no such thing")
        yield b""

    for _ in range(AT_ONCE + 1):
        with pytest.raises(ValueError, match="no such thing"):
            Download(broken)
    assert all_places_are_free()


def all_places_are_free() -> bool:
    downloads = [Download(lambda: iter([b""])) for _ in range(AT_ONCE)]
    for download in downloads:
        download.close()
    return True


SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "query_string": b"",
    "headers": [],
    "server": ("127.0.0.1", 80),
    "client": ("127.0.0.1", 1),
}
