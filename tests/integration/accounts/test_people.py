"""What administrators do about people, and what becomes of those who are not let in any more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test import Client

from backend.accounts.models import ApiToken, User
from backend.accounts.people import LastAdministrator, NotAnAdministrator, change_person
from tests.integration.accounts.conftest import PREFIX, Visitor

PEOPLE = "/api/users/"
ROLES = ("is_active", "is_auditor", "is_staff")


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


def change(by: Visitor, person_id: str, **fields: Any) -> Any:
    return by.send("PATCH", f"{PEOPLE}{person_id}/", fields)


def token_of(visitor: Visitor) -> Client:
    """A program that acts for this person."""
    _, secret = ApiToken.objects.create(user=User.objects.get(pk=id_of(visitor)))
    return Client(headers={"Authorization": f"Bearer {secret}"})


# ---- the list ---------------------------------------------------------------------------------


def test_administrators_see_everybody_in_order(admin: Visitor, ada: Visitor) -> None:
    page = admin.client.get(PEOPLE).json()
    assert [person["email"] for person in page["results"]] == ["ada@example.org", "admin@example.org"]
    found = page["results"][0]
    assert {name: found[name] for name in ("id", "display_name", *ROLES)} == {
        "id": id_of(ada),
        "display_name": "ada",
        "is_active": True,
        "is_auditor": False,
        "is_staff": False,
    }
    assert found["date_joined"]
    assert found["last_login"]
    assert not {"password", "session_generation", "is_superuser"} & found.keys()


def test_people_are_found_by_a_part_of_their_name_or_address(admin: Visitor, ada: Visitor) -> None:
    User.objects.filter(email="ada@example.org").update(display_name="Countess Lovelace")

    def found(search: str) -> list[str]:
        return [p["email"] for p in admin.client.get(PEOPLE, {"search": search}).json()["results"]]

    assert found("lovel") == ["ada@example.org"]
    assert found(" ADA@ ") == ["ada@example.org"]
    assert found("%") == []
    assert found("\x00") == []
    assert len(found("")) == 2


def test_many_people_come_in_pages(admin: Visitor) -> None:
    User.objects.bulk_create(User(email=f"p{n:02}@example.org", display_name="P") for n in range(7))
    seen: list[str] = []
    page = admin.client.get(PEOPLE, {"limit": "3", "search": "p"}).json()
    while True:
        seen += [person["email"] for person in page["results"]]
        if page["next"] is None:
            break
        page = admin.client.get(page["next"].removeprefix("http://testserver")).json()
    assert seen == ["admin@example.org", *(f"p{n:02}@example.org" for n in range(7))]


@pytest.mark.parametrize("role", ["nobody", "user", "auditor", "former administrator"])
def test_nobody_else_sees_people_or_changes_them(
    role: str, admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    target = id_of(admin)
    User.objects.filter(email="ada@example.org").update(is_auditor=role == "auditor")
    if role == "former administrator":
        User.objects.filter(email="ada@example.org").update(is_superuser=True)
    asking = new_visitor() if role == "nobody" else ada
    asking.config()
    for answer in (asking.client.get(PEOPLE), change(asking, target, is_staff=False)):
        assert answer.status_code == (401 if role == "nobody" else 403)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert User.objects.get(pk=target).is_staff


# ---- roles ------------------------------------------------------------------------------------


def test_roles_are_given_and_taken(admin: Visitor, ada: Visitor) -> None:
    ada_id = id_of(ada)
    answer = change(admin, ada_id, is_auditor=True, is_staff=True)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ROLES} == dict.fromkeys(ROLES, True)
    assert ada.client.get(PEOPLE).status_code == 200
    assert User.objects.get(pk=ada_id).is_superuser

    assert change(admin, ada_id, is_staff=False).json()["is_auditor"] is True
    assert ada.client.get(PEOPLE).status_code == 403
    assert not User.objects.get(pk=ada_id).is_superuser
    assert change(admin, ada_id).json()["email"] == "ada@example.org", "nothing asked, nothing changed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"is_active": "no"}, "is_active"),
        ({"is_staff": None}, "is_staff"),
        ({"is_superuser": True}, "is_superuser"),
        ({"email": "x@example.org"}, "email"),
    ],
)
def test_what_does_not_fit_is_named(body: dict[str, Any], field: str, admin: Visitor, ada: Visitor) -> None:
    answer = change(admin, id_of(ada), **body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_a_change_from_another_site_is_refused(admin: Visitor, ada: Visitor) -> None:
    ada_id = id_of(ada)
    answer = admin.client.patch(f"{PEOPLE}{ada_id}/", {"is_staff": True}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert not User.objects.get(pk=ada_id).is_staff


def test_an_unknown_person_is_not_found(admin: Visitor) -> None:
    answer = change(admin, str(uuid4()), is_active=False)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


# ---- out --------------------------------------------------------------------------------------


def test_whoever_is_deactivated_is_out_at_once_everywhere(admin: Visitor, ada: Visitor) -> None:
    program = token_of(ada)
    assert program.get("/api/me/").status_code == 200

    assert change(admin, id_of(ada), is_active=False).status_code == 200

    assert ada.me().status_code == 401
    assert program.get("/api/me/").status_code == 401
    assert not ApiToken.objects.exists()
    assert admin.me().status_code == 200


def test_old_sessions_and_tokens_stay_dead_when_somebody_is_let_in_again(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    ada_id, program = id_of(ada), token_of(ada)
    change(admin, ada_id, is_active=False)
    change(admin, ada_id, is_active=True)

    assert ada.me().status_code == 401
    assert program.get("/api/me/").status_code == 401
    again = new_visitor()
    assert again.log_in("ada@example.org").status_code == 200
    assert again.me().json()["id"] == ada_id
    change(admin, ada_id, is_active=False)
    assert again.me().status_code == 401


def test_a_deactivated_person_is_told_so_at_log_in_and_only_with_the_right_password(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    change(admin, id_of(ada), is_active=False)

    refused = new_visitor().log_in("ada@example.org")

    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert "deactivated" in refused.json()["detail"]
    assert "administrator" in refused.json()["detail"]
    guessing = new_visitor().log_in("ada@example.org", "a-wrong-password")
    assert guessing.status_code == 400
    assert "deactivated" not in guessing.content.decode()
    nobody = new_visitor().log_in("nobody@example.org", "a-wrong-password")
    assert nobody.json() == guessing.json(), "who has an account is not told"


def test_changing_roles_ends_no_session(admin: Visitor, ada: Visitor) -> None:
    program = token_of(ada)
    change(admin, id_of(ada), is_auditor=True, is_active=True)
    assert ada.me().json()["is_auditor"] is True
    assert program.get("/api/me/").status_code == 200


def test_a_new_password_ends_sessions_of_every_generation(
    admin: Visitor, ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    ada_id = id_of(ada)
    change(admin, ada_id, is_active=False)
    change(admin, ada_id, is_active=True)
    first, second = new_visitor(), new_visitor()
    for visitor in (first, second):
        assert visitor.log_in("ada@example.org").status_code == 200
    changed = first.send(
        "POST",
        f"{PREFIX}/account/password/change",
        {"current_password": "correct-horse-battery-staple", "new_password": "another-correct-horse"},
    )
    assert changed.status_code == 200
    assert first.me().status_code == 200, "whoever changed it stays"
    assert second.me().status_code == 401


# ---- the last administrator -------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_staff": False}])
def test_the_last_administrator_stays_in_office(
    fields: dict[str, bool], admin: Visitor, ada: Visitor
) -> None:
    admin_id = id_of(admin)
    answer = change(admin, admin_id, **fields)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    assert admin.me().json()["is_staff"] is True

    # One who cannot log in does not count.
    User.objects.filter(email="ada@example.org").update(is_staff=True, is_active=False)
    assert change(admin, admin_id, **fields).status_code == 409

    User.objects.filter(email="ada@example.org").update(is_active=True)
    assert change(admin, admin_id, **fields).status_code == 200
    assert admin.client.get(PEOPLE).status_code in (401, 403)


def test_of_administrators_who_demote_each_other_at_once_one_remains(fresh_database: str) -> None:
    for _ in range(5):
        pair = [User.objects.create(email=f"{uuid4().hex}@example.org", is_staff=True) for _ in range(2)]

        def demote(places: tuple[UUID, UUID]) -> str:
            by, person = places
            try:
                change_person(person, by=by, is_staff=False)
                return "done"
            except (LastAdministrator, NotAnAdministrator) as error:
                return type(error).__name__
            finally:
                connections.close_all()

        one, other = (user.pk for user in pair)
        with ThreadPoolExecutor(2) as pool:
            ends = sorted(pool.map(demote, [(one, other), (other, one)]))

        assert ends == ["NotAnAdministrator", "done"]
        assert User.objects.filter(is_staff=True, is_active=True).count() == 1
        User.objects.all().delete()


def test_of_administrators_who_all_step_down_at_once_one_remains(fresh_database: str) -> None:
    everybody = [User.objects.create(email=f"{n}@example.org", is_staff=True) for n in range(6)]

    def step_down(person_id: UUID) -> str:
        try:
            change_person(person_id, by=person_id, is_active=False)
            return "out"
        except LastAdministrator:
            return "stays"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        ends = sorted(pool.map(step_down, [user.pk for user in everybody]))

    assert ends == ["out"] * 5 + ["stays"]
    assert User.objects.filter(is_staff=True, is_active=True).count() == 1
