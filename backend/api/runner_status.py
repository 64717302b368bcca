"""What the configured model runners offer, asked rarely, all at the same time, and never waited for long.

A page that lists models must not hang because a runner does: each runner has a memory of its own, and one that was
asked before is answered for from there. May not start or change a runner.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Final

from backend import bootstrap
from backend.application.runner_port import RunnerFailure, RunnerModel
from backend.bootstrap.runners import client_for
from backend.model_runner.runner_settings import RunnerSettings

FRESH_S: Final = 3.0
PATIENCE_S: Final = 2.0
A_MOMENT_S: Final = 0.03
"""How long an answer is waited for where an older one can be given: enough for a runner that is well."""
ASKED_AT_ONCE: Final = 8


@dataclass(frozen=True)
class RunnerStatus:
    """models: the last ones the runner told of, also while it cannot be reached. asked_at: monotonic."""

    runner: RunnerSettings
    reachable: bool
    error: str | None
    models: tuple[RunnerModel, ...]
    asked_at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.asked_at < FRESH_S


_lock = threading.Lock()
_asking = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="ask-runner")
_pending: dict[tuple[str, str], Future[None]] = {}
_last: dict[tuple[str, str], RunnerStatus] = {}


def current() -> tuple[RunnerStatus, ...]:
    """Every runner's state, in the configured order. Only a runner that was never asked is waited for, PATIENCE_S at most."""
    runners = bootstrap.runners().all
    asked = [(runner, _ask(runner)) for runner in runners]
    unknown = [future for runner, future in asked if future is not None and _key(runner) not in _last]
    others = [future for _, future in asked if future is not None and future not in unknown]
    wait(unknown, PATIENCE_S + A_MOMENT_S)
    wait(others, A_MOMENT_S)
    return tuple(_found(runner) for runner in runners)


def last_known() -> tuple[RunnerStatus, ...]:
    """The states as last seen, at once; those that are not fresh are asked for in the background."""
    runners = bootstrap.runners().all
    for runner in runners:
        _ask(runner)
    return tuple(_last[_key(runner)] for runner in runners if _key(runner) in _last)


def forget() -> None:
    """Ask anew next time, whoever was asked before."""
    with _lock:
        _last.clear()
        _pending.clear()


def _key(runner: RunnerSettings) -> tuple[str, str]:
    return runner.name, runner.url


def _found(runner: RunnerSettings) -> RunnerStatus:
    """What is known by now. Looking for a host by its name cannot be broken off, and may take longer than anybody waits:
    such a runner counts as asked, so that the next page does not wait for it again."""
    with _lock:
        return _last.setdefault(_key(runner), _silent(runner))


def _ask(runner: RunnerSettings) -> Future[None] | None:
    """Have the runner asked, if its state is not fresh; whoever comes meanwhile waits for the same answer."""
    key = _key(runner)
    with _lock:
        before = _last.get(key)
        if before is not None and before.is_fresh:
            return None
        pending = _pending.get(key)
        if pending is None or pending.done():
            pending = _pending[key] = _asking.submit(_look, runner, () if before is None else before.models)
        return pending


def _look(runner: RunnerSettings, before: tuple[RunnerModel, ...]) -> None:
    status = asyncio.run(_list_models(runner, before))
    with _lock:
        _last[_key(runner)] = replace(status, asked_at=time.monotonic())


async def _list_models(runner: RunnerSettings, before: tuple[RunnerModel, ...]) -> RunnerStatus:
    client = client_for(runner)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return RunnerStatus(runner, True, None, await client.list_models(), 0.0)
    except RunnerFailure as failure:
        return RunnerStatus(runner, False, failure.message, before, 0.0)
    except TimeoutError:
        return replace(_silent(runner), models=before)
    finally:
        await client.aclose()


def _silent(runner: RunnerSettings) -> RunnerStatus:
    error = f"The model runner has not answered within {PATIENCE_S:.0f} seconds."
    return RunnerStatus(runner, reachable=False, error=error, models=(), asked_at=-math.inf)
