"""Makes the transparency log from Django's settings, once per process."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from backend.bootstrap import SystemClock, database_url
from backend.transparency.keys import configured_keys
from backend.transparency.log import TransparencyLog
from backend.transparency.outlets import FileOutlet, HttpOutlet, Outlet
from backend.transparency.signing import LogKeys

__all__ = ["forget_keys", "log_keys", "outlets", "transparency_log"]


@lru_cache(maxsize=1)
def _keys_of(signing_key: str, retired_keys: tuple[str, ...], data_dir: str) -> LogKeys:
    return configured_keys(signing_key, retired_keys, settings.DATA_DIR)


def log_keys() -> LogKeys:
    """Who signs checkpoints, and who did before. Raises KeyProblem."""
    audit = settings.AUDIT
    return _keys_of(audit.signing_key, audit.retired_keys, str(settings.DATA_DIR))


def forget_keys() -> None:
    """Read the keys anew at the next use."""
    _keys_of.cache_clear()


def transparency_log() -> TransparencyLog:
    """Raises KeyProblem."""
    return TransparencyLog(database_url(), log_keys(), SystemClock().now)


def outlets() -> list[Outlet]:
    """Where checkpoints are handed to."""
    audit = settings.AUDIT
    found: list[Outlet] = []
    if audit.checkpoint_file is not None:
        found.append(FileOutlet(audit.checkpoint_file))
    if audit.checkpoint_url:
        found.append(HttpOutlet(audit.checkpoint_url))
    return found
