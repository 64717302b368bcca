"""What open streams cost the server, and what it does with clients that are slow, gone, or too many."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from backend.api import live_subscription
from tests.integration.api.live_support import (
    Browser,
    Frame,
    WebServer,
    has_finished,
    has_frames,
    has_words,
    session_of,
    sockets_of,
    web_server,
    words_of,
)
from tests.integration.api.support import Person, StandInWorker, projecting

TOLD = 1_600
"""Chunks of 7,000 characters: 11 MB, more than a client's queue and all buffers on the way to it can hold."""


@pytest.fixture
def server(fresh_database: str) -> Iterator[WebServer]:
    with web_server(fresh_database) as running:
        yield running


@pytest.fixture
def listen(server: WebServer, ann: Person) -> Callable[..., Browser]:
    return lambda **parameters: Browser(server, session_of(ann), **parameters)


@pytest.mark.usefixtures("projected")
def test_losing_the_listening_connection_loses_nothing(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        worker.chunk(call_id, reply_id, "a")
        browser.wait_for(has_words(browser, call_id, 1))
        with psycopg.connect(fresh_database, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query = 'LISTEN call_chunks' AND datname = current_database()"
            ).fetchall()
        assert len(ended) == 1
        worker.chunk(call_id, reply_id, "b")
        browser.wait_for(has_words(browser, call_id, 2))
        worker.chunk(call_id, reply_id, "c")
        worker.finish(call_id, "abc")
        browser.wait_for(has_finished(browser, call_id))

    assert words_of(browser, call_id) == [(0, "a"), (1, "b"), (2, "c")]


@pytest.mark.usefixtures("projected")
def test_a_cursor_older_than_what_is_kept_is_reset(ann: Person, listen: Callable[..., Browser]) -> None:
    from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow

    position = ann.start()["position"]
    ann.get("/api/conversations/", after=position)
    with listen(cursor="0") as browser:
        browser.wait_for(has_frames(browser, "change", 3))
    LiveChangeRow.objects.filter(position__lte=int(position)).delete()
    LiveHorizonRow.objects.update_or_create(id=1, defaults={"pruned_through": int(position)})

    with listen(cursor="0") as browser:
        browser.wait_for(has_frames(browser, "reset", 1))
    with listen(cursor=position) as browser:
        browser.wait_for(has_frames(browser, "ping", 1))

    assert browser.of("reset") == []


def test_changes_wait_for_the_projections_and_then_come(
    ann: Person, listen: Callable[..., Browser], fresh_database: str
) -> None:
    with projecting(fresh_database):
        conversation = ann.start()
        ann.get("/api/conversations/", after=conversation["position"])
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        ann.send(conversation["id"], "Hello")
        time.sleep(0.5)
        assert browser.of("change") == []
        with projecting(fresh_database):
            browser.wait_for(has_frames(browser, "change", 2))


@pytest.mark.usefixtures("projected")
def test_forty_streams_hold_no_connection_of_the_pool(
    ann: Person, server: WebServer, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    ann.get("/api/conversations/", after=conversation["position"])
    cookie = {"Cookie": f"verbatim_session={session_of(ann)}"}
    with ExitStack() as stack:
        browsers = [
            stack.enter_context(listen(cursor=conversation["position"], conversation=conversation["id"]))
            for _ in range(40)
        ]
        for browser in browsers:
            browser.wait_for(has_frames(browser, "ping", 1))
        began = time.monotonic()
        for _ in range(20):
            assert httpx.get(f"{server.url}/api/conversations/", headers=cookie).status_code == 200
        took = time.monotonic() - began
        with psycopg.connect(fresh_database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()
        ann.command("PATCH", f"/api/conversations/{conversation['id']}/", {"title": "To all"}, status=200)
        for browser in browsers:
            browser.wait_for(has_frames(browser, "change", 1))

    assert row is not None
    # This process's and the web process's pools, the worker's and the listener: far from forty.
    assert row[0] < 25
    assert took < 10


@pytest.mark.usefixtures("projected")
def test_a_client_that_does_not_read_is_dropped_and_memory_does_not_grow(
    ann: Person, worker: StandInWorker, server: WebServer, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    call_id, reply_id = sent["call_id"], sent["reply_id"]
    worker.start(call_id)
    ann.get("/api/conversations/", after=sent["position"])
    request = (
        f"GET /api/live/?conversation={conversation['id']} HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: verbatim_session={session_of(ann)}\r\n\r\n"
    )
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.sendall(request.encode())
        assert b"200 OK" in deaf.recv(100)
        with listen(cursor=sent["position"], conversation=conversation["id"]) as browser:
            # Once the first chunk has come, the stream is known to follow this reply.
            worker.chunk(call_id, reply_id, "x")
            browser.wait_for(has_words(browser, call_id, 1))
            before = server.resident_bytes()
            text = "x" * 7_000
            with psycopg.connect(fresh_database, autocommit=True) as connection:
                for seq in range(1, TOLD):
                    payload = f'[{{"c": "{call_id}", "r": "{reply_id}", "s": {seq}, "t": "{text}"}}]'
                    connection.execute("SELECT pg_notify('call_chunks', %s)", (payload,))
                    if seq % 50 == 49:
                        # The tab that reads must be able to keep up on a busy machine too.
                        browser.wait_for(has_come_near(seq), timeout_s=60)
            browser.wait_for(lambda frames: frames[-1].data.get("seq") == TOLD - 1, timeout_s=60)
            grown = server.resident_bytes() - before
        # What the deaf client may leave behind is its queue and the server's send buffer.
        assert grown < 16 * 1024 * 1024
        time.sleep(live_subscription.SLOW_CLIENT_S)
        # What lay in the buffers on the way still arrives; then comes the end, long before the last chunk.
        deaf.settimeout(10)
        received = b""
        while piece := deaf.recv(1 << 20):
            received += piece
        assert received.count(b"event: chunk") < TOLD


def has_come_near(seq: int) -> Callable[[list[Frame]], bool]:
    """Whether the tab has read almost up to this chunk."""
    return lambda frames: int(frames[-1].data.get("seq", -1)) >= seq - 50


@pytest.mark.usefixtures("projected")
def test_streams_end_at_once_when_the_server_stops(server: WebServer, listen: Callable[..., Browser]) -> None:
    with ExitStack() as stack:
        browsers = [stack.enter_context(listen()) for _ in range(10)]
        took = server.stop()
        for browser in browsers:
            assert browser.ended.wait(2)

    assert took < 10, "it did not wait for the streams"
    assert server.process.returncode in (0, -signal.SIGTERM)


@pytest.mark.usefixtures("projected")
def test_a_departed_client_is_forgotten_soon(
    ann: Person, server: WebServer, listen: Callable[..., Browser]
) -> None:
    with listen() as browser:
        browser.wait_for(has_frames(browser, "ping", 1))
        assert server.process.poll() is None
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(listen())
            open_then = sockets_of(server)
        deadline = time.monotonic() + 5.0
        while sockets_of(server) > open_then - 20:
            assert time.monotonic() < deadline, (open_then, sockets_of(server))
            time.sleep(0.02)
