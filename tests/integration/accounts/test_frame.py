"""What every answer has in common: the page and its files, headers, and errors outside the framework's views."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import psycopg
import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from backend.accounts.models import User
from backend.config.security_headers import SECURITY_HEADERS
from backend.config.settings import database_settings
from backend.config.wsgi import with_files
from tests.integration.accounts.conftest import PREFIX, Settings, Visitor

PROBLEM = "application/problem+json"


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM), answer.content
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    return body


# ---- the page and its files -------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, settings: Settings) -> Path:
    """A built front end of three files."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Verbatim</title>")
    (tmp_path / "assets" / "index-Abc123.js").write_text("export {}")
    (tmp_path / "robots.txt").write_text("User-agent: *\n")
    settings.FRONTEND_DIST = tmp_path
    return tmp_path


@pytest.mark.usefixtures("fresh_database")
@pytest.mark.parametrize("path", ["/", "/conversations/7f3c", "/log-in", "/index.html", "/a/b.c?d=e"])
def test_every_other_address_is_the_page(path: str, built: Path) -> None:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert answer.content == (built / "index.html").read_bytes()
    assert answer["Cache-Control"] == "no-cache"


@pytest.mark.usefixtures("fresh_database", "built")
def test_a_file_of_an_older_build_is_not_answered_with_the_page() -> None:
    answer = Client().get("/assets/index-Old999.js")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.usefixtures("fresh_database")
def test_without_a_built_page_it_says_what_to_do(tmp_path: Path, settings: Settings) -> None:
    settings.FRONTEND_DIST = tmp_path / "nothing"
    answer = Client().get("/")
    assert answer.status_code == 503
    assert "make run" in answer.content.decode()


def test_hashed_files_are_kept_for_ever_and_carry_the_same_headers(built: Path) -> None:
    status, headers, body = served(built, "/assets/index-Abc123.js")
    assert (status, body) == ("200 OK", b"export {}")
    assert "immutable" in headers["Cache-Control"]
    assert headers.items() >= SECURITY_HEADERS.items()
    assert "Access-Control-Allow-Origin" not in headers, "other sites have no business here"


def test_other_files_are_kept_for_an_hour(built: Path) -> None:
    _, headers, _ = served(built, "/robots.txt")
    assert headers["Cache-Control"] == "max-age=3600, public"


def test_a_compressed_twin_is_served_to_whoever_takes_it(built: Path) -> None:
    (built / "assets" / "index-Abc123.js.gz").write_bytes(b"small")
    _, headers, body = served(built, "/assets/index-Abc123.js", HTTP_ACCEPT_ENCODING="gzip")
    assert (headers["Content-Encoding"], body) == ("gzip", b"small")


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/api/me/", "/assets/missing.js", "/assets/../index.html"]
)
def test_what_is_no_file_is_left_to_django(path: str, built: Path) -> None:
    assert served(built, path)[0] == "418 Asked Django"


def test_a_missing_build_leaves_everything_to_django(tmp_path: Path) -> None:
    assert served(tmp_path / "nothing", "/assets/index-Abc123.js")[0] == "418 Asked Django"


def served(folder: Path, path: str, **extra: str) -> tuple[str, dict[str, str], bytes]:
    """The answer of the files in `folder`, with a stand-in for Django behind them."""

    def django(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("418 Asked Django", [])
        return [b""]

    environ: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": BytesIO(), **extra}
    setup_testing_defaults(environ)
    told: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: Sequence[tuple[str, str]]) -> None:
        told.append((status, dict(headers)))

    body = b"".join(with_files(django, folder)(environ, start_response))
    status, headers = told[0]
    return status, headers, body


# ---- headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/me/", "/api/nothing/", f"{PREFIX}/config", "/v1/nothing"])
def test_what_is_said_to_one_person_is_kept_nowhere(path: str, visitor: Visitor) -> None:
    assert "no-store" in visitor.client.get(path)["Cache-Control"]


def test_a_browser_stays_logged_in_after_it_was_closed(visitor: Visitor) -> None:
    visitor.sign_up()
    visitor.log_out()
    assert visitor.log_in().status_code == 200
    cookie = visitor.client.cookies["verbatim_session"]
    assert int(cookie["max-age"]) >= 7 * 24 * 3600
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


# ---- errors outside the framework's views -----------------------------------------------------


def test_a_request_for_another_host_is_told_which_setting_decides(visitor: Visitor) -> None:
    answer = visitor.client.get("/api/me/", headers={"Host": "evil.example"})
    assert "ALLOWED_HOSTS" in problem(answer, 400, "host_not_allowed")["detail"]
    assert "evil.example" not in answer.content.decode()


