"""The page itself: every address that is not the interface's gets the front end's index.html."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def index(request: HttpRequest, path: str = "") -> HttpResponse:
    """The built page; never cached, since it names the hashed files of the current build."""
    try:
        page = (settings.FRONTEND_DIST / "index.html").read_bytes()
    except FileNotFoundError:
        return HttpResponse(
            "The front end is not built yet. Start with `make run`, which builds it.\n",
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    response = HttpResponse(page, content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response
