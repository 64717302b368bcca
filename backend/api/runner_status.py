"""What the configured model runner offers, asked rarely and never waited for long.

A page that lists models must not hang because a runner does. May not start or change a runner.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings

from backend import bootstrap
from backend.application.runner_port import RunnerFailure, RunnerModel

FRESH_S: Final = 3.0
PATIENCE_S: Final = 2.0


@dataclass(frozen=True)
class RunnerStatus:
    """models: the last ones the runner told of, also while it cannot be reached. asked_at: monotonic."""

    name: str
    url: str
    kind: str
    reachable: bool
    error: str | None
    models: tuple[RunnerModel, ...]
    asked_at: float


_asking = threading.Lock()
_last: RunnerStatus | None = None


def current() -> RunnerStatus:
    """The runner's state, at most a few seconds old. Waits for the runner at most PATIENCE_S."""
    with _asking:
        status = _fresh() or _ask()
        return status


def last_known() -> RunnerStatus | None:
    """The state as last seen, at once; asks anew in the background when that was a while ago."""
    status = _fresh()
    if status is None and not _asking.locked():
        threading.Thread(target=current, name="ask-runner", daemon=True).start()
    return status or _last


def forget() -> None:
    """Ask anew next time, whoever was asked before."""
    global _last
    _last = None


def _fresh() -> RunnerStatus | None:
    if _last is not None and time.monotonic() - _last.asked_at < FRESH_S:
        return _last
    return None


def _ask() -> RunnerStatus:
    global _last
    before = _last.models if _last is not None else ()
    status = asyncio.run(_list_models(before))
    _last = replace(status, asked_at=time.monotonic())
    return _last


async def _list_models(before: tuple[RunnerModel, ...]) -> RunnerStatus:
    runner = bootstrap.model_runner()
    kind = "built-in" if settings.MODEL_RUNNER_IS_BUILT_IN else "openai-compatible"
    status = RunnerStatus(
        runner.name, runner.url, kind, reachable=True, error=None, models=before, asked_at=0.0
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            return replace(status, models=await runner.list_models())
    except RunnerFailure as failure:
        return replace(status, reachable=False, error=failure.message)
    except TimeoutError:
        return replace(
            status,
            reachable=False,
            error=f"The model runner has not answered within {PATIENCE_S:.0f} seconds.",
        )
    finally:
        await runner.aclose()
