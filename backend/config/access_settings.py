"""The settings of log-in beyond a password: a second factor, and log-in through another service (OpenID Connect)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

ACCESS_SETTING_NAMES: Final = (
    "TWO_FACTOR",
    "OIDC_SERVER_URL",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_NAME",
    "OIDC_SIGNUP",
    "OIDC_LINK_BY_EMAIL",
)
_NEEDED: Final = ("OIDC_SERVER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_DISCOVERY: Final = "/.well-known/openid-configuration"
_LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class OidcSettings:
    """server_url: the issuer's, without a slash at its end. signup: open, closed, or empty for what SIGNUP says."""

    server_url: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    signup: str
    link_by_email: bool


@dataclass(frozen=True)
class AccessSettings:
    """two_factor: whether people may set one up. oidc: None where no other service is asked."""

    two_factor: bool
    oidc: OidcSettings | None


def access_settings(raw: Mapping[str, str]) -> tuple[AccessSettings, list[str]]:
    """The settings, and one line for each problem with them, none of which shows the secret.

    raw: texts by name; a missing or empty one stands for its default.
    """
    problems: list[str] = []

    def choice(name: str, default: str, *allowed: str) -> str:
        text = (raw.get(name) or default).lower()
        if text and text not in allowed:
            problems.append(f"{name} is {text[:40]!r}; expected {' or '.join(allowed)}.")
        return text

    two_factor = choice("TWO_FACTOR", "optional", "optional", "off") == "optional"
    signup = choice("OIDC_SIGNUP", "", "open", "closed")
    link_by_email = choice("OIDC_LINK_BY_EMAIL", "off", "on", "off") == "on"
    name = raw.get("OIDC_NAME") or "Single sign-on"
    if len(name) > _LONGEST_NAME or not name.isprintable():
        problems.append(
            f"OIDC_NAME does not fit on a button; expected at most {_LONGEST_NAME} printable characters."
        )
    missing = [needed for needed in _NEEDED if not raw.get(needed)]
    if len(missing) == len(_NEEDED):
        problems += [
            f"{needed} is set, but {_NEEDED[0]} is empty."
            for needed in ACCESS_SETTING_NAMES[4:]
            if raw.get(needed)
        ]
        return AccessSettings(two_factor, None), problems
    problems += [
        f"{needed} is empty, but log-in through another service needs all of {', '.join(_NEEDED)}."
        for needed in missing
    ]
    server_url = raw.get("OIDC_SERVER_URL", "").removesuffix(_DISCOVERY).rstrip("/")
    if server_url and not _is_safe(server_url):
        problems.append(
            f"OIDC_SERVER_URL is {server_url[:80]!r}; expected the issuer's address, such as https://login.example.org/realms/staff. "
            "http:// is for this machine only."
        )
    oidc = OidcSettings(
        server_url,
        raw.get("OIDC_CLIENT_ID", ""),
        raw.get("OIDC_CLIENT_SECRET", ""),
        name,
        signup,
        link_by_email,
    )
    return AccessSettings(two_factor, oidc), problems


def oidc_provider(oidc: OidcSettings) -> dict[str, Any]:
    """The same in the words of allauth (SOCIALACCOUNT_PROVIDERS)."""
    app = {
        "provider_id": "oidc",
        "name": oidc.name,
        "client_id": oidc.client_id,
        "secret": oidc.client_secret,
        "settings": {"server_url": oidc.server_url, "email_authentication": oidc.link_by_email},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def _is_safe(url: str) -> bool:
    """Who everybody is comes from there: over the network only encrypted."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or parts.username is not None:
        return False
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
