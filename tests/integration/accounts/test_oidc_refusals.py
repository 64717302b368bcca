"""Log-in through another service that cannot be believed, is away or not set up; and who may not ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from backend.accounts.models import ApiToken, User
from tests.integration.accounts.conftest import GRACE, PREFIX, Visitor
from tests.integration.accounts.oidc_support import CALLBACK, begin, come_back, sign_on
from tests.integration.accounts.test_second_factor import reauthenticate
from tests.support.oidc_provider import CLIENT_SECRET, OidcProvider, running_oidc_provider


@pytest.fixture
def admin(configure: Callable[..., None], new_visitor: Callable[[], Visitor]) -> Visitor:
    """The service is set up, and the first account is there."""
    configure()
    visitor = new_visitor()
    visitor.sign_up("admin@example.org")
    return visitor


# ---- services that cannot be believed ---------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    [
        {"sign_with_another_key": True},
        {"audience": "another-client"},
        {"expired": True},
        {"without_key_id": True},
        {"userinfo": {**GRACE, "sub": "somebody-else"}},
        {"userinfo": {"email": "grace@example.org"}},
        {"userinfo": ["not", "an", "object"]},
        {"claims": {**GRACE, "sub": ""}},
        {"claims": {**GRACE, "sub": 7}},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_what_does_not_prove_who_it_is_lets_nobody_in(
    lie: dict[str, Any],
    admin: Visitor,
    service: OidcProvider,
    new_visitor: Callable[[], Visitor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in lie.items():
        monkeypatch.setattr(service, name, value)
    visitor = new_visitor()
    assert sign_on(visitor) == "unknown"
    assert visitor.me().status_code == 401
    assert User.objects.count() == 1
    assert "A log-in through Our staff failed" in caplog.text
    assert CLIENT_SECRET not in caplog.text


def test_the_same_person_number_of_another_service_is_somebody_else(
    admin: Visitor, configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    assert sign_on(new_visitor()) == ""
    with running_oidc_provider() as other:
        other.claims = {**GRACE, "email": "mallory@example.org"}
        configure(server_url=other.url)
        mallory = new_visitor()
        assert sign_on(mallory) == ""
        assert mallory.me().json()["email"] == "mallory@example.org"


def test_a_callback_that_nobody_has_begun_or_that_was_used_leads_to_the_log_in_page(
    admin: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    begun = begin(admin)
    stranger = new_visitor()
    for answer in (
        come_back(stranger, begun),
        stranger.client.get(CALLBACK),
        stranger.client.get(f"{CALLBACK}?code=x&state=y"),
    ):
        assert answer.status_code == 302
        assert "/login?from=service&error=unknown" in answer.headers["Location"]
    assert stranger.me().status_code == 401


def test_changing_one_s_mind_there_is_no_failure(
    admin: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    service.deny = True
    assert sign_on(new_visitor()) == "cancelled"


def test_a_service_that_is_away_or_another_one_is_said_so_before_anybody_leaves(
    admin: Visitor,
    configure: Callable[..., None],
    service: OidcProvider,
    new_visitor: Callable[[], Visitor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.issuer_told = "https://login.example.org"
    answer = begin(new_visitor())
    assert (answer.status_code, answer.json()["code"]) == (503, "other_service_away")
    assert "Our staff does not answer as it should" in answer.json()["detail"]
    assert "calls itself 'https://login.example.org'" in caplog.text
    configure(server_url="http://127.0.0.1:9")
    assert begin(new_visitor()).status_code == 503


# ---- switched off, and who may ask ------------------------------------------------------------


def test_without_settings_there_is_no_such_thing(visitor: Visitor) -> None:
    config = visitor.client.get(f"{PREFIX}/config").json()["data"]
    assert config["socialaccount"] == {"providers": []}
    answer = begin(visitor)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_other_service")
    assert visitor.client.get(CALLBACK).status_code == 404


def test_the_log_in_page_is_told_of_it_and_of_no_secret(
    admin: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    answer = new_visitor().client.get(f"{PREFIX}/config")
    (told,) = answer.json()["data"]["socialaccount"]["providers"]
    assert (told["id"], told["name"], told["flows"]) == ("oidc", "Our staff", ["provider_redirect"])
    assert CLIENT_SECRET not in answer.content.decode()


def test_other_sites_and_programs_cannot_begin_it(admin: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    forged = new_visitor().client.post("/api/sign-on/", {}, content_type="application/json")
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf_failed")
    _, secret = ApiToken.objects.create(user=User.objects.get(email="admin@example.org"))
    program = new_visitor().client.post(
        "/api/sign-on/", {}, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    assert (program.status_code, program.json()["code"]) == (403, "session_required")
    assert admin.send("POST", "/api/sign-on/", {"process": "redirect"}).status_code == 400


def test_who_has_connected_it_can_still_look_and_take_it_off_once_it_is_not_set_up_any_more(
    admin: Visitor, settings: Any, new_visitor: Callable[[], Visitor]
) -> None:
    reauthenticate(admin)
    assert sign_on(admin, "connect") == ""
    settings.OIDC = None
    settings.SOCIALACCOUNT_PROVIDERS = {}

    answer = admin.client.get(f"{PREFIX}/account/providers")
    assert answer.status_code == 200
    (linked,) = answer.json()["data"]
    body = {"provider": "oidc", "account": linked["uid"]}
    assert admin.send("DELETE", f"{PREFIX}/account/providers", body).json()["data"] == []
    assert admin.client.get(f"{PREFIX}/config").json()["data"]["socialaccount"]["providers"] == []


@pytest.mark.parametrize("discovery", ["away", "of another service", "no object", "without a token endpoint"])
def test_a_service_that_is_away_when_people_come_back_leads_to_a_page_too(
    discovery: str,
    admin: Visitor,
    service: OidcProvider,
    new_visitor: Callable[[], Visitor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visitor = new_visitor()
    begun = begin(visitor)
    sent = requests.get(begun.json()["url"], allow_redirects=False, timeout=10)
    told = {**service.discovery()}
    match discovery:
        case "away":
            monkeypatch.setattr(service, "discovery", lambda: None)
        case "no object":
            monkeypatch.setattr(service, "discovery", lambda: ["nothing"])
        case "of another service":
            monkeypatch.setattr(service, "issuer_told", "https://elsewhere.example.org")
        case _:
            monkeypatch.setattr(
                service, "discovery", lambda: {name: told[name] for name in told if name != "token_endpoint"}
            )
    back = urlsplit(sent.headers["Location"])
    answer = visitor.client.get(f"{back.path}?{back.query}")
    assert answer.status_code == 302
    assert "/login?from=service&error=unknown" in answer.headers["Location"]
