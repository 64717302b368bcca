"""Before the start every runner of somebody else's is asked once, by itself, and never with more than it needs to know."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backend.config.environment import Environment, load_environment
from backend.embedded.preflight import runner_problems
from tests.support.stack import free_port


def environment(**settings: str) -> Environment:
    return load_environment({"SECRET_KEY": "k" * 50, **settings}, env_file=None)


@contextmanager
def a_server(status: int = 200, location: str = "") -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Its host and port, and the paths and credentials it was asked with."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_each_runner_that_does_not_answer_is_one_line_and_its_password_is_in_none() -> None:
    first, gone = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with a_server() as (well, asked):
        problems = runner_problems(
            environment(
                MODEL_RUNNER_URL=f"http://ann:s3cret@{first}/v1",
                MODEL_RUNNERS="well gone",
                MODEL_RUNNER_WELL_URL=f"http://ann:s%40cret@{well}/v1/",
                MODEL_RUNNER_GONE_URL=f"http://{gone}/engines/v1",
            )
        )
    assert [problem.split(": ")[0] for problem in problems] == [
        f"The model runner {first} does not answer at http://ann:***@{first}/v1",
        f"The model runner gone does not answer at http://{gone}/engines/v1",
    ]
    assert "s3cret" not in str(problems)
    assert asked == [("/v1/models", f"Basic {base64.b64encode(b'ann:s@cret').decode()}")]


def test_the_built_in_runner_is_not_asked_before_it_is_started() -> None:
    assert runner_problems(environment()) == []


def test_a_key_does_not_follow_an_answer_that_points_elsewhere() -> None:
    with (
        a_server() as (elsewhere, asked_there),
        a_server(302, f"http://{elsewhere}/v1/models") as (place, asked),
    ):
        problems = runner_problems(
            environment(MODEL_RUNNER_URL=f"http://{place}/v1", MODEL_RUNNER_API_KEY="key")
        )
    assert problems == [], "an answer is an answer"
    assert asked == [("/v1/models", "Bearer key")]
    assert asked_there == []


def test_a_runner_is_asked_directly_also_where_the_machine_has_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_server() as (proxy, asked_of_the_proxy), a_server() as (place, asked):
        monkeypatch.setenv("http_proxy", f"http://{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert runner_problems(environment(MODEL_RUNNER_URL=f"http://{place}/v1")) == []
    assert [path for path, _ in asked] == ["/v1/models"]
    assert asked_of_the_proxy == []
