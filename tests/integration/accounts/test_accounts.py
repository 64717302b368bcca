"""Sign-up, log-in and who may do what, as a browser and a program meet them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from backend.accounts.models import ApiToken, User
from backend.accounts.signup_policy import setup_code
from tests.integration.accounts.conftest import PASSWORD, PREFIX, Settings, Visitor


def test_somebody_signs_up_and_is_logged_in(visitor: Visitor) -> None:
    assert visitor.sign_up("Ada@Example.org").status_code == 200
    me = visitor.me().json()
    assert (me["email"], me["display_name"], me["is_auditor"]) == ("ada@example.org", "ada", False)


def test_the_first_account_is_the_administrator_and_no_other(new_visitor: Callable[[], Visitor]) -> None:
    first, second = new_visitor(), new_visitor()
    first.sign_up("first@example.org")
    second.sign_up("second@example.org")
    assert first.me().json()["is_staff"] is True
    assert second.me().json()["is_staff"] is False


def test_of_eight_who_sign_up_at_once_exactly_one_is_the_administrator(
    new_visitor: Callable[[], Visitor],
) -> None:
    def sign_up(place: int) -> int:
        try:
            status: int = new_visitor().sign_up(f"person{place}@example.org").status_code
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sign_up, range(8))) == [200] * 8
    assert User.objects.filter(is_staff=True).count() == 1


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("ada@example.org", "short", "password"),
        ("ada@example.org", "12345678901", "password"),
        ("no-address", PASSWORD, "email"),
    ],
)
def test_what_is_wrong_with_a_sign_up_is_named(
    email: str, password: str, field: str, visitor: Visitor
) -> None:
    answer = visitor.sign_up(email, password)
    assert answer.status_code == 400
    assert {error["param"] for error in answer.json()["errors"]} == {field}
    assert not User.objects.exists()


def test_an_address_is_taken_whatever_its_case(new_visitor: Callable[[], Visitor]) -> None:
    new_visitor().sign_up("ada@example.org")
    assert new_visitor().sign_up("ADA@example.org").status_code == 400
    assert User.objects.count() == 1


def test_closed_sign_up_still_lets_the_first_one_in(
    new_visitor: Callable[[], Visitor], settings: Settings
) -> None:
    settings.SIGNUP = "closed"
    assert new_visitor().client.get("/api/setup/").json() == {
        "signup": "open",
        "first_account": True,
        "setup_code_required": False,
        "mail": False,
    }
    assert new_visitor().sign_up("first@example.org").status_code == 200
    assert new_visitor().sign_up("second@example.org").status_code == 403
    assert new_visitor().client.get("/api/setup/").json()["signup"] == "closed"
    assert User.objects.count() == 1


def test_where_others_reach_the_server_the_first_account_needs_the_code(
    new_visitor: Callable[[], Visitor], settings: Settings, tmp_path: Any
) -> None:
    settings.IS_LOOPBACK = False
    settings.DATA_DIR = tmp_path
    assert new_visitor().client.get("/api/setup/").json()["setup_code_required"] is True
    assert new_visitor().sign_up("thief@example.org").status_code == 403
    assert new_visitor().sign_up("thief@example.org", **{"X-Setup-Code": "00000000"}).status_code == 403
    code = setup_code(tmp_path)
    assert (tmp_path / "setup_code").stat().st_mode & 0o777 == 0o600
    assert new_visitor().sign_up("owner@example.org", **{"X-Setup-Code": code}).status_code == 200
    assert User.objects.get().is_staff


def test_log_out_and_in_again(visitor: Visitor) -> None:
    visitor.sign_up()
    assert visitor.log_out().status_code == 401, "allauth's answer to a successful log-out"
    assert visitor.me().status_code == 401
    assert visitor.log_in(email="ADA@example.org").status_code == 200
    assert visitor.me().status_code == 200


def test_a_wrong_password_is_refused(visitor: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    visitor.sign_up()
    assert new_visitor().log_in(password="wrong-horse").status_code == 400


def test_the_password_can_be_changed(visitor: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    visitor.sign_up()
    change = {"current_password": PASSWORD, "new_password": "another-good-passphrase"}
    assert visitor.send("POST", f"{PREFIX}/account/password/change", change).status_code == 200
    assert new_visitor().log_in().status_code == 400
    assert new_visitor().log_in(password="another-good-passphrase").status_code == 200


def test_passwords_are_stored_with_argon2(visitor: Visitor) -> None:
    visitor.sign_up()
    assert User.objects.get().password.startswith("argon2")


def test_rates_are_limited_for_all_web_processes_together(
    new_visitor: Callable[[], Visitor], settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "2/m/ip", "login": "2/m/ip"}
    statuses = [new_visitor().sign_up(f"p{place}@example.org").status_code for place in range(4)]
    assert statuses == [200, 200, 429, 429]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cache_table")
        assert cursor.fetchone() != (0,), "counted where every web process sees it"


# ---- what an answer looks like when somebody may not ------------------------------------------


def test_logged_out_is_401_with_a_problem(visitor: Visitor) -> None:
    answer = visitor.me()
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"]
    assert answer.json()["code"] == "not_authenticated"


def test_a_missing_csrf_token_is_named_on_every_path(visitor: Visitor) -> None:
    visitor.sign_up()
    for path in ("/api/conversations/", f"{PREFIX}/auth/login"):
        answer = visitor.client.post(path, {}, "application/json")
        assert answer.status_code == 403, path
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "csrf_failed"


@pytest.mark.parametrize(
    "path", ["/api/nothing/", "/api/conversations", "/api", "/v1/nothing", "/_allauth/nothing"]
)
def test_unknown_paths_of_the_interface_are_problems_and_not_the_page(path: str, visitor: Visitor) -> None:
    answer = visitor.client.get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_every_answer_tells_the_browser_what_the_page_may_do(visitor: Visitor) -> None:
    for path in ("/api/me/", "/", "/api/nothing/"):
        answer = visitor.client.get(path)
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe-eval" not in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"


# ---- tokens -----------------------------------------------------------------------------------


def test_a_token_speaks_for_its_owner_without_cookies_or_csrf(visitor: Visitor) -> None:
    user = User.objects.create_user("program@example.org", PASSWORD)
    stored, token = ApiToken.objects.create(user, name="script")
    assert token not in {getattr(stored, field.attname) for field in stored._meta.fields}
    bearer = {"Authorization": f"Bearer {token}"}

    assert visitor.client.get("/api/me/", headers=bearer).json()["email"] == "program@example.org"
    made = visitor.client.post("/api/conversations/", {}, "application/json", headers=bearer)
    assert made.status_code == 201
    stored.refresh_from_db()
    assert stored.last_used is not None


@pytest.mark.parametrize("make", ["wrong", "expired", "inactive"])
def test_a_token_that_does_not_hold_is_401(make: str, visitor: Visitor) -> None:
    user = User.objects.create_user("program@example.org", PASSWORD)
    expiry = timedelta(seconds=-1) if make == "expired" else None
    _, token = ApiToken.objects.create(user, expiry=expiry)
    if make == "inactive":
        User.objects.update(is_active=False)
    bearer = {"Authorization": f"Bearer {'x' * 64 if make == 'wrong' else token}"}
    assert visitor.client.get("/api/me/", headers=bearer).status_code == 401