def test_a_request_too_large_for_allauth_is_413(visitor: Visitor) -> None:
    visitor.config()
    body = {"email": "a@example.org", "password": "x" * 1_100_000}
    answer = visitor.send("POST", f"{PREFIX}/auth/login", body)
    assert "1 MB" in problem(answer, 413, "request_too_large")["detail"]


def test_an_unexpected_error_tells_nothing_about_itself(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> AbstractBaseUser:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("backend.accounts.adapter.current_policy", fail)
    monkeypatch.setattr("backend.api.account_views.current_policy", fail)
    visitor.client.raise_request_exception = False
    for path in (f"{PREFIX}/config", "/api/setup/"):
        answer = visitor.client.get(path)
        problem(answer, 500, "internal_error")
        assert "secret" not in answer.content.decode()
    assert caplog.text.count("a secret of the house") >= 2, "the log says what it was, each time"


@pytest.fixture
def without_a_database(fresh_database: str) -> Iterator[None]:
    """The database refuses connections, as one that is restarted does."""
    from django.db import connection

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's connections only
    whole = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {
        **whole,
        "dbname": "gone",
        "pool": {**whole["pool"], "timeout": 0.3},
    }
    try:
        yield
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["OPTIONS"] = whole


@pytest.mark.parametrize("path", ["/api/setup/", f"{PREFIX}/auth/session", "/api/me/"])
def test_a_database_that_is_away_is_503_on_every_path(path: str, without_a_database: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["verbatim_session"] = "s" * 32
    answer = client.get(path)
    problem(answer, 503, "database_unavailable")
    assert int(answer["Retry-After"]) >= 1


# ---- limits and proxies -----------------------------------------------------------------------


def test_a_made_up_address_does_not_get_around_the_limits(
    new_visitor: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from allauth.account import app_settings

    monkeypatch.setattr(app_settings, "RATE_LIMITS", {"signup": "2/m/ip"}, raising=False)
    forwarded = [
        {"X-Forwarded-For": f"203.0.113.{place}", "X-Real-IP": f"203.0.113.{place}"} for place in range(3)
    ]
    statuses = [
        new_visitor().sign_up(f"p{place}@example.org", **forwarded[place]).status_code for place in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_a_session_cannot_be_used_from_another_site(visitor: Visitor) -> None:
    visitor.sign_up()
    answer = visitor.send("POST", "/api/conversations/", {}, Origin="https://evil.example")
    problem(answer, 403, "csrf_failed")


# ---- tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer é", "Token abc", "Basic YTpi"])
def test_a_header_that_holds_no_token_is_401_and_never_an_error(header: str, visitor: Visitor) -> None:
    answer = visitor.client.get("/api/me/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer["Content-Type"] == PROBLEM
    assert json.loads(answer.content)["code"] in ("not_authenticated", "authentication_failed")


def test_people_are_called_by_their_address_until_they_have_a_name(make_user: Callable[..., User]) -> None:
    assert make_user("ada.lovelace@example.org").display_name == "ada.lovelace"
    assert make_user("grace@example.org", display_name="Grace").display_name == "Grace"


# ---- where the database is --------------------------------------------------------------------


def test_an_address_may_name_a_folder_with_a_socket_and_anything_psycopg_knows() -> None:
    found = database_settings(
        "postgresql://me@/words?host=/run/folder&port=5433&sslmode=require&application_name=x"
    )
    assert (found["NAME"], found["USER"], found["HOST"], found["PORT"]) == (
        "words",
        "me",
        "/run/folder",
        "5433",
    )
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["application_name"] == "x"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "DATABASE_URL is empty"),
        ("postgresql://me:pa%zzword@host/words", "cannot be read: invalid percent-encoded token. Expected"),
        ("postgresql://me:password@host", "names no database"),
    ],
)
def test_an_address_that_cannot_work_is_one_line_without_the_password(
    url: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERBATIM_WITHOUT_DATABASE", raising=False)
    with pytest.raises(ImproperlyConfigured, match=words) as raised:
        database_settings(url)
    assert "word@" not in str(raised.value).replace("PASSWORD@", "")
    assert "\n" not in str(raised.value)


def test_a_password_with_special_characters_arrives_whole() -> None:
    url = "postgresql://me:p%40ss%2Fw%3Ard@host/words"
    assert database_settings(url)["PASSWORD"] == "p@ss/w:rd"
    assert psycopg.conninfo.conninfo_to_dict(url)["password"] == "p@ss/w:rd"
