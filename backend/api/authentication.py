"""How a request says who it is from: the browser's session, or a program's token.

Imports no views, so that Django REST framework can load it while its own views are being loaded.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request


class CsrfFailed(PermissionDenied):
    default_detail = (
        "The CSRF token is missing or wrong. Fetch /_allauth/browser/v1/config and send the request again."
    )
    default_code = "csrf_failed"


class SessionAuthentication(authentication.SessionAuthentication):
    """Answers 401 when logged out, and names a failed CSRF check as such."""

    def authenticate_header(self, request: Request) -> str:
        # Without a header to answer with, the framework turns every 401 into a 403.
        return 'Session realm="Verbatim"'

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CsrfFailed from error


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`; remembers when a token was last used, to the minute."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            answer: tuple[Any, Any] | None = super().authenticate(request)  # type: ignore[no-untyped-call]  # knox has no types
        except UnicodeDecodeError:
            # The library decodes whatever follows `Bearer`; it is no token of ours.
            raise AuthenticationFailed("The API token is not valid. Check it, or make a new one.") from None
        if answer is not None:
            token, now = answer[1], timezone.now()
            if token.last_used is None or (now - token.last_used).total_seconds() > 60:
                type(token).objects.filter(pk=token.pk).update(last_used=now)
        return answer
