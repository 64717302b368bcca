"""What some runners tell of their models beside the OpenAI-compatible list: context, size, whether loaded. Pure.

Ollama: GET /api/ps (models in memory, with the context they were given) and /api/tags (all, with their size).
Docker Model Runner: GET /models at the root (with tags and, where one is configured, context_size).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from backend.application.runner_port import RunnerModel

PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "ollama": ("/api/ps", "/api/tags"),
    "docker-model-runner": ("/models",),
}
"""Which pages each kind of runner is asked for, from its root."""


def root_of(url: str) -> str:
    """Where these pages are, from the URL up to and including /v1, also where a proxy has the runner below a path.

    Ollama: /v1. Docker Model Runner: /engines/v1, or /engines/NAME/v1 for one engine.
    """
    return re.sub(r"(/engines(/[^/]+)?)?/v1$", "", url)


def with_details(
    kind: str, models: tuple[RunnerModel, ...], pages: tuple[bytes, ...]
) -> tuple[RunnerModel, ...]:
    """The models with what the kind's own pages tell; unchanged where they tell nothing. pages: as in PAGES."""
    match kind, pages:
        case "ollama", (running, installed):
            return _of_ollama(models, running, installed)
        case "docker-model-runner", (local,):
            return _of_docker(models, local)
        case _:
            return models


def _of_ollama(models: tuple[RunnerModel, ...], running: bytes, installed: bytes) -> tuple[RunnerModel, ...]:
    loaded = {entry.get("name"): entry for entry in _entries(_object(running).get("models"))}
    sizes = {entry.get("name"): entry.get("size") for entry in _entries(_object(installed).get("models"))}
    return tuple(
        replace(
            model,
            # What a model can take at most says nothing; what it was given is known once it is loaded.
            context_tokens=_positive(loaded.get(model.id, {}).get("context_length")),
            size_bytes=_positive(sizes.get(model.id)),
            loaded=model.id in loaded if running else None,
        )
        for model in models
    )


def _of_docker(models: tuple[RunnerModel, ...], local: bytes) -> tuple[RunnerModel, ...]:
    contexts: dict[str, int | None] = {}
    for entry in _entries(_parsed(local)):
        config, tags = entry.get("config"), entry.get("tags")
        size = _positive(config.get("context_size")) if isinstance(config, Mapping) else None
        for tag in tags if isinstance(tags, list) else []:
            if isinstance(tag, str):
                contexts[_short(tag)] = size
    return tuple(
        replace(model, context_tokens=model.context_tokens or contexts.get(_short(model.id)))
        for model in models
    )


def _short(tag: str) -> str:
    """A model's name without the registry's and without the tag that stands for none."""
    return tag.removeprefix("docker.io/").removesuffix(":latest")


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _object(body: bytes) -> Mapping[str, Any]:
    found = _parsed(body)
    return found if isinstance(found, Mapping) else {}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
