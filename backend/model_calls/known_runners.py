"""The runners that a worker can ask, by name. Which ones there are, bootstrap decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.application.runner_port import ModelRunner
from backend.model_calls.runner_version import RunnerVersion


@dataclass(frozen=True)
class KnownRunner:
    runner: ModelRunner
    version: RunnerVersion

    @property
    def name(self) -> str:
        return self.runner.name


class KnownRunners:
    """At least one; the first takes calls that name none, as those of earlier releases do."""

    def __init__(self, runners: Sequence[ModelRunner]) -> None:
        if not runners:
            raise ValueError("A worker needs at least one runner.")
        self.all = tuple(KnownRunner(runner, RunnerVersion(runner)) for runner in runners)
        self._by_name = {known.name: known for known in self.all}

    def find(self, name: str | None) -> KnownRunner | None:
        """None where no runner of this name is configured any more."""
        return self.all[0] if name is None else self._by_name.get(name)

    @property
    def names(self) -> list[str]:
        return [known.name for known in self.all]
