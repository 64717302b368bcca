"""A lost password: an administrator makes a link, on record, and only its owner gets in with it, once."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from backend.accounts.models import ApiToken, User
from tests.integration.accounts.conftest import PREFIX, Visitor
from tests.integration.api.support import projecting

PEOPLE = "/api/users/"
PAGE = "/account/password/reset/key/"
NEW = "another-horse-battery-staple"


@pytest.fixture
def admin(new_visitor: Callable[[], Visitor]) -> Visitor:
    visitor = new_visitor()
    visitor.sign_up("admin@example.org")
    return visitor


@pytest.fixture
def ada(admin: Visitor, new_visitor: Callable[[], Visitor]) -> Visitor:
    visitor = new_visitor()
    visitor.sign_up("ada@example.org")
    return visitor


def id_of(visitor: Visitor) -> str:
    found: str = visitor.me().json()["id"]
    return found


def reset(by: Visitor, person_id: str) -> Any:
    return by.send("POST", f"{PEOPLE}{person_id}/reset-password/", {})


def key_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    path: str = answer.json()["path"]
    assert path.startswith(PAGE)
    return path.removeprefix(PAGE)


def set_password(visitor: Visitor, key: str, password: str = NEW) -> Any:
    visitor.config()
    return visitor.send("POST", f"{PREFIX}/auth/password/reset", {"key": key, "password": password})


def readings(visitor: Visitor, database_url: str) -> list[dict[str, Any]]:
    from backend import bootstrap

    with projecting(database_url):
        after = str(bootstrap.event_store().end())
        found: list[dict[str, Any]] = visitor.client.get("/api/me/audit-reads/", {"after": after}).json()[
            "results"
        ]
    return found


def test_its_owner_sets_a_new_password_and_all_sessions_end(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    key = key_of(reset(admin, id_of(ada)))
    visitor = new_visitor()
    visitor.config()
    shown = visitor.client.get(f"{PREFIX}/auth/password/reset", headers={"X-Password-Reset-Key": key})
    assert shown.json()["data"]["user"]["email"] == "ada@example.org"
    assert ada.me().status_code == 200, "a link that nobody has used ends nothing"

    assert set_password(visitor, key).status_code == 401, "set, and not logged in by it"

    assert ada.me().status_code == 401
    assert admin.me().status_code == 200
    assert new_visitor().log_in("ada@example.org").status_code == 400
    assert new_visitor().log_in("ada@example.org", NEW).status_code == 200


def test_it_works_once(admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    ada_id = id_of(ada)
    first, second = key_of(reset(admin, ada_id)), key_of(reset(admin, ada_id))
    assert set_password(new_visitor(), first).status_code == 401
    for used in (first, second):
        answer = set_password(new_visitor(), used, "yet-another-horse-battery")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "invalid_password_reset"


def test_it_is_worth_nothing_after_a_day(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from allauth.account.forms import default_token_generator

    answer = reset(admin, id_of(ada))
    said = datetime.fromisoformat(answer.json()["expires_at"])
    assert abs(said - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    later = datetime.now() + timedelta(hours=24, seconds=5)
    monkeypatch.setattr(default_token_generator, "_now", lambda: later)
    assert set_password(new_visitor(), key_of(answer)).status_code == 400
    assert ada.me().status_code == 200


def test_weak_passwords_are_refused_and_the_link_stays_good(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    key = key_of(reset(admin, id_of(ada)))
    refused = set_password(new_visitor(), key, "12345678")
    assert refused.status_code == 400
    assert {error["param"] for error in refused.json()["errors"]} == {"password"}
    assert set_password(new_visitor(), key).status_code == 401


def test_its_owner_sees_each_time_who_made_one(admin: Visitor, ada: Visitor, fresh_database: str) -> None:
    reset(admin, id_of(ada))
    reset(admin, id_of(ada))
    found = readings(ada, fresh_database)
    assert [(row["what"], row["reader"]["email"]) for row in found] == [
        ("password_link", "admin@example.org")
    ] * 2
    assert found[0]["conversation_id"] is None


def test_what_cannot_be_recorded_is_not_done(
    admin: Visitor, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import bootstrap

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the store does not take it")

    monkeypatch.setattr(bootstrap, "run_command", fail)
    answer = reset(admin, id_of(ada))
    assert answer.status_code == 500
    assert PAGE not in answer.content.decode()


def test_nobody_gets_around_their_own_password_with_it(admin: Visitor) -> None:
    answer = reset(admin, id_of(admin))
    assert (answer.status_code, answer.json()["code"]) == (409, "own_account")
    assert "settings" in answer.json()["detail"]


@pytest.mark.parametrize("action", ["reset-password", "remove-second-factor"])
def test_only_administrators_in_a_browser_may(
    action: str, admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    address = f"{PEOPLE}{id_of(admin)}/{action}/"
    User.objects.filter(email="ada@example.org").update(is_auditor=True)
    assert ada.send("POST", address, {}).json()["code"] == "permission_denied"
    nobody = new_visitor()
    nobody.config()
    assert nobody.send("POST", address, {}).status_code == 401
    _, secret = ApiToken.objects.create(user=User.objects.get(email="admin@example.org"))
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    address = f"{PEOPLE}{id_of(ada)}/{action}/"
    answer = program.post(address, {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "session_required")
    forged = admin.client.post(address, {}, content_type="application/json")
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf_failed")


def test_what_is_not_there_or_not_let_in_is_told_apart(admin: Visitor, ada: Visitor) -> None:
    ada_id = id_of(ada)
    assert reset(admin, str(uuid4())).json()["code"] == "user_not_found"
    admin.send("PATCH", f"{PEOPLE}{ada_id}/", {"is_active": False})
    assert reset(admin, ada_id).json()["code"] == "account_inactive"
    extra = admin.send("POST", f"{PEOPLE}{ada_id}/reset-password/", {"password": "x"})
    assert extra.status_code == 400


# ---- from the machine -------------------------------------------------------------------------


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("reset_password", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue().strip()


def test_the_command_prints_a_link_that_works(admin: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    link = run("ADMIN@example.org")
    assert link.startswith(f"http://127.0.0.1:8000{PAGE}")
    assert set_password(new_visitor(), link.partition(PAGE)[2]).status_code == 401
    assert new_visitor().log_in("admin@example.org", NEW).status_code == 200


def test_the_command_names_the_installation_as_others_reach_it(admin: Visitor, settings: Any) -> None:
    settings.IS_LOOPBACK = False
    settings.ALLOWED_HOSTS = ["*", ".chat.example.org"]
    assert run("admin@example.org").startswith(f"https://chat.example.org{PAGE}")


def test_the_command_says_whom_it_cannot_help(admin: Visitor, ada: Visitor) -> None:
    with pytest.raises(CommandError, match="no account with the address nobody"):
        run("nobody@example.org")
    User.objects.filter(email="ada@example.org").update(is_active=False)
    with pytest.raises(CommandError, match="deactivated"):
        run("ada@example.org")
