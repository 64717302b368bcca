"""What runners have told about their models, remembered for all processes of an installation.

Kept in Django's cache, which all of them share, and for a few seconds in each process: commands ask with
every message and must never wait for a runner. Losing it all only means not knowing until it is told again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from django.core.cache import cache
from django.db import close_old_connections, connection, transaction

from backend.application.runner_port import RunnerModel

# Named anew since they are kept for each runner: what an earlier release left there has another shape.
_LISTED: Final = "runners-models-listed"
_CONTEXTS: Final = "runners-models-context-tokens"
_REFUSED: Final = "runners-models-context-refused"
# Any fixed number: all processes of an installation take the same advisory lock.
_WRITING_LOCK: Final = 7_366_910_242
_Key = tuple[str, str]
"""A runner's name and a model."""
FRESH_S: Final = 3.0
REFUSED_S: Final = 24 * 3600
"""How long a refusal counts. A runner may be given more room without its list of models telling so."""


class ModelsSeen:
    """Implements backend.application.ports.ModelKnowledge and ModelMemory. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._read_at: float | None = None
        self._listed: dict[str, frozenset[str]] = {}
        self._contexts: dict[_Key, int] = {}
        self._refused: dict[_Key, int] = {}

    def context_tokens(self, runner: str, model: str) -> int | None:
        self._read_if_old()
        return self._refused.get((runner, model)) or self._contexts.get((runner, model))

    def known_models(self) -> frozenset[str] | None:
        self._read_if_old()
        return frozenset().union(*self._listed.values()) if self._listed else None

    def listed(self, runner: str) -> frozenset[str] | None:
        """The models that this runner listed last, or None where it never did."""
        self._read_if_old()
        return self._listed.get(runner)

    def remember_listed(self, runner: str, models: Iterable[RunnerModel]) -> None:
        """Keep what runners offer now, and the context sizes they told of."""
        listed = list(models)
        names = frozenset(model.id for model in listed)
        told = {
            (runner, model.id): model.context_tokens for model in listed if model.context_tokens is not None
        }
        self._read_if_old()
        # Only writes what is news: pages ask for the list of models all the time.
        news = {key: size for key, size in told.items() if self._contexts.get(key) != size}
        if news or names != self._listed.get(runner):
            with _alone():
                cache.set(_LISTED, {**cache.get(_LISTED, {}), runner: names}, timeout=None)
                cache.set(_CONTEXTS, {**cache.get(_CONTEXTS, {}), **news}, timeout=None)
                refused = cache.get(_REFUSED, {})
                if refused.keys() & news.keys():
                    # The runner was started anew with another size, so what it refused before says nothing.
                    left = {key: size for key, size in refused.items() if key not in news}
                    cache.set(_REFUSED, left, timeout=REFUSED_S)
        self._read_again()

    def remember_context(self, runner: str, model: str, context_tokens: int) -> None:
        """Keep what a runner said when it refused a prompt: it knows better than any list of models.

        Some list what a model was trained for, which is more than they were started with.
        """
        self._read_if_old()
        key = (runner, model)
        if self._refused.get(key) != context_tokens:
            with _alone():
                refused = {**cache.get(_REFUSED, {}), key: context_tokens}
                cache.set(_REFUSED, refused, timeout=REFUSED_S)
        self._read_again()

    def _read_again(self) -> None:
        with self._lock:
            self._read_at = None

    def _read_if_old(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._read_at is not None:
                if now - self._read_at < FRESH_S:
                    return
                self._read_at = now  # this thread reads; the others go on with what is known
        # Never under the lock: whoever waits for it holds a connection, and the one that reads may have to wait
        # until a connection is free.
        # In a thread of a worker nobody else looks after a connection that broke meanwhile.
        close_old_connections()
        found = cache.get_many([_LISTED, _CONTEXTS, _REFUSED])
        with self._lock:
            self._listed = found.get(_LISTED, {})
            self._contexts = found.get(_CONTEXTS, {})
            self._refused = found.get(_REFUSED, {})
            self._read_at = time.monotonic()


@contextmanager
def _alone() -> Iterator[None]:
    """One writer at a time, over all processes: each puts back what it found there along with its own.

    Workers and web processes that start together hear of their runners in the same moment; without this, one runner's
    models were forgotten, and calls for them went to another.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITING_LOCK])
        yield
