"""A second factor: set up, asked for at log-in, recovered from, turned off, and taken off by an administrator."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from backend.accounts.models import User
from tests.integration.accounts.conftest import PASSWORD, PREFIX, Visitor
from tests.integration.accounts.test_password_links import NEW, key_of, readings, reset, run, set_password

TOTP = f"{PREFIX}/account/authenticators/totp"
CODES = f"{PREFIX}/account/authenticators/recovery-codes"


def code_of(secret: str) -> str:
    """What an authenticator app shows. Never in the last second of a code's half minute."""
    if time.time() % 30 > 28:
        time.sleep(30.1 - time.time() % 30)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def reauthenticate(visitor: Visitor, password: str = PASSWORD) -> Any:
    return visitor.send("POST", f"{PREFIX}/auth/reauthenticate", {"password": password})


def flows(answer: Any) -> set[str]:
    return {flow["id"] for flow in answer.json()["data"]["flows"]}


def set_up(visitor: Visitor) -> str:
    """Set one up as the settings page does; returns its secret."""
    offered = visitor.client.get(TOTP)
    assert offered.status_code == 404
    secret: str = offered.json()["meta"]["secret"]
    assert reauthenticate(visitor).status_code == 200
    assert visitor.send("POST", TOTP, {"code": code_of(secret)}).status_code == 200
    return secret


def forget_used_codes() -> None:
    """A code works once; the tests do not wait half a minute for the next one."""
    from django.core.cache import cache

    cache.clear()


def log_in(visitor: Visitor, code: str) -> Any:
    asked = visitor.log_in()
    assert asked.status_code == 401
    pending = next(flow for flow in asked.json()["data"]["flows"] if flow.get("is_pending"))
    assert pending["id"] == "mfa_authenticate"
    assert visitor.me().status_code == 401
    return visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": code})


@pytest.fixture
def admin(new_visitor: Callable[[], Visitor]) -> Visitor:
    visitor = new_visitor()
    visitor.sign_up("admin@example.org")
    return visitor


@pytest.fixture
def ada(admin: Visitor, new_visitor: Callable[[], Visitor]) -> Visitor:
    visitor = new_visitor()
    visitor.sign_up()
    return visitor


def test_it_is_set_up_with_the_password_and_a_code(ada: Visitor) -> None:
    secret = ada.client.get(TOTP).json()["meta"]["secret"]
    without_password = ada.send("POST", TOTP, {"code": code_of(secret)})
    assert without_password.status_code == 401
    assert "reauthenticate" in flows(without_password)

    reauthenticate(ada)
    wrong = ada.send("POST", TOTP, {"code": "000000"})
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["code"] == "incorrect_code"
    assert ada.send("POST", TOTP, {"code": code_of(secret)}).status_code == 200
    kinds = [found["type"] for found in ada.client.get(f"{PREFIX}/account/authenticators").json()["data"]]
    assert sorted(kinds) == ["recovery_codes", "totp"]


def test_its_picture_holds_the_secret_for_this_browser_only(ada: Visitor, admin: Visitor) -> None:
    address = "/api/me/second-factor/picture/"
    assert ada.client.get(address).json()["code"] == "nothing_to_scan"
    ada.client.get(TOTP)
    picture = ada.client.get(address)
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert picture.headers["Cache-Control"] == "no-store"
    assert ElementTree.fromstring(picture.content).tag.endswith("svg")
    assert admin.client.get(address).status_code == 404


