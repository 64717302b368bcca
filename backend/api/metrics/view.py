"""Who may see the figures, and how they are put together."""

from __future__ import annotations

import hmac
import ipaddress
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import CollectorRegistry

from backend.api.metrics.installation import Installation
from backend.api.metrics.requests import DURATION, REQUESTS, STREAMS
from backend.api.problems import unknown_path

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Set by the supervisor where several web processes answer at one address: each keeps its counts there, for all."""


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. 404 for whoever may not see it, as if it were not there."""
    if not _may_see(request):
        return unknown_path(request)
    response = HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


def _may_see(request: HttpRequest) -> bool:
    """With a token, whoever has it; without one, machines of this network that ask the web process itself."""
    token = settings.TRAFFIC.metrics_token
    if token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), token.encode())
    if "X-Forwarded-For" in request.headers:
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback or address.is_private


@lru_cache(maxsize=1)
def _installation() -> Installation:
    return Installation()


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    if folder := os.environ.get(SHARED_FOLDER):
        _forget_the_dead(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
    else:
        for metric in (REQUESTS, DURATION, STREAMS):
            registry.register(metric)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
    registry.register(_installation())
    return registry


def _forget_the_dead(folder: Path) -> None:
    """Streams of a process that was killed are open no more."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]  # as above
