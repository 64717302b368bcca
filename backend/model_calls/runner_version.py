"""The runner's version for the record, asked seldom and never waited for long."""

from __future__ import annotations

import asyncio
import time

from backend.application.runner_port import ModelRunner

FRESH_S = 30.0
PATIENCE_S = 1.0


class RunnerVersion:
    """Remembers the runner's version for a while; calls that ask at the same time share one question."""

    def __init__(self, runner: ModelRunner) -> None:
        self._runner = runner
        self._lock = asyncio.Lock()
        self._version: str | None = None
        self._asked_at: float | None = None

    async def get(self) -> str | None:
        """The version, or None where the runner does not tell in time."""
        async with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > FRESH_S:
                try:
                    self._version = await asyncio.wait_for(self._runner.version(), PATIENCE_S)
                except TimeoutError:
                    self._version = None
                self._asked_at = time.monotonic()
            return self._version
