"""Deleting one's own account: what goes, what stays on record, and what keeps it from happening."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from tests.integration.api.support import Person, StandInWorker, problem_of, token_of

if TYPE_CHECKING:
    from backend.accounts.models import User

pytestmark = pytest.mark.usefixtures("projected")

ME = "/api/me/"
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    return make_user("ada@example.org", display_name="Ada Lovelace")


@pytest.fixture
def as_ada(ada: User, person_for: Callable[[User], Person]) -> Person:
    return person_for(ada)


@pytest.fixture
def auditor(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("eve@example.org", is_auditor=True))


def test_everything_that_tells_who_it_was_goes(ada: User, as_ada: Person) -> None:
    from allauth.account.models import EmailAddress
    from allauth.mfa.models import Authenticator
    from allauth.socialaccount.models import SocialAccount

    from backend.accounts.models import ApiToken, Preset, User

    EmailAddress.objects.create(user=ada, email=ada.email, primary=True, verified=True)
    Authenticator.objects.create(user=ada, type="totp", data={"secret": "x"})
    SocialAccount.objects.create(user=ada, provider="oidc", uid="1", extra_data={"email": ada.email})
    token_of(ada)
    as_ada.command("POST", "/api/presets/", {"name": "Mine", "system_prompt": "I am Ada."}, status=201)

    assert as_ada.ask("DELETE", ME, {"password": PASSWORD}).status_code == 204

    left = User.objects.get(pk=ada.pk)
    shown = str(vars(left))
    assert "ada" not in shown.lower()
    assert "lovelace" not in shown.lower()
    assert not left.is_active
    assert not left.has_usable_password()
    assert left.deleted_at is not None
    for kind in (EmailAddress, Authenticator, SocialAccount, ApiToken, Preset):
        assert not kind._default_manager.filter(user=left).exists(), kind.__name__


def test_every_way_in_is_closed_at_once(
    ada: User, as_ada: Person, client_for: Callable[[User], Client], bob: Person
) -> None:
    elsewhere, program = client_for(ada), Client(headers={"Authorization": f"Bearer {token_of(ada)}"})
    assert elsewhere.get(ME).status_code == program.get(ME).status_code == 200

    as_ada.ask("DELETE", ME, {"password": PASSWORD})

    assert as_ada.client.get(ME).status_code == 401
    assert elsewhere.get(ME).status_code == 401
    assert program.get(ME).status_code == 401
    kept = [session.get_decoded().get("_auth_user_id") for session in Session.objects.all()]
    assert str(ada.pk) not in kept
    assert bob.client.get(ME).status_code == 200, "whoever stays notices nothing"


def test_the_address_is_free_again(ada: User, as_ada: Person, make_user: Callable[..., User]) -> None:
    as_ada.ask("DELETE", ME, {"password": PASSWORD})
    assert make_user("Ada@example.org").pk != ada.pk


def test_conversations_are_deleted_and_their_words_stay_on_record(
    ada: User, as_ada: Person, auditor: Person, worker: StandInWorker
) -> None:
    conversation = as_ada.start(title="Mine")
    sent = as_ada.send(conversation["id"], "Remember me")
    worker.answer(sent["call_id"], "I do.")

    as_ada.ask("DELETE", ME, {"password": PASSWORD})

    events = auditor.get(f"/api/audit/conversations/{conversation['id']}/events/")["results"]
    assert events[-1]["topic"].startswith("ConversationDeleted")
    assert any("Remember me" in str(event["payload"]) for event in events)
    calls = auditor.get("/api/model-calls/", user=str(ada.pk))["results"]
    assert [call["id"] for call in calls] == [sent["call_id"]]
    assert calls[0]["user"] == {"id": str(ada.pk), "email": None, "display_name": None}


def test_running_replies_are_asked_to_stop(as_ada: Person, auditor: Person, worker: StandInWorker) -> None:
    from uuid import UUID

    from backend import bootstrap

    conversation = as_ada.start()
    sent = as_ada.send(conversation["id"], "Tell me a long story")
    worker.start(sent["call_id"])

    as_ada.ask("DELETE", ME, {"password": PASSWORD})

    assert bootstrap.event_store().read_call(UUID(sent["call_id"])).cancel_requested


@pytest.mark.parametrize(
    "body", [{}, {"password": ""}, {"password": "wrong"}, {"confirm": "ada@example.org"}]
)
def test_a_wrong_password_changes_nothing(body: dict[str, str], as_ada: Person) -> None:
    conversation = as_ada.start()
    refused = problem_of(as_ada.ask("DELETE", ME, body), 400)
    assert refused["code"] == "wrong_password"
    assert refused["errors"]["password"]
    assert as_ada.get(ME)["email"] == "ada@example.org"
    assert as_ada.get(f"/api/conversations/{conversation['id']}/")["deleted"] is False


def test_without_a_password_the_address_is_typed(ada: User, person_for: Callable[[User], Person]) -> None:
    ada.set_unusable_password()
    ada.save()
    person = person_for(ada)
    assert person.get(ME)["has_password"] is False

    for body in ({}, {"confirm": "bob@example.org"}, {"password": "anything"}):
        refused = problem_of(person.ask("DELETE", ME, body), 400)
        assert refused["code"] == "not_confirmed"
        assert "ada@example.org" in refused["detail"]

    assert person.ask("DELETE", ME, {"confirm": " ADA@example.org "}).status_code == 204


def test_the_last_administrator_stays(
    make_user: Callable[..., User], person_for: Callable[[User], Person]
) -> None:
    root = make_user("root@example.org", is_staff=True, is_superuser=True)
    person = person_for(root)
    conversation = person.start()

    refused = problem_of(person.ask("DELETE", ME, {"password": PASSWORD}), 409)

    assert refused["code"] == "last_administrator"
    assert "Make somebody else an administrator" in refused["detail"]
    assert person.get(f"/api/conversations/{conversation['id']}/")["deleted"] is False
    make_user("second@example.org", is_staff=True)
    assert person.ask("DELETE", ME, {"password": PASSWORD}).status_code == 204


def test_a_program_cannot_do_it(ada: User) -> None:
    program = Person(Client(headers={"Authorization": f"Bearer {token_of(ada)}"}))
    refused = problem_of(program.ask("DELETE", ME, {"password": PASSWORD}), 403)
    assert refused["code"] == "session_required"
    assert program.get(ME)["email"] == "ada@example.org"


def test_passwords_cannot_be_guessed_here(as_ada: Person) -> None:
    answers = [as_ada.ask("DELETE", ME, {"password": f"guess {n}"}) for n in range(11)]
    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"


def test_nobody_brings_it_back(
    ada: User, as_ada: Person, make_user: Callable[..., User], person_for: Callable[[User], Person]
) -> None:
    root = person_for(make_user("root@example.org", is_staff=True))
    as_ada.ask("DELETE", ME, {"password": PASSWORD})

    refused = problem_of(root.ask("PATCH", f"/api/users/{ada.pk}/", {"is_active": True}), 409)

    assert refused["code"] == "account_deleted"
    assert [row["email"] for row in root.get("/api/users/")["results"]] == ["root@example.org"]