def test_log_in_asks_for_a_code_and_each_works_once(ada: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    secret = set_up(ada)
    visitor = new_visitor()
    assert log_in(visitor, "123").status_code == 400
    code = code_of(secret)
    assert visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": code}).status_code == 200
    assert visitor.me().json()["email"] == "ada@example.org"
    assert log_in(new_visitor(), code).status_code == 400, "overheard, and used a second time"


def test_codes_cannot_be_guessed(ada: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    secret = set_up(ada)
    visitor = new_visitor()
    log_in(visitor, "000001")
    for guess in range(2, 6):
        visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": f"00000{guess}"})
    right = visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": code_of(secret)})
    assert right.status_code == 400
    assert right.json()["errors"][0]["code"] == "too_many_login_attempts"


def test_each_recovery_code_works_once_and_new_ones_replace_them(
    ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    set_up(ada)
    codes = ada.client.get(CODES).json()["data"]["unused_codes"]
    assert len(set(codes)) == 10
    assert log_in(new_visitor(), codes[0]).status_code == 200
    assert log_in(new_visitor(), codes[0]).status_code == 400
    assert ada.client.get(CODES).json()["data"]["unused_code_count"] == 9

    renewed = ada.send("POST", CODES, {}).json()["data"]["unused_codes"]

    assert not set(renewed) & set(codes)
    assert log_in(new_visitor(), codes[1]).status_code == 400
    assert log_in(new_visitor(), renewed[0]).status_code == 200


def test_looking_at_codes_and_turning_it_off_ask_who_it_is(
    ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    secret = set_up(ada)
    forget_used_codes()
    later = new_visitor()
    assert log_in(later, code_of(secret)).status_code == 200
    for refused in (later.client.get(CODES), later.send("POST", CODES, {}), later.send("DELETE", TOTP)):
        assert refused.status_code == 401
        assert flows(refused) == {"reauthenticate", "mfa_reauthenticate"}

    forget_used_codes()
    proof = later.send("POST", f"{PREFIX}/auth/2fa/reauthenticate", {"code": code_of(secret)})
    assert proof.status_code == 200
    assert later.send("DELETE", TOTP).status_code == 200
    assert new_visitor().log_in().status_code == 200, "the password is enough again"
    assert later.client.get(CODES).status_code == 404, "codes without a factor are nobody's"


def test_a_new_password_by_a_link_does_not_go_around_it(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    set_up(ada)
    key = key_of(reset(admin, ada.me().json()["id"]))
    assert set_password(new_visitor(), key).status_code == 401
    asked = new_visitor().log_in("ada@example.org", NEW)
    assert asked.status_code == 401
    assert "mfa_authenticate" in flows(asked)


def test_an_administrator_takes_it_off_on_record(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor], fresh_database: str
) -> None:
    set_up(ada)
    ada_id = ada.me().json()["id"]
    address = f"/api/users/{ada_id}/remove-second-factor/"
    listed = {
        row["email"]: row["has_second_factor"] for row in admin.client.get("/api/users/").json()["results"]
    }
    assert listed == {"ada@example.org": True, "admin@example.org": False}

    assert admin.send("POST", address, {}).json()["has_second_factor"] is False

    assert new_visitor().log_in().status_code == 200
    found = readings(ada, fresh_database)
    assert [(row["what"], row["reader"]["email"]) for row in found] == [
        ("second_factor", "admin@example.org")
    ]
    assert admin.send("POST", address, {}).json()["code"] == "no_second_factor"
    assert len(readings(ada, fresh_database)) == 1, "what was not done is not on record"
    own = admin.send("POST", f"/api/users/{admin.me().json()['id']}/remove-second-factor/", {})
    assert own.json()["code"] == "own_account"


def test_on_the_machine_it_is_taken_off_with_the_password(
    ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    set_up(ada)
    run("ada@example.org")
    assert new_visitor().log_in().status_code == 401
    run("ada@example.org", "--without-second-factor")
    assert new_visitor().log_in().status_code == 200


def test_the_database_holds_no_secret_in_the_clear(ada: Visitor) -> None:
    from allauth.mfa.models import Authenticator

    secret = set_up(ada)
    codes = ada.client.get(CODES).json()["data"]["unused_codes"]
    kept = " ".join(str(row.data) for row in Authenticator.objects.all())
    assert secret not in kept
    assert not any(code in kept for code in codes)


def test_under_another_secret_key_no_code_fits(
    ada: Visitor, new_visitor: Callable[[], Visitor], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = set_up(ada)
    codes = ada.client.get(CODES).json()["data"]["unused_codes"]
    settings.SECRET_KEY = "another-secret-key-" + "y" * 40
    visitor = new_visitor()
    assert log_in(visitor, code_of(secret)).status_code == 400
    for code in (codes[0], code_of(""), ""):
        assert visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": code}).status_code == 400
    assert "SECRET_KEY is another one" in caplog.text
    assert secret not in caplog.text
    assert User.objects.get(email="ada@example.org").is_active
