"""Django for everything but streams, behind the built front end's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise

from backend.config.security_headers import SECURITY_HEADERS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")


def make_application() -> Any:
    """The front end's files around Django: they are served without passing through Django's middleware."""
    django_application = get_wsgi_application()
    from django.conf import settings

    return with_files(django_application, settings.FRONTEND_DIST)


def with_files(application: Any, folder: Path) -> Any:
    """`application` behind the files of a built front end; without any where the folder does not exist."""
    files = WhiteNoise(
        application,
        max_age=3600,
        immutable_file_test=_is_hashed,
        allow_all_origins=False,
        add_headers_function=_add_security_headers,
    )
    if folder.is_dir():
        files.add_files(str(folder))
        # The page itself is Django's: under its own name it would be kept for an hour, and with it the names of
        # an older build's files.
        files.files.pop("/index.html", None)
    return files


def _is_hashed(path: str, url: str) -> bool:
    """Vite puts a hash of the content into every file's name below /assets/."""
    return url.startswith("/assets/")


def _add_security_headers(headers: Any, path: str, url: str) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value


application = make_application()
