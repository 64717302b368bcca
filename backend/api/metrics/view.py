"""Who may see the figures, and how they are put together."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.request import split_domain_port, validate_host
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import CollectorRegistry

from backend.api.metrics import shared
from backend.api.metrics.installation import Installation
from backend.api.metrics.requests import DURATION, REQUESTS, STREAMS
from backend.api.problems import unknown_path

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Set by the supervisor where several web processes answer at one address: each keeps its counts there, for all."""


PATH: Final = "/metrics"
_OF_PROXIES: Final = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


@sync_and_async_middleware
def metrics_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answers before the host is looked at: Prometheus asks each web process by whatever address it has.

    Only where handlers are synchronous; nothing but live streams comes the other way.
    """
    if iscoroutinefunction(get_response):
        return get_response

    def synchronous(request: HttpRequest) -> Any:
        return metrics(request) if request.path == PATH else get_response(request)

    return synchronous


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. 404 for whoever may not see it, as if it were not there."""
    if not _may_see(request):
        return unknown_path(request)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    response = HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


def _may_see(request: HttpRequest) -> bool:
    """With a token, whoever has it; without one, machines of this network that ask the web process itself."""
    token = settings.TRAFFIC.metrics_token
    if token:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    return _is_nearby(request.META.get("REMOTE_ADDR", "")) and _is_our_name(request.headers.get("Host", ""))


def _is_nearby(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # An IPv4 address at an IPv6 socket: not every version of Python looks inside.
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_private


def _is_our_name(host: str) -> bool:
    """Whether it is an address, a name of the own network, or one of ALLOWED_HOSTS.

    Somebody else's name is what a page of theirs asks by, after it made the name point here: a browser nearby would tell it all.
    """
    name, _ = split_domain_port(host)
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return bool(name) and ("." not in name or validate_host(name, settings.ALLOWED_HOSTS))
    return True


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    if folder := os.environ.get(SHARED_FOLDER):
        shared.forget_the_dead(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
        registry.register(shared.Processes(Path(folder)))
    else:
        for metric in (REQUESTS, DURATION, STREAMS):
            registry.register(metric)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
    registry.register(Installation())
    return registry
