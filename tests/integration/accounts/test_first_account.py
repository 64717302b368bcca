"""Who gets to be the administrator of a new installation, and how its setup code is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.db import connections

from backend.accounts.models import User
from backend.accounts.signup_policy import setup_code
from tests.integration.accounts.conftest import PASSWORD, Settings, Visitor


@pytest.fixture
def reached_by_others(settings: Settings, tmp_path: Path) -> Path:
    """An installation that other machines reach; returns its DATA_DIR."""
    settings.IS_LOOPBACK = False
    settings.SIGNUP = "closed"
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_of_eight_with_the_right_code_exactly_one_gets_in(
    new_visitor: Callable[[], Visitor], reached_by_others: Path
) -> None:
    code = setup_code(reached_by_others)

    def sign_up(place: int) -> tuple[int, str, str]:
        try:
            answer = new_visitor().sign_up(f"person{place}@example.org", **{"X-Setup-Code": code})
            return answer.status_code, answer["Content-Type"], answer.content.decode()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sign_up, range(8)))
    assert sorted(status for status, _, _ in answers) == [200] + [403] * 7
    assert User.objects.get().is_staff
    assert not [text for status, kind, text in answers if status == 403 and "json" not in kind]


def test_the_code_opens_the_door_once(new_visitor: Callable[[], Visitor], reached_by_others: Path) -> None:
    code = setup_code(reached_by_others)
    assert new_visitor().sign_up("owner@example.org", **{"X-Setup-Code": code}).status_code == 200
    assert new_visitor().sign_up("second@example.org", **{"X-Setup-Code": code}).status_code == 403
    assert new_visitor().client.get("/api/setup/").json() == {
        "signup": "closed",
        "first_account": False,
        "setup_code_required": False,
        "mail": False,
    }


def test_people_may_write_the_code_as_they_like(
    new_visitor: Callable[[], Visitor], reached_by_others: Path
) -> None:
    typed = f"  {setup_code(reached_by_others).replace('-', '').lower()} "
    assert new_visitor().sign_up("owner@example.org", **{"X-Setup-Code": typed}).status_code == 200


@pytest.mark.parametrize("offered", ["", " ", "-", "ABCD-EFGH-JKL", "\xe9"])
def test_nothing_but_the_code_opens_the_door(
    offered: str, new_visitor: Callable[[], Visitor], reached_by_others: Path
) -> None:
    assert new_visitor().sign_up("thief@example.org", **{"X-Setup-Code": offered}).status_code == 403
    assert not User.objects.exists()


def test_an_emptied_code_file_lets_nobody_in_and_is_told(
    new_visitor: Callable[[], Visitor], reached_by_others: Path
) -> None:
    visitor = new_visitor()
    visitor.client.raise_request_exception = False
    visitor.config()
    (reached_by_others / "setup_code").write_text("")
    for offered in ("", "ABCD-EFGH-JKLM"):
        assert visitor.try_to_sign_up("thief@example.org", **{"X-Setup-Code": offered}).status_code == 500
    assert not User.objects.exists()
    with pytest.raises(CommandError, match=r"holds no setup code\. Delete the file"):
        call_command("setup_code")


def test_all_processes_that_ask_at_once_get_the_same_code(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    with ThreadPoolExecutor(16) as pool:
        codes = set(pool.map(setup_code, [folder] * 64))
    assert len(codes) == 1
    assert [path.name for path in folder.iterdir()] == ["setup_code"]
    assert (folder / "setup_code").stat().st_mode & 0o777 == 0o600
    assert setup_code(folder) in codes, "and it stays the same"


def test_two_installations_have_different_codes(tmp_path: Path) -> None:
    assert setup_code(tmp_path / "one") != setup_code(tmp_path / "two")


def test_a_code_that_is_only_spaces_is_no_code(tmp_path: Path) -> None:
    (tmp_path / "setup_code").write_text("  \n")
    with pytest.raises(ImproperlyConfigured):
        setup_code(tmp_path)


def test_the_code_is_shown_to_whoever_starts_it_until_the_first_account_is_made(
    reached_by_others: Path, make_user: Callable[..., User], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("setup_code")
    assert capsys.readouterr().out == setup_code(reached_by_others) + "\n"
    make_user()
    call_command("setup_code")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("fresh_database")
def test_an_administrator_can_be_made_on_the_machine_and_only_once_per_address(
    monkeypatch: pytest.MonkeyPatch, new_visitor: Callable[[], Visitor]
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", email="root@example.org", verbosity=0)
    visitor = new_visitor()
    assert visitor.log_in("root@example.org").status_code == 200
    assert visitor.me().json()["is_staff"] is True

    with pytest.raises(CommandError, match=r"There is an account for ROOT@example\.org already"):
        call_command("createsuperuser", "--noinput", email="ROOT@example.org", verbosity=0)
    with pytest.raises(ValidationError):
        User.objects.create_superuser("root@EXAMPLE.org", PASSWORD)
    assert User.objects.count() == 1


def test_after_an_administrator_made_on_the_machine_sign_up_makes_ordinary_accounts(
    make_user: Callable[..., User], new_visitor: Callable[[], Visitor]
) -> None:
    make_user("root@example.org", is_staff=True)
    visitor = new_visitor()
    assert visitor.sign_up("ada@example.org").status_code == 200
    assert visitor.me().json()["is_staff"] is False
