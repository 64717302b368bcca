"""Log-in through another service, against a real small provider on a socket: who comes in, and as whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.accounts.models import ApiToken, User
from tests.integration.accounts.conftest import GRACE, PASSWORD, PREFIX, Visitor
from tests.integration.accounts.oidc_support import CALLBACK, begin, sign_on
from tests.integration.accounts.test_second_factor import code_of, forget_used_codes, reauthenticate, set_up
from tests.support.oidc_provider import OidcProvider


@pytest.fixture
def admin(configure: Callable[..., None], new_visitor: Callable[[], Visitor]) -> Visitor:
    """The service is set up, and the first account is there."""
    configure()
    visitor = new_visitor()
    visitor.sign_up("admin@example.org")
    return visitor


# ---- new people -------------------------------------------------------------------------------


def test_somebody_new_gets_an_account_and_comes_back_to_it(
    admin: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    grace = new_visitor()
    assert sign_on(grace) == ""
    me = grace.me().json()
    assert (me["email"], me["display_name"], me["has_password"]) == (
        "grace@example.org",
        "Grace Hopper",
        False,
    )
    assert me["is_staff"] is False

    again = new_visitor()
    service.claims = {**GRACE, "email": "grace.new@example.org"}
    assert sign_on(again) == ""
    assert again.me().json()["id"] == me["id"], "by the service's id, whatever the address is now"
    assert User.objects.count() == 2


def test_the_service_is_asked_as_it_should_be(
    admin: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    sign_on(new_visitor())
    (asked,) = service.asked
    assert asked["response_type"] == "code"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 16


def test_the_first_account_is_never_made_this_way(
    configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    configure(signup="open")
    assert sign_on(new_visitor()) == "first_account"
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("signup", "of_service", "let_in"),
    [("open", "", True), ("closed", "", False), ("closed", "open", True), ("open", "closed", False)],
)
def test_who_is_new_comes_in_as_the_settings_say(
    signup: str,
    of_service: str,
    let_in: bool,
    admin: Visitor,
    configure: Callable[..., None],
    settings: Any,
    new_visitor: Callable[[], Visitor],
) -> None:
    settings.SIGNUP = signup
    configure(signup=of_service)
    assert sign_on(new_visitor()) == ("" if let_in else "signup_closed")
    assert User.objects.filter(email="grace@example.org").exists() is let_in


def test_without_an_address_there_is_no_account(
    admin: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    service.claims = {"sub": "g-1", "name": "Grace"}
    assert sign_on(new_visitor()) == "email_missing"
    assert User.objects.count() == 1


# ---- an account with the same address ---------------------------------------------------------


@pytest.fixture
def local(admin: Visitor, new_visitor: Callable[[], Visitor]) -> Visitor:
    """Somebody has an account here under Grace's address; nobody knows whether it was Grace."""
    visitor = new_visitor()
    visitor.sign_up("Grace@example.org")
    return visitor


