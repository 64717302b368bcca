"""What a person sees when Verbatim cannot start: one clear line each, no traceback, no secret."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from backend.config.environment import load_environment
from backend.embedded.postgres import attach_or_start
from backend.embedded.preflight import hide_password, shown_url
from backend.embedded.probe import host_header, page_url
from tests.integration.embedded.support import folder_for_data, free_port, small_stack, start_and_fail


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with folder_for_data() as folder:
        yield folder


def only_line(data_dir: Path, **settings: str) -> str:
    code, lines = start_and_fail(data_dir, **settings)
    assert code == 2
    assert len(lines) == 1, lines
    return lines[0]


def test_a_busy_port(data_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = only_line(data_dir, PORT=str(port))
    assert line.startswith(f"Port {port} on 127.0.0.1 is in use by another program.")
    assert "make run PORT=" in line
    assert not (data_dir / "postgres").exists(), "nothing may be started or made when the port is busy"


def test_an_address_of_another_machine(data_dir: Path) -> None:
    line = only_line(data_dir, HOST="192.0.2.1", SECRET_KEY="k" * 50, ALLOWED_HOSTS="x")
    assert line == "HOST is 192.0.2.1, which is not an address of this machine. Try HOST=127.0.0.1."


@pytest.mark.parametrize("secret_key", ["", "k" * 50])
def test_a_data_dir_that_is_a_file(data_dir: Path, secret_key: str) -> None:
    data_dir.write_text("x")
    assert only_line(data_dir, SECRET_KEY=secret_key).startswith(f"DATA_DIR is {data_dir}, but ")


@pytest.mark.parametrize("secret_key", ["", "k" * 50])
def test_a_data_dir_that_cannot_be_written(secret_key: str) -> None:
    # /proc refuses new folders also to root, whom file modes do not stop.
    line = only_line(Path("/proc/verbatim"), SECRET_KEY=secret_key)
    assert line.startswith("DATA_DIR is /proc/verbatim, ")
    assert line.endswith("Set DATA_DIR to a folder that you may write to.")


def test_a_lock_file_that_cannot_be_opened(data_dir: Path) -> None:
    # As it is for another user than the one who owns the data; a folder in its place refuses root as well.
    (data_dir / "supervisor.lock").mkdir(parents=True)
    line = only_line(data_dir)
    assert line.startswith(f"{data_dir / 'supervisor.lock'} cannot be opened: ")
    assert "set DATA_DIR to another folder" in line


def test_a_database_that_does_not_answer(data_dir: Path) -> None:
    url = f"postgresql://me:s3cr%23t@127.0.0.1:{free_port()}/chats"
    line = only_line(data_dir, DATABASE_URL=url)
    assert line.startswith(f"The database does not answer at DATABASE_URL {url.replace('s3cr%23t', '***')}: ")
    assert "refused" in line
    assert "s3cr" not in line


def test_a_database_url_that_cannot_be_read(data_dir: Path) -> None:
    line = only_line(data_dir, DATABASE_URL="postgresql://me:s3cret@127.0.0.1:port/chats?nonsense=s3cret")
    assert line.startswith("The database does not answer at DATABASE_URL ")
    assert "s3cret" not in line


def test_wrong_settings(data_dir: Path) -> None:
    code, lines = start_and_fail(data_dir, WEB_WORKERS="none", LOGIN_RATE="much")
    assert code == 2
    assert [line.split()[0] for line in lines] == ["LOGIN_RATE", "WEB_WORKERS"]


def test_a_runner_that_does_not_answer_is_one_warning_and_everything_else_starts(data_dir: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with small_stack(data_dir, MODEL_RUNNER_URL=url) as stack:
        stack.wait_until_ready()
        warnings = [line for line in stack.lines() if "does not answer" in line]
        assert len(warnings) == 1
        assert warnings[0].startswith(
            f"The model runner {url[7:-3]} does not answer at {url}: Connection refused."
        )
        assert not (data_dir / "logs" / "runner.log").exists()


def test_a_runner_that_answers_with_an_error_is_reachable(data_dir: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_error(401)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/engines/v1/"
    try:
        with small_stack(data_dir, MODEL_RUNNER_URL=url, MODEL_RUNNER_API_KEY="key") as stack:
            stack.wait_until_ready()
            assert "does not answer" not in stack.output()
    finally:
        server.shutdown()
        server.server_close()
    assert asked == [("/engines/v1/models", "Bearer key")]


def test_another_database_is_used_when_it_answers(data_dir: Path) -> None:
    with folder_for_data() as other:
        environment = load_environment({"DATA_DIR": str(other), "SECRET_KEY": "k" * 50}, None)
        with attach_or_start(environment) as url, small_stack(data_dir, DATABASE_URL=url) as stack:
            stack.wait_until_ready()
            assert "PostgreSQL" not in stack.output()
            assert not (data_dir / "postgres").exists()


def test_passwords_are_hidden_wherever_a_url_may_hold_them() -> None:
    assert shown_url("postgresql://me:a%40b@h/n") == "postgresql://me:***@h/n"
    assert shown_url("postgresql://me@h/n?password=hush&sslmode=require").count("hush") == 0
    assert hide_password("failed for a@b (a%40b)", "postgresql://me:a%40b@h/n") == "failed for *** (***)"
    assert shown_url("http://h:1/v1") == "http://h:1/v1"


@pytest.mark.parametrize(
    ("host", "url", "header"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/", "127.0.0.1:80"),
        ("localhost", "http://localhost:80/", "localhost:80"),
        ("::1", "http://[::1]:80/", "[::1]:80"),
        ("0.0.0.0", "http://127.0.0.1:80/", "chat.example.org:80"),
        ("::", "http://[::1]:80/", "chat.example.org:80"),
    ],
)
def test_the_address_for_the_browser_and_the_one_that_the_application_accepts(
    host: str, url: str, header: str
) -> None:
    loopback = ("127.0.0.1", "localhost", "[::1]")
    assert page_url(host, 80) == url
    assert (
        host_header(
            host, 80, loopback if url.endswith(f"{host}:80/") or host == "::1" else (".chat.example.org",)
        )
        == header
    )
