"""How a container's engine learns whether the program in it is well."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from backend.config.environment import REPOSITORY_ROOT


def healthy(*arguments: str, **environment: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "backend.containers.healthy", *arguments],
        cwd=REPOSITORY_ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.stderr == ""
    return result.returncode, result.stdout.strip()


class Answers(BaseHTTPRequestHandler):
    hosts: list[str] = []

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.send_response(200 if self.path == "/healthz" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Not into the test's output."""


@pytest.fixture
def port() -> Iterator[int]:
    Answers.hosts = []
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_is_well_when_it_answers_200(port: int) -> None:
    assert healthy("http", str(port), "/healthz") == (0, "")
    assert healthy("http", str(port), "/readyz") == (1, "/readyz answers 503; expected 200.")
    assert healthy("http", str(port), "/healthz", ALLOWED_HOSTS="*, .example.org") == (0, "")
    assert Answers.hosts == ["127.0.0.1", "127.0.0.1", "example.org"]


def test_a_server_that_is_not_there_is_not_well() -> None:
    status, said = healthy("http", "1", "/healthz")
    assert (status, said.partition(":")[0]) == (1, "Nothing answers on port 1")


def test_a_worker_is_well_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert healthy("worker", ALIVE_FILE=str(alive))[0] == 1
    alive.touch()
    assert healthy("worker", ALIVE_FILE=str(alive)) == (0, "")
    os.utime(alive, (time.time() - 60, time.time() - 60))
    status, said = healthy("worker", ALIVE_FILE=str(alive))
    assert status == 1
    assert "expected at most 15" in said
    assert healthy("worker") == (
        1,
        "The worker has given no sign of life yet: ALIVE_FILE is not set, No such file or directory.",
    )


def test_anything_else_is_refused() -> None:
    assert healthy("http", "eighty", "/") == (1, "Expected: worker, or http PORT PATH.")
