"""A browser's way in: the CSRF cookie first, then allauth's own addresses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_oidc_provider

PREFIX = "/_allauth/browser/v1"
PASSWORD = "correct-horse-battery-staple"
GRACE = {"sub": "g-1", "name": "Grace Hopper", "email": "grace@example.org", "email_verified": True}


Settings = Any


class Visitor:
    """Django's test client with CSRF checks on, as a browser meets them."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def config(self) -> None:
        assert self.client.get(f"{PREFIX}/config").status_code == 200

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        token = self.client.cookies["csrftoken"].value if "csrftoken" in self.client.cookies else ""
        return self.client.generic(
            method,
            path,
            "" if body is None else json.dumps(body),
            "application/json",
            headers={"X-CSRFToken": token, **headers},
        )

    def sign_up(self, email: str = "ada@example.org", password: str = PASSWORD, **headers: str) -> Any:
        self.config()
        return self.try_to_sign_up(email, password, **headers)

    def try_to_sign_up(self, email: str, password: str = PASSWORD, **headers: str) -> Any:
        """Without asking for a CSRF cookie first."""
        return self.send("POST", f"{PREFIX}/auth/signup", {"email": email, "password": password}, **headers)

    def log_in(self, email: str = "ada@example.org", password: str = PASSWORD) -> Any:
        self.config()
        return self.send("POST", f"{PREFIX}/auth/login", {"email": email, "password": password})

    def log_out(self) -> Any:
        return self.send("DELETE", f"{PREFIX}/auth/session")

    def me(self) -> Any:
        return self.client.get("/api/me/")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Django's settings, put back after the test."""
    from django.conf import settings as django_settings

    class Changeable:
        def __setattr__(self, name: str, value: object) -> None:
            monkeypatch.setattr(django_settings, name, value)

    return Changeable()


@pytest.fixture
def new_visitor(fresh_database: str) -> Callable[[], Visitor]:
    return Visitor


@pytest.fixture
def visitor(new_visitor: Callable[[], Visitor]) -> Visitor:
    return new_visitor()


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    with running_oidc_provider() as provider:
        yield provider


@pytest.fixture
def service(running: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> OidcProvider:
    """The provider, telling the truth about Grace until a test says otherwise."""
    usual = OidcProvider(url=running.url, claims=dict(GRACE))
    for name in (
        "claims",
        "deny",
        "sign_with_another_key",
        "userinfo",
        "issuer_told",
        "audience",
        "without_key_id",
        "expired",
        "asked",
    ):
        monkeypatch.setattr(running, name, getattr(usual, name))
    return running


@pytest.fixture
def configure(service: OidcProvider, settings: Any) -> Callable[..., None]:
    def configured(**changes: Any) -> None:
        from backend.config.access_settings import OidcSettings, oidc_provider

        usual = {
            "server_url": service.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "name": "Our staff",
            "signup": "",
            "link_by_email": False,
        }
        found = OidcSettings(**{**usual, **changes})
        settings.OIDC = found
        settings.SOCIALACCOUNT_PROVIDERS = oidc_provider(found)

    return configured
