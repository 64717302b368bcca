"""Every address that is served and every method of it, as the URL configuration has them, and what each takes to be asked well.

A request is written so that its owner's succeeds wherever that can be: a refusal then tells of rights, not of input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver

from backend.api.openai.application import COMPLETIONS, MODELS
from tests.support.api_client import PASSWORD

MARK: Final = "Marzipanschwein"
"""A word that the owner alone has written, wherever a person can write something."""

ACCOUNTS: Final = "/_allauth/browser/v1"
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS: Final = ("GET", *sorted(CHANGING))

# Plain views do not say which methods they have.
_PLAIN_VIEWS: Final = {
    "/healthz": ("GET",),
    "/readyz": ("GET",),
    "/metrics": ("GET",),
    "/api/docs/": ("GET",),
    "/api/live/": ("GET",),
    "/accounts/oidc/login/callback/": ("GET",),
}
# Patterns in place of addresses: what is not there, and the page itself, which are the same for everybody.
_LEFT_OVER: Final = "/^"
# Not Django's; tests/unit/api/ has what is read of the rest below /v1/.
_BESIDE_DJANGO: Final = (("GET", MODELS), ("POST", COMPLETIONS))


@dataclass(frozen=True)
class Asked:
    """What goes along with a request. ids: names of the world's things that stand in its address for the usual ones."""

    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


def endpoints() -> list[tuple[str, str]]:
    """(method, address), as in `PATCH /api/presets/{preset_id}/`."""
    found = [
        (method, path) for path, methods in _served(get_resolver().url_patterns, "/") for method in methods
    ]
    return list(dict.fromkeys([*found, *_BESIDE_DJANGO]))  # some of allauth's have one of ours before them


def _served(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _served(pattern.url_patterns, address)
        elif not address.startswith(_LEFT_OVER):
            for converter in ("uuid:", "int:", "str:"):
                address = address.replace(f"<{converter}", "{")
            address = address.replace(">", "}")
            view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
            if view is None:
                assert address in _PLAIN_VIEWS, (
                    f"{address} is a plain view: say in _PLAIN_VIEWS which methods it has"
                )
                yield address, _PLAIN_VIEWS[address]
            else:
                yield address, tuple(method for method in METHODS if hasattr(view, method.lower()))


_WORDS: Final = {"content": f"More of {MARK}"}
_CODE: Final = {"code": "000000"}

REQUESTS: Final[Mapping[str, Asked]] = {
    # ---- accounts (allauth's): with input that it refuses where it would change who somebody is --------------------
    f"POST {ACCOUNTS}/auth/login": Asked({"email": "nobody@example.org", "password": "wrong-password"}),
    f"POST {ACCOUNTS}/auth/signup": Asked({"email": "owner@example.org", "password": PASSWORD}),
    f"POST {ACCOUNTS}/auth/reauthenticate": Asked({"password": "wrong-password"}),
    f"POST {ACCOUNTS}/auth/code/confirm": Asked(_CODE),
    f"POST {ACCOUNTS}/auth/password/request": Asked({"email": "owner@example.org"}),
    f"GET {ACCOUNTS}/auth/password/reset": Asked(headers={"X-Password-Reset-Key": "1-wrong"}),
    f"POST {ACCOUNTS}/auth/password/reset": Asked({"key": "1-wrong", "password": "another-" + PASSWORD}),
    f"GET {ACCOUNTS}/auth/email/verify": Asked(headers={"X-Email-Verification-Key": "wrong"}),
    f"POST {ACCOUNTS}/auth/email/verify": Asked({"key": "wrong"}),
    f"POST {ACCOUNTS}/auth/phone/verify": Asked(_CODE),
    f"POST {ACCOUNTS}/auth/2fa/authenticate": Asked(_CODE),
    f"POST {ACCOUNTS}/auth/2fa/reauthenticate": Asked(_CODE),
    f"POST {ACCOUNTS}/auth/provider/token": Asked({"provider": "oidc", "process": "login", "token": {}}),
    f"POST {ACCOUNTS}/account/password/change": Asked(
        {"current_password": "wrong-password", "new_password": "another-" + PASSWORD}
    ),
    f"POST {ACCOUNTS}/account/email": Asked({"email": "not an address"}),
    f"PUT {ACCOUNTS}/account/email": Asked({"email": "none-of-mine@example.org"}),
    f"PATCH {ACCOUNTS}/account/email": Asked({"email": "none-of-mine@example.org", "primary": True}),
    f"DELETE {ACCOUNTS}/account/email": Asked({"email": "none-of-mine@example.org"}),
    f"POST {ACCOUNTS}/account/phone": Asked({"phone": "none"}),
    f"DELETE {ACCOUNTS}/account/providers": Asked({"provider": "oidc", "account": "none"}),
    f"POST {ACCOUNTS}/account/authenticators/totp": Asked(_CODE),
    # ---- queries ---------------------------------------------------------------------------------------------------
    "GET /api/live/": Asked(query={"conversation": "{conversation_id}"}),
    "GET /api/search/": Asked(query={"q": MARK}),
    "GET /api/conversations/": Asked(query={"search": MARK}),
    "GET /api/conversations/{conversation_id}/transcript/": Asked(query={"leaf": "{leaf_id}"}),
    "GET /api/model-calls/{call_id}/proof/": Asked(query={"event": "reply"}),
    "GET /api/audit/export/": Asked(query={"format": "csv"}),
    # ---- commands --------------------------------------------------------------------------------------------------
    "POST /api/conversations/": Asked({"title": "Mine"}),
    "PATCH /api/conversations/{conversation_id}/": Asked({"pinned": True}),
    "POST /api/conversations/{conversation_id}/messages/": Asked(_WORDS),
    "POST /api/conversations/{conversation_id}/messages/{message_id}/edit/": Asked(_WORDS),
    "POST /api/conversations/{conversation_id}/messages/{message_id}/regenerate/": Asked({}),
    "POST /api/conversations/{conversation_id}/messages/{message_id}/continue/": Asked(
        {}, ids={"message_id": "cut_reply_id"}
    ),
    "POST /api/conversations/{conversation_id}/select-branch/": Asked({"leaf_id": "{leaf_id}"}),
    "POST /api/conversations/{conversation_id}/branches/{leaf_id}/hide/": Asked({}),
    "POST /api/conversations/{conversation_id}/branches/{leaf_id}/show/": Asked({}),
    "POST /api/conversations/{conversation_id}/fork/": Asked({"message_id": "{message_id}"}),
    "POST /api/conversations/{conversation_id}/replay/": Asked({"system_prompt": f"Shout {MARK}."}),
    "POST /api/replays/{replay_id}/resume/": Asked({}, ids={"replay_id": "stopped_replay_id"}),
    "POST /api/presets/": Asked({"name": "Mine"}),
    "PATCH /api/presets/{preset_id}/": Asked({"name": f"{MARK} again"}),
    "POST /api/tokens/": Asked({"name": "Mine"}),
    "POST /api/sign-on/": Asked({"process": "login"}),
    "PATCH /api/users/{user_id}/": Asked({"is_auditor": False}),
    "DELETE /api/me/": Asked({"password": PASSWORD}),
    f"POST {COMPLETIONS}": Asked(
        {"model": "scripted-model", "messages": [{"role": "user", "content": "Mine"}]}
    ),
}
