"""What a worker learns of its runners' models: which there are, and how much each takes.

A help for later commands, never needed for the call at hand: where it cannot be kept, that is logged and no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from backend.application.ports import ModelMemory
from backend.application.runner_port import ModelRunner, RunnerFailure
from backend.model_calls.persistence import Persistence

log = logging.getLogger(__name__)

TRIES = 24
PAUSE_S = 5.0
"""A runner that is started along with the worker may need a minute or two to load its model."""


async def learn_models(runners: Iterable[ModelRunner], models: ModelMemory, persistence: Persistence) -> None:
    """Ask each runner once for its models, as soon as it answers; none waits for another."""
    await asyncio.gather(*(_learn(runner, models, persistence) for runner in runners))


async def _learn(runner: ModelRunner, models: ModelMemory, persistence: Persistence) -> None:
    for _ in range(TRIES):
        try:
            listed = await runner.list_models()
        except RunnerFailure as failure:
            log.debug("the models cannot be listed yet: %s", failure.message)
            await asyncio.sleep(PAUSE_S)
            continue
        await remember(persistence, lambda: models.remember_listed(runner.name, listed))  # noqa: B023  waited for at once
        return


async def remember(persistence: Persistence, keep: Callable[[], None]) -> None:
    """Keep something in a thread; the event loop does not wait for a database."""
    try:
        await persistence.in_thread(keep)
    except Exception as error:
        # Whatever keeps it from being kept, the call at hand goes on without.
        log.warning("what the runner told of its models could not be kept: %s", error)
