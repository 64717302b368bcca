"""A worker's sign of life for whoever looks after its process: a file whose time says when it last got round to its work.

Containers need one, since a worker answers on no port. It says nothing of what the worker does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.core.management.base import CommandError


def sign_of_life(path: Path | None) -> Callable[[], None]:
    """What a worker calls each time it gets round to its work. Raises CommandError for a file that cannot be made.

    path: ALIVE_FILE; None where nobody looks.
    """
    if path is None:
        return lambda: None
    try:
        path.touch()
    except OSError as error:
        raise CommandError(
            f"ALIVE_FILE is {str(path)!r}, which cannot be made: {error.strerror}. Name a file in a folder that the worker "
            "may write to."
        ) from error
    return path.touch
