"""Counts the requests of this web process: how many, how long, how answered; and the streams that are open."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from django.urls import Resolver404, resolve
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LIVE_PATH: Final = "/api/live/"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OF_PROGRAMS: Final = ("/v1/models", "/v1/chat/completions")
_UUID: Final = "00000000-0000-0000-0000-000000000000"
_IDS: Final = re.compile(r"(?<=/)[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?=/|$)")
_NUMBERS: Final = re.compile(r"(?<=/)[0-9]+(?=/)")
_ANY: Final = "^(?P<path>.*)$"

disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types; a second series for each, which nobody asks for
REQUESTS: Final = Counter(
    "verbatim_http_requests", "Requests answered, by route.", ["method", "route", "status"]
)
DURATION: Final = Histogram(
    "verbatim_http_request_duration_seconds",
    "Until the whole answer was sent; open streams are not among them.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
STREAMS: Final = Gauge(
    "verbatim_live_streams_open", "Live streams (EventSources) that are open.", multiprocess_mode="livesum"
)


def counted(application: Application) -> Application:
    """The same application, with its requests counted."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        is_stream = False

        async def noting(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope["path"] == LIVE_PATH and status == 200:
                    is_stream = True
                    STREAMS.inc()
            await send(message)

        try:
            await application(scope, receive, noting)
        except Exception:
            # The server answers for it after us, if nothing was sent yet.
            status = status or 500
            raise
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = route_of(scope["path"])
            # A client that went away before it was answered has got no status; proxies call that 499.
            REQUESTS.labels(method, route, str(status or 499)).inc()
            if is_stream:
                STREAMS.dec()
            else:
                DURATION.labels(method, route).observe(time.perf_counter() - began)

    return wrapped


def route_of(path: str) -> str:
    """The route that a path belongs to, with placeholders for ids; everything that is no address of ours is a `page`."""
    return _route_of(_NUMBERS.sub("0", _IDS.sub(_UUID, path)))


@lru_cache(maxsize=1024)
def _route_of(path: str) -> str:
    if path.startswith("/assets/"):
        return "assets"
    if path.startswith("/v1/"):
        return next((known for known in _OF_PROGRAMS if path.rstrip("/").startswith(known)), "v1")
    try:
        route = resolve(path).route
    except Resolver404:
        return "page"
    if route == _ANY:
        return "page"
    return "other" if route.startswith("^") else f"/{route}"
