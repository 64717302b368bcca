"""The settings of log-in beyond a password: read, checked, and never shown where they are secret."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.integration.embedded.test_environment import load, problem

OIDC = {
    "OIDC_SERVER_URL": "https://login.example.org/realms/staff/",
    "OIDC_CLIENT_ID": "verbatim",
    "OIDC_CLIENT_SECRET": "between-us-and-them",
}
WHICH_EXIST = """
import django
django.setup()
from django.urls import resolve
for path in ("account/authenticators/totp", "account/authenticators/recovery-codes", "auth/2fa/authenticate"):
    if resolve("/_allauth/browser/v1/" + path).url_name:  # the page for unknown addresses has no name
        print(path)
"""


def test_without_settings_people_may_set_up_a_second_factor_and_nobody_else_is_asked() -> None:
    access = load().access
    assert access.two_factor
    assert access.oidc is None


def test_another_service_is_asked_where_it_is_named() -> None:
    oidc = load(**OIDC, OIDC_NAME="Our staff", OIDC_SIGNUP="Open", OIDC_LINK_BY_EMAIL="ON").access.oidc
    assert oidc is not None
    assert oidc.server_url == "https://login.example.org/realms/staff"
    assert (oidc.client_id, oidc.client_secret) == ("verbatim", "between-us-and-them")
    assert (oidc.name, oidc.signup, oidc.link_by_email) == ("Our staff", "open", True)
    assert "between-us-and-them" not in repr(load(**OIDC))


def test_what_is_not_said_is_cautious() -> None:
    oidc = load(**OIDC).access.oidc
    assert oidc is not None
    assert (oidc.name, oidc.signup, oidc.link_by_email) == ("Single sign-on", "", False)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.org/realms/staff/.well-known/openid-configuration",
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ],
)
def test_addresses_are_taken_as_services_write_them(url: str) -> None:
    oidc = load(**{**OIDC, "OIDC_SERVER_URL": url}).access.oidc
    assert oidc is not None
    assert not oidc.server_url.endswith("/")
    assert ".well-known" not in oidc.server_url


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TWO_FACTOR": "required"}, "TWO_FACTOR is 'required'; expected optional or off."),
        ({**OIDC, "OIDC_SIGNUP": "maybe"}, "OIDC_SIGNUP is 'maybe'; expected open or closed."),
        ({**OIDC, "OIDC_LINK_BY_EMAIL": "yes"}, "OIDC_LINK_BY_EMAIL is 'yes'; expected on or off."),
        ({**OIDC, "OIDC_NAME": "N" * 41}, "OIDC_NAME does not fit on a button"),
        ({**OIDC, "OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID is empty"),
        ({**OIDC, "OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET is empty"),
        ({"OIDC_LINK_BY_EMAIL": "on"}, "OIDC_LINK_BY_EMAIL is set, but OIDC_SERVER_URL is empty."),
        *(
            ({**OIDC, "OIDC_SERVER_URL": url}, "OIDC_SERVER_URL is ")
            for url in (
                "login.example.org",
                "http://login.example.org",
                "http://192.168.1.5:8080",
                "https://",
                "https://user:password@login.example.org",
                "https://login.example.org/?realm=x",
                "https://[login",
                "ftp://127.0.0.1",
            )
        ),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_is_shown(settings: dict[str, str], said: str) -> None:
    message = problem(**settings)
    assert said in message
    assert OIDC["OIDC_CLIENT_SECRET"] not in message


@pytest.mark.parametrize(("setting", "expected"), [("optional", 3), ("off", 1)])
def test_off_lets_nobody_set_one_up_and_still_asks_those_who_have_one(setting: str, expected: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHICH_EXIST],
        env={**os.environ, "TWO_FACTOR": setting, "DJANGO_SETTINGS_MODULE": "backend.config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.split()) == expected
    assert "auth/2fa/authenticate" in done.stdout
