"""The figures of all calls, for whoever watches an installation: how they ended, how soon and how fast they answered.

Only reads, and only what the projector has counted already. Numbers: whose calls they are is not kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from projections.model_calls.counting import (
    ENDED,
    FIRST_TOKEN,
    FIRST_TOKEN_BOUNDS_MS,
    PER_TOKEN,
    RATE,
    RATE_BOUNDS,
    TOKENS,
)

__all__ = [
    "ENDED",
    "FIRST_TOKEN",
    "FIRST_TOKEN_BOUNDS_MS",
    "OTHER",
    "PER_TOKEN",
    "RATE",
    "RATE_BOUNDS",
    "TOKENS",
    "Figure",
    "figures",
]

OTHER: Final = "other"
"""The name for all models that are not told by theirs."""

# What never answered is no model that anybody uses: it must not push out one that is.
_FIGURES: Final = """
WITH told AS (
    SELECT model FROM read_model_call_figures WHERE figure = %(ended)s GROUP BY model
    ORDER BY coalesce(sum(calls) FILTER (WHERE outcome IN ('complete', 'truncated')), 0) DESC, sum(calls) DESC, model
    LIMIT %(models)s
)
SELECT figure, runner, CASE WHEN model IN (SELECT model FROM told) THEN model ELSE %(other)s END AS named,
    purpose, source, outcome, place, sum(calls)::bigint, sum(total)::bigint
FROM read_model_call_figures GROUP BY figure, runner, named, purpose, source, outcome, place
ORDER BY figure, runner, named, purpose, source, outcome, place
"""


@dataclass(frozen=True)
class Figure:
    """So many calls that are alike in this, and their numbers added up. See counting.Place."""

    figure: str
    runner: str
    model: str
    purpose: str
    source: str
    outcome: str
    place: int
    calls: int
    total: int


def figures(*, models: int) -> list[Figure]:
    """Of all calls that have ended, in a lasting order. models: how many are told by name, those that answered most.

    Ask inside `projections.tracking.snapshot("model_calls")`, which refuses while they are being counted anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"ended": ENDED, "models": models, "other": OTHER})
        return [Figure(*row) for row in cursor.fetchall()]
