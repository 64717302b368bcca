"""Django for everything but streams, behind the built front end's files."""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")


def make_application() -> Any:
    """WhiteNoise around Django: files are served without passing through Django's middleware."""
    django_application = get_wsgi_application()
    from django.conf import settings

    files = WhiteNoise(django_application, max_age=3600, immutable_file_test=_is_hashed)
    if settings.FRONTEND_DIST.is_dir():
        files.add_files(str(settings.FRONTEND_DIST))
    return files


def _is_hashed(path: str, url: str) -> bool:
    """Vite puts a hash of the content into every file's name below /assets/."""
    return url.startswith("/assets/")


application = make_application()
