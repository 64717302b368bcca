"""The model runners of this installation: clients for them, and which of them a model is asked of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.application.ports import ChosenRunner
from backend.application.runner_port import ModelRunner, RunnerModel
from backend.bootstrap.models_seen import ModelsSeen
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.patience import RunnerTimeouts
from backend.model_runner.runner_settings import RunnerSettings

SEPARATOR = "::"


@dataclass(frozen=True)
class Offer:
    """A model as people choose it. id: NAME::MODEL where an earlier runner offers the same model."""

    id: str
    runner: str
    model: RunnerModel


class Runners:
    """Implements backend.application.ports.RunnerDirectory, from memory. Safe to share between threads."""

    def __init__(self, settings: Sequence[RunnerSettings], seen: ModelsSeen) -> None:
        self.all = tuple(settings)
        self._seen = seen

    def choose(self, model: str, *, on: str | None = None) -> ChosenRunner:
        named, separator, rest = model.partition(SEPARATOR)
        if separator and (runner := self._find(named)) is not None:
            return _chosen(runner, rest)
        wanted = None if on is None else self._find(on)
        if wanted is None:
            offering = (runner for runner in self.all if model in (self._seen.listed(runner.name) or ()))
            wanted = next(offering, self.all[0])
        return _chosen(wanted, model)

    def limits(self) -> dict[str, int]:
        """How many calls a runner may have at the same time, where it has a limit."""
        return {runner.name: runner.limit for runner in self.all if runner.limit is not None}

    def clients(self) -> list[ModelRunner]:
        """A client for each runner. They belong to the event loop they are used in; close them there."""
        return [client_for(runner) for runner in self.all]

    def _find(self, name: str) -> RunnerSettings | None:
        return next((runner for runner in self.all if runner.name == name), None)


def client_for(runner: RunnerSettings) -> HttpModelRunner:
    """A client for one runner."""
    timeouts = RunnerTimeouts(
        first_token=runner.first_token_timeout_s, between_chunks=runner.silence_timeout_s
    )
    return HttpModelRunner(
        runner.url,
        api_key=runner.api_key or None,
        name=runner.name,
        kind=runner.kind,
        variables=runner.variables,
        timeouts=timeouts,
    )


def offers(listed: Iterable[tuple[str, Iterable[RunnerModel]]]) -> list[Offer]:
    """All models under the ids they are chosen by. listed: models by the name of their runner, the first runner first."""
    found: list[Offer] = []
    taken: set[str] = set()
    for runner, models in listed:
        for model in models:
            chosen_by = model.id if model.id not in taken else f"{runner}{SEPARATOR}{model.id}"
            taken.add(chosen_by)
            found.append(Offer(chosen_by, runner, model))
    return found


def _chosen(runner: RunnerSettings, model: str) -> ChosenRunner:
    return ChosenRunner(runner.name, model, runner.continues, runner.reports_progress)
