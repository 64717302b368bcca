"""Each request leaves one line, and takes an id with it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from backend.logs.context import known_ids, note
from backend.logs.format import FIELDS
from backend.logs.requests import FailuresOnly, Receive, Scope, Send, logged

CALL = "0b6f2c3e-6c1a-4f2e-9a54-0a6f3f6c7a11"


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    note(user_id="ann")
    await send({"type": "http.response.start", "status": 202, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": b""})


def ask(
    path: str, *, believes_ids: bool = False, given: bytes = b"", application: Any = answering
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    headers = [(b"x-request-id", given)] if given else []
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"q=secret", "headers": headers}

    async def one_request() -> None:
        await logged(application, believes_ids=believes_ids)(scope, receive, send)

    asyncio.run(one_request())
    return sent


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    [record] = caplog.records
    found: dict[str, Any] = getattr(record, FIELDS)
    return found


def test_the_line_says_what_was_asked_and_how_it_was_answered(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        [start, _] = ask(f"/api/model-calls/{CALL}/")
    said = fields(caplog)
    assert said.pop("duration_ms") >= 0
    assert said == {"method": "GET", "path": f"/api/model-calls/{CALL}/", "status": 202}
    assert "secret" not in caplog.text
    [request_id] = [value for name, value in start["headers"] if name == b"x-request-id"]
    assert len(request_id) == 16


def test_an_id_is_taken_over_from_a_proxy_of_ours_only() -> None:
    def id_of(**arguments: Any) -> bytes:
        headers: dict[bytes, bytes] = dict(ask("/api/me/", **arguments)[0]["headers"])
        return headers[b"x-request-id"]

    assert id_of(given=b"from-the-proxy", believes_ids=True) == b"from-the-proxy"
    assert id_of(given=b"from-anybody") != b"from-anybody"
    for nonsense in (b"short", b"x" * 65, b"two words", b"new\nline-in-it"):
        assert id_of(given=nonsense, believes_ids=True) != nonsense


def test_whatever_fails_below_leaves_its_line_too(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with caplog.at_level(logging.INFO), pytest.raises(RuntimeError):
        ask("/api/me/", application=failing)
    assert fields(caplog)["status"] == 0


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/account/password/reset/key/secret", "/account/..."),
        ("/c/some-id", "/c/..."),
        ("/login", "/login"),
        ("/", "/"),
        ("/_allauth/browser/v1/config", "/_allauth/browser/v1/config"),
        # What was asked for as %0A, %20 and %3F has been decoded by now.
        ("/api/x\nINFO forged [user_id=1]?q", "/api/x%0AINFO%20forged%20%5Buser_id=1%5D%3Fq"),
        ("/gr\u00fc\u00df", "/gr%C3%BC%C3%9F"),
        ("/\udcff", "/%5Cudcff"),
    ],
)
def test_paths_are_told_in_one_line_and_the_pages_own_by_their_beginning(
    caplog: pytest.LogCaptureFixture, path: str, shown: str
) -> None:
    with caplog.at_level(logging.INFO):
        ask(path)
    assert fields(caplog)["path"] == shown


def test_what_machines_ask_every_few_seconds_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ask("/healthz")
    assert caplog.records == []


def test_ids_in_the_path_are_known_to_everything_below() -> None:
    known: list[dict[str, str]] = []

    async def looking(scope: Scope, receive: Receive, send: Send) -> None:
        known.append(known_ids())
        await answering(scope, receive, send)

    ask(f"/api/model-calls/{CALL}/cancel/", application=looking)
    assert known[0]["call_id"] == CALL
    assert known_ids() == {}


def test_what_django_says_of_a_failed_request_holds_no_key() -> None:
    """It names the whole path of each answer of 5xx; a page's may be the address that resets a password."""
    key = "/account/password/reset/key/1-secret"

    def said(reason: str, path: str, error: Exception | None) -> logging.LogRecord:
        exc_info = (type(error), error, None) if error else None
        return logging.LogRecord("django.request", logging.ERROR, "", 0, "%s: %s", (reason, path), exc_info)

    fault = said("Internal Server Error", key, ValueError())
    assert FailuresOnly().filter(fault)
    assert fault.getMessage() == "Internal Server Error: /account/..."
    of_the_interface = said("Internal Server Error", "/api/me/", ValueError())
    assert FailuresOnly().filter(of_the_interface)
    assert of_the_interface.getMessage() == "Internal Server Error: /api/me/"
    assert not FailuresOnly().filter(said("Service Unavailable", key, None)), "its own line says it"
