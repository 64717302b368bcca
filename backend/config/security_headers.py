"""Headers that tell a browser what this page may do: its own scripts, its own server, nothing else.

One list for Django's answers (by the middleware) and for the built files, which never pass through Django.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        # Styles that components compute (positions, sizes) stand in style attributes.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "object-src 'none'",
    ]
)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # None of these is used, so no script that got in could use them.
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}

# Sent only where the page came over TLS.
TRANSPORT_SECURITY: Final = "max-age=31536000"

# What is said to one person must not be kept for the next one at the same browser.
_PRIVATE_PREFIXES: Final = ("/api/", "/_allauth/", "/v1/")


@sync_and_async_middleware
def security_headers_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Adds the headers to every answer that has none of its own. Async where the handler is, so that an open
    stream costs no thread."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            answer: Awaitable[HttpResponseBase] = get_response(request)
            return _protected(request, await answer)

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        return _protected(request, get_response(request))

    return synchronous


def _protected(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure():
        response.headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
        # Per request: the same process also answers people who sit at this machine, without TLS.
        for cookie in response.cookies.values():
            cookie["secure"] = True
    if request.path.startswith(_PRIVATE_PREFIXES):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
