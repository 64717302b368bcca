"""A client that stops reading, or is gone without a word, costs nobody else anything.

Over real sockets against a real web process: the deaf client's window closes, the server's buffers fill up to
their bounds, and then it is given up, while a tab beside it gets every word in time.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.api import live_subscription
from backend.embedded.web_server import UNREAD_MS
from tests.integration.api.live_support import (
    Browser,
    WebServer,
    has_words,
    session_of,
    web_server,
)
from tests.integration.api.support import Person, StandInWorker

MEGABYTE = 1024 * 1024
DEAF_CLIENTS = 5
PIECE = "x" * 7_000
PIECES = 1_500
"""10 MB of a reply: more than a client's queue and every buffer on the way to it can hold."""
GROWTH_LIMIT = (live_subscription.QUEUE_BYTES + 2 * MEGABYTE) * DEAF_CLIENTS


@pytest.fixture
def server(fresh_database: str) -> Iterator[WebServer]:
    with web_server(fresh_database) as running:
        yield running


@pytest.fixture
def listen(server: WebServer, ann: Person) -> Callable[..., Browser]:
    return lambda **parameters: Browser(server, session_of(ann), **parameters)


@contextmanager
def deaf_client(server: WebServer, person: Person, conversation_id: str) -> Iterator[socket.socket]:
    """A browser's connection with a small window that nobody reads from once the stream has begun."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        connection.sendall(
            f"GET /api/live/?conversation={conversation_id} HTTP/1.1\r\nHost: localhost\r\n"
            f"Cookie: verbatim_session={session_of(person)}\r\n\r\n".encode()
        )
        # It reads up to the reply's first word: then the stream is known to follow it.
        received = b""
        while b"event: chunk" not in received:
            received += connection.recv(512)
        yield connection


def open_connections(server: WebServer) -> int:
    """How many clients the server still has a connection with."""
    port = int(server.url.rpartition(":")[2])
    lines = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]
    established = [line.split()[1] for line in lines if line.split()[3] == "01"]
    return sum(int(local.rpartition(":")[2], 16) == port for local in established)


def tell_pieces(database_url: str, sent: dict[str, Any], browser: Browser) -> float:
    """Tell of a long reply as a worker does, as fast as the tab that reads keeps up; the slowest tell, in seconds."""
    slowest = 0.0
    with psycopg.connect(database_url, autocommit=True) as connection:
        for seq in range(1, PIECES):
            payload = f'[{{"c": "{sent["call_id"]}", "r": "{sent["reply_id"]}", "s": {seq}, "t": "{PIECE}"}}]'
            began = time.monotonic()
            connection.execute("SELECT pg_notify('call_chunks', %s)", (payload,))
            slowest = max(slowest, time.monotonic() - began)
            if seq % 50 == 49:
                browser.wait_for(
                    lambda frames: int(frames[-1].data.get("seq", -1)) >= seq - 25,  # noqa: B023  waited for at once
                    timeout_s=60,
                )
    browser.wait_for(lambda frames: frames[-1].data.get("seq") == PIECES - 1, timeout_s=60)
    return slowest


@pytest.mark.usefixtures("projected")
def test_clients_that_stop_reading_are_given_up_and_nobody_else_notices(
    ann: Person, worker: StandInWorker, server: WebServer, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    worker.start(sent["call_id"])
    ann.get("/api/conversations/", after=sent["position"])
    with ExitStack() as stack:
        browser = stack.enter_context(listen(cursor=sent["position"], conversation=conversation["id"]))
        worker.chunk(sent["call_id"], sent["reply_id"], "x")
        for _ in range(DEAF_CLIENTS):
            stack.enter_context(deaf_client(server, ann, conversation["id"]))
        browser.wait_for(has_words(browser, sent["call_id"], 1))
        before = server.resident_bytes()

        slowest = tell_pieces(fresh_database, sent, browser)

        grown = server.resident_bytes() - before
        seqs = [chunk["seq"] for chunk in browser.of("chunk")]

    assert seqs == list(range(PIECES)), "the tab beside them has every piece once"
    assert grown < GROWTH_LIMIT
    assert slowest < 2.0, "the database never waits for a client"


@pytest.mark.usefixtures("projected")
def test_a_client_that_is_gone_without_a_word_is_given_up_too(
    ann: Person, worker: StandInWorker, server: WebServer, listen: Callable[..., Browser], fresh_database: str
) -> None:
    """Its machine has lost the network: nothing acknowledges, and nothing says good-bye.

    For the server that is a window which never opens again, so the client here reads nothing and closes
    nothing until long after.
    """
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    worker.start(sent["call_id"])
    ann.get("/api/conversations/", after=sent["position"])
    with listen(cursor=sent["position"], conversation=conversation["id"]) as browser:
        worker.chunk(sent["call_id"], sent["reply_id"], "x")
        browser.wait_for(has_words(browser, sent["call_id"], 1))
        with deaf_client(server, ann, conversation["id"]):
            open_then = open_connections(server)
            tell_pieces(fresh_database, sent, browser)
            server.wait_until(lambda: open_connections(server) < open_then, timeout_s=4 * UNREAD_MS / 1000)
            assert not browser.ended.is_set()


@pytest.mark.usefixtures("projected")
def test_forty_streams_that_open_in_the_same_moment_all_open_soon(ann: Person, server: WebServer) -> None:
    """As after a restart, when every browser comes back at once. They share a few database connections."""
    conversation = ann.start()
    ann.get("/api/conversations/", after=conversation["position"])
    request = (
        f"GET /api/live/?conversation={conversation['id']}&cursor={conversation['position']} HTTP/1.1\r\n"
        f"Host: localhost\r\nCookie: verbatim_session={session_of(ann)}\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        streams = [
            stack.enter_context(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))))
            for _ in range(40)
        ]
        began = time.monotonic()
        for stream in streams:
            stream.settimeout(30)
            stream.sendall(request)
        for stream in streams:
            assert stream.recv(64).startswith(b"HTTP/1.1 200")
        took = time.monotonic() - began

    # The pool waits 10 s for a connection before it gives up: nobody may have had to wait for another one.
    assert took < 8
