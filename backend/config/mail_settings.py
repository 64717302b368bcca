"""The settings of mail: where it is handed over, and whom it comes from. Without them no mail is sent, and no address verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

MAIL_SETTING_NAMES: Final = ("EMAIL_URL", "EMAIL_FROM")
SHOWN_IN_THE_LOG: Final = "console"
_PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+tls": 587}
_SCHEMES: Final = (*_PORTS, SHOWN_IN_THE_LOG)
_EXAMPLE: Final = "smtp+tls://USER:PASSWORD@mail.example.org:587"
TIMEOUT_S: Final = 10
"""Somebody waits for the page meanwhile."""


@dataclass(frozen=True)
class MailSettings:
    """url: with the password in it; empty: no mail. sender: an address, also `Name <address>`."""

    url: str = field(default="", repr=False)
    sender: str = ""

    @property
    def is_sent(self) -> bool:
        return bool(self.url)


def mail_settings(raw: Mapping[str, str]) -> tuple[MailSettings, list[str]]:
    """The settings, and one line for each problem with them, none of which shows the password.

    raw: texts by name; a missing or empty one stands for its default.
    """
    url, sender = raw.get("EMAIL_URL", ""), raw.get("EMAIL_FROM", "")
    if not url:
        return MailSettings(), ["EMAIL_FROM is set, but EMAIL_URL is empty."] if sender else []
    parts, problem = _parts_of(url)
    if parts is None:
        return MailSettings(), [problem]
    name = unquote(parts.username or "")
    sender = sender or (name if "@" in name else "")
    if not sender and parts.scheme == SHOWN_IN_THE_LOG:
        sender = "verbatim@localhost"
    if not sender:
        return MailSettings(), [
            "EMAIL_FROM is empty, and the user in EMAIL_URL is no address. Set EMAIL_FROM to the address that mails come from, "
            "such as Verbatim <verbatim@example.org>."
        ]
    address = parseaddr(sender)[1]
    if not sender.isprintable() or not all(address.partition("@")):
        return MailSettings(), [
            f"EMAIL_FROM is {sender[:80]!r}; expected an address, such as Verbatim <verbatim@example.org>."
        ]
    return MailSettings(url, sender), []


def mail_backend(mail: MailSettings) -> dict[str, Any]:
    """The same in Django's words."""
    parts = urlsplit(mail.url)
    kind = {"": "dummy", SHOWN_IN_THE_LOG: "console"}.get(parts.scheme, "smtp")
    settings: dict[str, Any] = {"EMAIL_BACKEND": f"django.core.mail.backends.{kind}.EmailBackend"}
    if kind == "smtp":
        settings |= {
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or _PORTS[parts.scheme],
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
            "EMAIL_TIMEOUT": TIMEOUT_S,
        }
    return settings


def _parts_of(url: str) -> tuple[SplitResult | None, str]:
    """The parts, or what is wrong."""
    scheme = url.split(":", 1)[0].lower()
    if scheme not in _SCHEMES:
        return None, (
            f"EMAIL_URL has the scheme {scheme[:20]!r}; expected one of {', '.join(_SCHEMES)}, such as {_EXAMPLE}, "
            "or nothing for no mail."
        )
    try:
        parts = urlsplit(url)
        port_is_usable = parts.port != 0
    except ValueError:
        parts, port_is_usable = None, False
    if parts is None or not port_is_usable or (scheme != SHOWN_IN_THE_LOG and not parts.hostname):
        return None, f"EMAIL_URL names no mail server, or no port of one; expected for example {_EXAMPLE}."
    return parts, ""
