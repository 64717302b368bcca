"""How a request says who it is from: the browser's session, or a program's token.

Imports no views, so that Django REST framework can load it while its own views are being loaded.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import psycopg
from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from backend.logs.context import note

USE_NOTED_S: Final = 60.0
"""How exactly it is remembered when a token was last used."""

_OWNER: Final = """
SELECT token.user_id, coalesce(token.last_used < now() - make_interval(secs => %(noted_s)s), true) AS is_news
FROM accounts_apitoken AS token JOIN accounts_user AS owner ON owner.id = token.user_id
WHERE token.digest = %(digest)s AND owner.is_active AND (token.expiry IS NULL OR token.expiry > now())
"""


class CsrfFailed(PermissionDenied):
    default_detail = (
        "The CSRF token is missing or wrong. Fetch /_allauth/browser/v1/config and send the request again."
    )
    default_code = "csrf_failed"


class OnlyInTheBrowser(PermissionDenied):
    default_detail = "A program cannot do this. Log in with a browser, and do it there."
    default_code = "session_required"


class SessionAuthentication(authentication.SessionAuthentication):
    """Answers 401 when logged out, and names a failed CSRF check as such."""

    def authenticate_header(self, request: Request) -> str:
        # Without a header to answer with, the framework turns every 401 into a 403.
        return 'Session realm="Verbatim"'

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        answer: tuple[Any, Any] | None = super().authenticate(request)
        if answer is not None:
            note(user_id=answer[0].pk)
        return answer

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CsrfFailed from error


def owner_of_token(connection: psycopg.Connection[dict[str, Any]], token: str) -> UUID | None:
    """Whose API token this is, in one look at the database; None where it is not valid (any more).

    As ApiTokenAuthentication decides, for callers that need no more of a person than who it is, and cannot wait.
    """
    names = {"digest": hash_token(token), "noted_s": USE_NOTED_S}
    found = connection.execute(_OWNER, names).fetchone()
    if found is None:
        return None
    if found["is_news"]:
        connection.execute("UPDATE accounts_apitoken SET last_used = now() WHERE digest = %(digest)s", names)
    owner_id: UUID = found["user_id"]
    return owner_id


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`; remembers when a token was last used, to the minute."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            answer: tuple[Any, Any] | None = super().authenticate(request)  # type: ignore[no-untyped-call]  # knox has no types
        except UnicodeDecodeError:
            # The library decodes whatever follows `Bearer`; it is no token of ours.
            raise AuthenticationFailed("The API token is not valid. Check it, or make a new one.") from None
        if answer is not None:
            note(user_id=answer[0].pk)
            token, now = answer[1], timezone.now()
            if token.last_used is None or (now - token.last_used).total_seconds() > USE_NOTED_S:
                type(token).objects.filter(pk=token.pk).update(last_used=now)
        return answer
