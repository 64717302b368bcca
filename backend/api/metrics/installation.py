"""What the database knows of the installation as a whole, counted when Prometheus asks, and not again right after.

Only reads. A part of it that cannot be told at the moment is left out, and `verbatim_up` says so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from eventsourcing.persistence import PersistenceError
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from backend import bootstrap
from backend.api.health import CONNECT_TIMEOUT_S, HEARTBEAT_LIMIT_S
from backend.model_calls.queue_figures import queue_figures, workers_alive
from backend.transparency.reading import log_standing
from projections import tracking
from projections.model_calls.figures import FIRST_TOKEN_BOUNDS_MS, RATE_BOUNDS, Figures, figures

MODELS_TOLD: Final = 30
"""So many models by name, the most used; programs may ask for any, and each name is a series for ever."""
OTHER: Final = "other"
FRESH_S: Final = 5.0
SHARE: Final = 20
"""Counting takes at most one part in so many of the time, however large the table."""

logger = logging.getLogger(__name__)


class Installation(Collector):
    """Keeps what it counted for a few seconds. Safe for threads."""

    def __init__(self, count: Callable[[], list[Figures]] = figures) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._counted: list[Figures] = []
        self._fresh_until = 0.0

    def collect(self) -> Iterator[Metric]:
        """All there is to tell."""
        yield InfoMetricFamily("verbatim", "The release.", value={"version": settings.VERSION})
        told: list[Metric] = []
        up = 1.0
        for part in (self._calls, _queue, _read_models):
            try:
                told += part()
            except (DatabaseError, PersistenceError, psycopg.Error) as error:
                up = 0.0
                logger.warning("Some figures cannot be told at the moment: %s", error)
        yield GaugeMetricFamily("verbatim_up", "Whether the database could tell all of it.", value=up)
        yield from told

    def _calls(self) -> list[Metric]:
        with self._lock:
            began = time.monotonic()
            if began >= self._fresh_until:
                self._counted = self._count()
                took = time.monotonic() - began
                self._fresh_until = began + took + max(FRESH_S, SHARE * took)
            return call_metrics(self._counted)


def call_metrics(counted: list[Figures]) -> list[Metric]:
    """Calls by how they ended, and how fast they were."""
    used = Counter[str]()
    for each in counted:
        used[each.model] += each.calls
    told = {model for model, _ in used.most_common(MODELS_TOLD)}
    calls = Counter[tuple[str, ...]]()
    tokens = Counter[tuple[str, ...]]()
    turns = 0
    for each in counted:
        model = each.model if each.model in told else OTHER
        calls[each.purpose, each.source, each.runner, model, each.outcome] += each.calls
        tokens[each.runner, model, "prompt"] += int(each.prompt_tokens)
        tokens[each.runner, model, "completion"] += int(each.completion_tokens)
        turns += each.calls if each.purpose == "reply" else 0
    of_calls = CounterMetricFamily(
        "verbatim_model_calls",
        "Calls to models, by how they ended (pending: not yet).",
        labels=["purpose", "source", "runner", "model", "outcome"],
    )
    for labels, number in sorted(calls.items()):
        of_calls.add_metric(labels, number)
    of_tokens = CounterMetricFamily(
        "verbatim_tokens", "Tokens, as runners count them.", labels=["runner", "model", "kind"]
    )
    for labels, number in sorted(tokens.items()):
        of_tokens.add_metric(labels, number)
    first_token = _histogram(
        "verbatim_first_token_seconds",
        "From the attempt's start to the model's first token.",
        [bound / 1000 for bound in FIRST_TOKEN_BOUNDS_MS],
        counted,
        told,
        lambda each: (each.first_token, each.first_token_ms / 1000),
    )
    rate = _histogram(
        "verbatim_tokens_per_second",
        "How fast a reply was written after its first token.",
        list(RATE_BOUNDS),
        counted,
        told,
        lambda each: (each.rate, each.tokens_per_second),
    )
    of_turns = CounterMetricFamily("verbatim_turns", "Replies that people asked for.", value=turns)
    return [of_calls, of_turns, of_tokens, first_token, rate]


def _histogram(
    name: str,
    text: str,
    bounds: list[float],
    counted: list[Figures],
    told: set[str],
    read: Callable[[Figures], tuple[int | None, float]],
) -> HistogramMetricFamily:
    buckets: dict[tuple[str, str], list[int]] = {}
    sums = Counter[tuple[str, str]]()
    for each in counted:
        place, total = read(each)
        if place is not None:
            labels = each.runner, each.model if each.model in told else OTHER
            buckets.setdefault(labels, [0] * (len(bounds) + 1))[place] += each.calls
            sums[labels] += total  # type: ignore[assignment]  # a Counter adds up any numbers
    family = HistogramMetricFamily(name, text, labels=["runner", "model"])
    names = [*(repr(float(bound)) for bound in bounds), "+Inf"]
    for labels, numbers in sorted(buckets.items()):
        family.add_metric(labels, list(zip(names, accumulate(numbers), strict=True)), sums[labels])
    return family


def _queue() -> list[Metric]:
    waiting = GaugeMetricFamily(
        "verbatim_queue_waiting", "Calls that wait for a worker or a runner.", labels=["runner"]
    )
    running = GaugeMetricFamily(
        "verbatim_queue_running", "Calls that are being carried out.", labels=["runner"]
    )
    oldest = GaugeMetricFamily(
        "verbatim_queue_oldest_seconds",
        "How long the first of those that wait has waited.",
        labels=["runner"],
    )
    with closing(
        psycopg.connect(bootstrap.database_url(), connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
    ) as own:
        found = {runner.name: (0, 0, 0.0) for runner in bootstrap.runners().all} | queue_figures(own)
        workers = workers_alive(own, HEARTBEAT_LIMIT_S)
        standing = log_standing(own)
    for runner, (waits, runs, age) in sorted(found.items()):
        waiting.add_metric([runner], waits)
        running.add_metric([runner], runs)
        oldest.add_metric([runner], age)
    end = bootstrap.event_store().end()
    return [
        waiting,
        running,
        oldest,
        GaugeMetricFamily(
            "verbatim_model_call_workers_alive", "Workers that gave a sign of life.", value=workers
        ),
        CounterMetricFamily("verbatim_events", "Events recorded: the newest one's position.", value=end),
        GaugeMetricFamily(
            "verbatim_log_lag_events",
            "Events that are not in the transparency log yet.",
            max(0, end - standing.position),
        ),
        *_age_of_checkpoint(standing.checkpoint_at),
    ]


def _age_of_checkpoint(at: datetime | None) -> list[Metric]:
    if at is None:
        return []
    text = "When the newest checkpoint was signed (seconds since 1970)."
    return [GaugeMetricFamily("verbatim_log_checkpoint_timestamp_seconds", text, value=at.timestamp())]


def _read_models() -> list[Metric]:
    lag = GaugeMetricFamily(
        "verbatim_read_model_lag_events",
        "Events that a read model has not taken in yet.",
        labels=["read_model"],
    )
    state = GaugeMetricFamily(
        "verbatim_read_model_state",
        "1 for the state that a read model is in.",
        labels=["read_model", "state"],
    )
    end = bootstrap.event_store().end()
    for status in tracking.statuses():
        lag.add_metric([status.name], max(0, end - status.position))
        state.add_metric([status.name, status.state], 1)
    text = "Whether a projection worker is at work."
    active: Any = 1.0 if tracking.worker_is_active() else 0.0
    return [lag, state, GaugeMetricFamily("verbatim_projection_worker_active", text, value=active)]
