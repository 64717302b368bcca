"""What a web process serves: streams on Django's ASGI handler, programs' calls beside it, everything else on WSGI threads.

docs/decisions/0003-asgi-dispatcher.md has the measurements behind this.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")

LIVE_PATH = "/api/live/"
PROGRAMS_PATH = "/v1/"
EXPORT_PATH = "/api/audit/export/"
# Requests that wait in `?after=` hold a thread for up to 2 s, so there are more than the cores would need.
WSGI_THREADS = 48

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_streams = get_asgi_application()

from backend.api.downloads import watched  # noqa: E402  Django is set up by the line above
from backend.api.openai.application import application as _programs  # noqa: E402
from backend.config.wsgi import application as _wsgi_application  # noqa: E402
from backend.logs.requests import logged  # noqa: E402

_pages: Any = WSGIMiddleware(_wsgi_application, workers=WSGI_THREADS)


async def _dispatched(scope: Scope, receive: Receive, send: Send) -> None:
    """Dispatch by path alone."""
    if scope["type"] == "http" and scope["path"] == LIVE_PATH:
        await _streams(scope, receive, send)
    elif scope["type"] == "http" and scope["path"].startswith(PROGRAMS_PATH):
        await _programs(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == EXPORT_PATH and scope["method"] == "GET":
        await watched(_pages, scope, receive, send)
    else:
        await _pages(scope, receive, send)


application = logged(_dispatched, believes_ids=bool(settings.TRAFFIC.trusted_proxies))
