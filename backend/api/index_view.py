"""The page itself: every address that is not the interface's gets the front end's index.html."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def index(request: HttpRequest, path: str = "") -> HttpResponse:
    """The built page; never cached, since it names the hashed files of the current build.

    A file that the build does not have is 404: in its place, the page would be taken for a broken script
    by a tab that is older than the build.
    """
    if path.startswith("assets/"):
        return HttpResponse(
            "This file is not part of the current build. Reload the page.\n",
            status=404,
            content_type="text/plain; charset=utf-8",
        )
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
