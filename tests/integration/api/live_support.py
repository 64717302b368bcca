"""A real web process, and browsers that listen to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.integration.api.support import PROBLEM, Person

REPOSITORY = Path(__file__).resolve().parents[3]
Json = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    event: str
    data: Json
    cursor: str | None


@contextmanager
def web_server(database_url: str) -> Iterator[WebServer]:
    """One web process on a free port, as the product starts it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.embedded.web_server", "--fd", str(listening.fileno())],
            cwd=REPOSITORY,
            env={**os.environ, "DATABASE_URL": database_url},
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    server = WebServer(process, f"http://localhost:{port}")
    try:
        server.wait_until(lambda: httpx.get(f"{server.url}/healthz").status_code == 200, timeout_s=30)
        yield server
    finally:
        server.stop()


class WebServer:
    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.output: list[str] = []
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass  # not listening yet
            assert self.process.poll() is None, "".join(self.output)
            assert time.monotonic() < deadline, "".join(self.output)
            time.sleep(0.02)

    def stop(self) -> float:
        """Ask it to stop; returns how long that took, in seconds."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)
        return time.monotonic() - began

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the web process tells no resident size")

    def _read_output(self) -> None:
        assert self.process.stderr is not None
        self.output.extend(self.process.stderr)


class Browser:
    """One tab with an open stream, read by a thread. `cut` and `come_back` as a lossy network would have it."""

    def __init__(
        self, server: WebServer, session: str, *, cursor: str | None = None, conversation: str | None = None
    ) -> None:
        self.frames: list[Frame] = []
        self.status: int | None = None
        self.headers: httpx.Headers = httpx.Headers()
        self.ended = threading.Event()
        self._url = f"{server.url}/api/live/"
        self._session = session
        names = {"cursor": cursor, "conversation": conversation}
        self._parameters = {name: value for name, value in names.items() if value is not None}
        self._response: httpx.Response | None = None
        self._thread: threading.Thread | None = None
        self._opened = threading.Event()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def open(self) -> None:
        self.ended.clear()
        self._opened.clear()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._opened.wait(20), "the stream did not open"

    def cut(self) -> None:
        """Close the connection from this side, in the middle of whatever is on its way."""
        if self._socket is not None:
            with suppress(OSError):  # the server was faster
                self._socket.shutdown(socket.SHUT_RDWR)
        assert self._thread is not None
        self._thread.join(timeout=10)
        assert not self._thread.is_alive(), "the stream's reader did not end"

    def come_back(self) -> None:
        self.cut()
        self.open()

    @property
    def cursor(self) -> str | None:
        return next((frame.cursor for frame in reversed(self.frames) if frame.cursor), None)

    def wait_for(self, condition: Callable[[list[Frame]], bool], *, timeout_s: float = 20) -> list[Frame]:
        deadline = time.monotonic() + timeout_s
        while not condition(list(self.frames)):
            assert time.monotonic() < deadline, [(f.event, f.data, f.cursor) for f in self.frames]
            time.sleep(0.005)
        return list(self.frames)

    def of(self, event: str) -> list[Json]:
        return [frame.data for frame in list(self.frames) if frame.event == event]

    def _listen(self) -> None:
        headers = {"Cookie": f"verbatim_session={self._session}"}
        if self.cursor is not None:
            headers["Last-Event-ID"] = self.cursor
        self._socket: socket.socket | None = None
        try:
            with (
                httpx.Client(timeout=60) as client,
                client.stream("GET", self._url, params=self._parameters, headers=headers) as response,
            ):
                self._socket = response.extensions["network_stream"].get_extra_info("socket")
                self.status, self.headers = response.status_code, response.headers
                self._opened.set()
                self._collect(response)
        except (httpx.TransportError, httpx.StreamError):
            pass  # cut, as the test wanted it
        finally:
            self.ended.set()
            self._opened.set()

    def _collect(self, response: httpx.Response) -> None:
        event, data, cursor = "message", "", None
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            match name:
                case "event":
                    event = value
                case "data":
                    data = value
                case "id":
                    cursor = value
                case "" if data:
                    self.frames.append(Frame(event, json.loads(data), cursor))
                    event, data, cursor = "message", "", None


def session_of(person: Person) -> str:
    session: str = person.client.cookies["verbatim_session"].value
    return session


def words_of(browser: Browser, call_id: str) -> list[tuple[int, str]]:
    """The chunks a tab got of one call, in the order in which it got them."""
    return [(chunk["seq"], chunk["text"]) for chunk in browser.of("chunk") if chunk["call_id"] == call_id]


def states_of(browser: Browser, call_id: str) -> list[str]:
    return [call["state"] for call in browser.of("call") if call["call_id"] == call_id]


def has_words(browser: Browser, call_id: str, count: int) -> Callable[[list[Frame]], bool]:
    """A condition to wait for: at least so many chunks of the call."""
    return lambda _: len(words_of(browser, call_id)) >= count


def has_finished(browser: Browser, call_id: str) -> Callable[[list[Frame]], bool]:
    return lambda _: "finished" in states_of(browser, call_id)


def has_frames(browser: Browser, event: str, count: int) -> Callable[[list[Frame]], bool]:
    return lambda _: len(browser.of(event)) >= count


def problem_of_answer(response: httpx.Response, status: int) -> Json:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM
    body: Json = response.json()
    return body


def sockets_of(server: WebServer) -> int:
    """How many sockets the web process has open."""
    count = 0
    for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            count += os.readlink(descriptor).startswith("socket:")
        except FileNotFoundError:
            continue  # closed meanwhile
    return count