def test_an_address_alone_opens_no_account(local: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    stranger = new_visitor()
    assert sign_on(stranger) == "email_taken"
    assert stranger.me().status_code == 401
    assert User.objects.count() == 2


@pytest.mark.parametrize("verified", [False, "false", None, 1.5])
def test_not_even_where_addresses_are_trusted_while_the_service_has_not_verified_it(
    verified: Any,
    local: Visitor,
    configure: Callable[..., None],
    service: OidcProvider,
    new_visitor: Callable[[], Visitor],
) -> None:
    configure(link_by_email=True)
    service.claims = {**GRACE, "email_verified": verified}
    assert sign_on(new_visitor()) == "email_taken"
    assert local.me().status_code == 200


def test_where_addresses_are_trusted_the_service_wins_over_whoever_signed_up_with_it(
    local: Visitor, configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    configure(link_by_email=True)
    whose = User.objects.get(email__iexact="grace@example.org")
    ApiToken.objects.create(user=whose)

    grace = new_visitor()
    assert sign_on(grace) == ""

    assert grace.me().json()["id"] == str(whose.pk)
    assert local.me().status_code == 401, "whoever was in there is out"
    assert not ApiToken.objects.filter(user=whose).exists()
    assert new_visitor().log_in("grace@example.org").status_code == 400, "and their password is worth nothing"


def test_who_signed_up_with_somebody_else_s_address_has_left_no_other_way_in(
    local: Visitor, service: OidcProvider, configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    from allauth.account.models import EmailAddress
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    configure(link_by_email=True)
    mallory = {"sub": "m-1", "name": "Mallory", "email": "mallory@example.org", "email_verified": True}
    service.claims = dict(mallory)
    reauthenticate(local)
    assert sign_on(local, "connect") == ""
    whose = User.objects.get(email__iexact="grace@example.org")
    EmailAddress.objects.create(user=whose, email="mallory2@example.org", verified=True, primary=False)
    TOTP.activate(whose, generate_totp_secret())

    service.claims = dict(GRACE)
    grace = new_visitor()
    assert sign_on(grace) == ""
    assert grace.me().json()["id"] == str(whose.pk)

    service.claims = dict(mallory)
    back = new_visitor()
    assert sign_on(back) == ""
    assert back.me().json()["id"] != str(whose.pk)
    addresses = EmailAddress.objects.filter(user=whose).values_list("email", "verified", "primary")
    assert list(addresses) == [("grace@example.org", True, True)]


def test_an_address_that_was_verified_here_keeps_its_password(
    local: Visitor, configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    from allauth.account.models import EmailAddress

    EmailAddress.objects.filter(email__iexact="grace@example.org").update(verified=True)
    configure(link_by_email=True)
    assert sign_on(new_visitor()) == ""
    assert local.me().status_code == 200
    assert new_visitor().log_in("grace@example.org").status_code == 200


def test_a_further_address_noted_in_somebody_s_account_leads_nobody_into_it(
    admin: Visitor, configure: Callable[..., None], new_visitor: Callable[[], Visitor]
) -> None:
    from allauth.account.models import EmailAddress

    configure(link_by_email=True)
    trap = User.objects.get(email="admin@example.org")
    EmailAddress.objects.create(user=trap, email="grace@example.org", verified=False, primary=False)
    assert sign_on(new_visitor()) == "email_taken"


# ---- connecting -------------------------------------------------------------------------------


def test_whoever_is_logged_in_connects_it_after_showing_who_they_are(
    local: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    service.claims = {**GRACE, "email": "elsewhere@example.org"}
    refused = begin(local, "connect")
    assert (refused.status_code, refused.json()["code"]) == (409, "proof_needed")
    assert refused.json()["errors"] == {"proof": ["reauthenticate"]}

    reauthenticate(local)
    assert sign_on(local, "connect") == ""

    (linked,) = local.client.get(f"{PREFIX}/account/providers").json()["data"]
    assert linked["display"] == "elsewhere@example.org"
    through_service = new_visitor()
    assert sign_on(through_service) == ""
    assert through_service.me().json()["id"] == local.me().json()["id"]

    gone = local.send("DELETE", f"{PREFIX}/account/providers", {"provider": "oidc", "account": linked["uid"]})
    assert gone.status_code == 200
    assert gone.json()["data"] == []


def test_what_is_connected_to_one_account_is_not_connected_to_another(
    admin: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    assert sign_on(new_visitor()) == ""
    reauthenticate(admin)
    assert sign_on(admin, "connect") == "connected_other"
    assert admin.client.get(f"{PREFIX}/account/providers").json()["data"] == []


def test_the_only_way_in_is_not_taken_away(admin: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    grace = new_visitor()
    sign_on(grace)
    (linked,) = grace.client.get(f"{PREFIX}/account/providers").json()["data"]
    body = {"provider": "oidc", "account": linked["uid"]}
    refused = grace.send("DELETE", f"{PREFIX}/account/providers", body)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "no_password"
    answer = grace.send("POST", f"{PREFIX}/account/password/change", {"new_password": PASSWORD})
    assert answer.status_code == 200, "who has none needs not give the old one"
    reauthenticate(grace)
    assert grace.send("DELETE", f"{PREFIX}/account/providers", body).status_code == 200
    assert new_visitor().log_in("grace@example.org").status_code == 200


def test_nobody_connects_without_being_logged_in_here(
    admin: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    answer = begin(new_visitor(), "connect")
    assert answer.status_code == 401


# ---- with everything else ---------------------------------------------------------------------


def test_a_second_factor_is_asked_for_here_too(
    local: Visitor, service: OidcProvider, new_visitor: Callable[[], Visitor]
) -> None:
    secret = set_up(local)
    reauthenticate(local)
    assert sign_on(local, "connect") == ""
    forget_used_codes()
    visitor = new_visitor()
    assert sign_on(visitor) == ""
    assert visitor.me().status_code == 401
    pending = visitor.client.get(f"{PREFIX}/auth/session").json()["data"]["flows"]
    assert any(flow["id"] == "mfa_authenticate" and flow.get("is_pending") for flow in pending)
    done = visitor.send("POST", f"{PREFIX}/auth/2fa/authenticate", {"code": code_of(secret)})
    assert done.status_code == 200
    assert visitor.me().json()["email"].lower() == "grace@example.org"


def test_whoever_is_deactivated_stays_out(admin: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    grace = new_visitor()
    sign_on(grace)
    admin.send("PATCH", f"/api/users/{grace.me().json()['id']}/", {"is_active": False})
    assert sign_on(new_visitor()) == "permission_denied"


def test_a_deleted_account_is_not_come_back_to(
    admin: Visitor, new_visitor: Callable[[], Visitor], fresh_database: str
) -> None:
    from tests.integration.api.support import projecting

    grace = new_visitor()
    sign_on(grace)
    before = grace.me().json()["id"]
    with projecting(fresh_database):
        assert grace.send("DELETE", "/api/me/", {"confirm": "grace@example.org"}).status_code == 204
    again = new_visitor()
    assert sign_on(again) == ""
    assert again.me().json()["id"] != before
