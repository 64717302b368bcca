"""What the database knows of the installation as a whole, read when Prometheus asks.

Only reads. A part of it that cannot be told at the moment is left out, and `verbatim_up` says so.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import accumulate
from typing import Final

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
from projections.model_calls.figures import (
    ENDED,
    FIRST_TOKEN,
    FIRST_TOKEN_BOUNDS_MS,
    PER_TOKEN,
    RATE,
    RATE_BOUNDS,
    TOKENS,
    Figure,
    figures,
)

MODELS_TOLD: Final = 30
"""So many models by name; programs may ask for any, and each name is a series for ever."""
REPLY: Final = "reply"
"""The purpose of calls that a person's turn asked for."""

logger = logging.getLogger(__name__)


class Installation(Collector):
    """Keeps nothing: each look asks anew, so that no process tells less than another told before it."""

    def collect(self) -> Iterator[Metric]:
        """All there is to tell."""
        yield InfoMetricFamily("verbatim", "The release.", value={"version": settings.VERSION})
        told: list[Metric] = []
        up = 1.0
        # The first of them notices soonest that there is no database. Prometheus waits for ten seconds.
        for part in (_queue, _read_models, _calls):
            try:
                told += part()
            except (DatabaseError, PersistenceError, psycopg.Error) as error:
                up = 0.0
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                logger.warning("Some figures cannot be told at the moment: %s", reason)
                break
        yield GaugeMetricFamily("verbatim_up", "Whether the database could tell all of it.", value=up)
        yield from told


def _calls() -> list[Metric]:
    try:
        with tracking.snapshot("model_calls"):
            counted = figures(models=MODELS_TOLD)
    except tracking.Rebuilding:
        # Half of them would look like a restart. After a gap they go on where they were; the state says why.
        return []
    return call_metrics(counted)


def call_metrics(counted: list[Figure]) -> list[Metric]:
    """Calls by how they ended, and how fast they were."""
    calls = CounterMetricFamily(
        "verbatim_model_calls",
        "Calls to models that have ended, by how they did.",
        labels=["purpose", "source", "runner", "model", "outcome"],
    )
    tokens = CounterMetricFamily(
        "verbatim_tokens", "Tokens, as runners count them.", labels=["runner", "model", "kind"]
    )
    turns = 0
    for each in counted:
        if each.figure == ENDED:
            labels = [each.purpose, each.source, each.runner, each.model, each.outcome]
            calls.add_metric(labels, each.calls)
            turns += each.calls if each.purpose == REPLY else 0
        elif each.figure in TOKENS:
            tokens.add_metric([each.runner, each.model, each.figure.removesuffix("_tokens")], each.total)
    first_token = HistogramMetricFamily(
        "verbatim_first_token_seconds",
        "From the attempt's start to the model's first token.",
        labels=["runner", "model"],
    )
    _fill(first_token, counted, FIRST_TOKEN, [bound / 1000 for bound in FIRST_TOKEN_BOUNDS_MS], per=1000)
    rate = HistogramMetricFamily(
        "verbatim_tokens_per_second",
        "How fast a reply was written after its first token.",
        labels=["runner", "model"],
    )
    _fill(rate, counted, RATE, list(RATE_BOUNDS), per=PER_TOKEN)
    of_turns = CounterMetricFamily(
        "verbatim_turns", "Replies that people asked for and that have ended.", value=turns
    )
    return [calls, of_turns, tokens, first_token, rate]


def _fill(
    family: HistogramMetricFamily, counted: list[Figure], figure: str, bounds: Sequence[float], *, per: int
) -> None:
    """per: so many of what was added up are one of the family's unit."""
    buckets: dict[tuple[str, str], list[int]] = {}
    totals = Counter[tuple[str, str]]()
    for each in counted:
        if each.figure == figure:
            labels = each.runner, each.model
            buckets.setdefault(labels, [0] * (len(bounds) + 1))[each.place] += each.calls
            totals[labels] += each.total
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    for labels, numbers in buckets.items():
        family.add_metric(
            labels, list(zip(names, accumulate(numbers), strict=True)), sum_value=totals[labels] / per
        )


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
    active = GaugeMetricFamily("verbatim_projection_worker_active", text, value=tracking.worker_is_active())
    return [lag, state, active]
