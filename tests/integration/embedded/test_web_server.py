"""A web process: it serves on a socket it is given, and its open streams end when it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.embedded.support import REPOSITORY


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        arguments = [
            "--fd",
            str(listener.fileno()),
            "--application",
            "tests.integration.embedded.small_application",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.embedded.web_server", *arguments],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], "SECRET_KEY": "k" * 50},
            pass_fds=(listener.fileno(),),
        )
        try:
            yield Server(process, listener.getsockname()[1])
        finally:
            process.kill()
            process.wait(10)


def get(port: int, **headers: str) -> dict[str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["Server"] is None
        found: dict[str, str] = json.loads(answer.read())
        return found


def test_it_believes_no_header_about_who_is_calling(server: Server) -> None:
    answer = get(server.port, **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    assert answer == {"client": "127.0.0.1", "scheme": "http"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hundred_open_streams_end_at_once_and_properly_when_it_stops(server: Server, number: int) -> None:
    streams = [
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/stream", timeout=20) for _ in range(100)
    ]
    assert [stream.readline() for stream in streams] == [b"begins\n"] * 100
    server.process.send_signal(number)
    # A stream that was cut off after the grace period would not have said its last word.
    assert [stream.read() for stream in streams] == [b"ends\n"] * 100
    server.process.wait(10)
