"""What each call adds to the figures that are kept of all calls. Counted once, when it has ended.

Whole numbers only: what is taken away again is exactly what was added, so that figures never shrink by a rounding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from django.db import connection

from backend.domain.outcomes import PENDING
from projections.model_calls.read_table import ModelCallRow

FIRST_TOKEN_BOUNDS_MS: Final = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
RATE_BOUNDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Tokens per second."""
PER_TOKEN: Final = 1000
"""Rates are added up in thousandths of a token per second."""

ENDED: Final = "ended"
FIRST_TOKEN: Final = "first_token"
RATE: Final = "rate"
TOKENS: Final = ("prompt_tokens", "completion_tokens")


class Place(NamedTuple):
    """What a number is about. purpose, source and outcome are told of ENDED alone, place of histograms alone.

    place: how many bounds are below the value; so a bound belongs to what is below it.
    """

    figure: str
    runner: str
    model: str
    purpose: str = ""
    source: str = ""
    outcome: str = ""
    place: int = 0


class Changes:
    """How the figures change: by how many calls, and by how much in all (tokens, milliseconds, thousandths)."""

    def __init__(self) -> None:
        self._calls = Counter[Place]()
        self._totals = Counter[Place]()

    def add(self, row: ModelCallRow) -> None:
        """A call as it is now."""
        self._count(row, 1)

    def take_away(self, row: ModelCallRow) -> None:
        """A call as it was."""
        self._count(row, -1)

    def write(self) -> None:
        """Into the table, in one statement. The order is always the same, as for any rows that others may want too."""
        places = sorted(place for place in self._calls if self._calls[place] or self._totals[place])
        if not places:
            return
        columns = [*zip(*places, strict=True)]
        numbers = ([counted[place] for place in places] for counted in (self._calls, self._totals))
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [*map(list, columns), *numbers])
            if any(self._calls[place] < 0 for place in places):
                cursor.execute("DELETE FROM read_model_call_figures WHERE calls = 0")

    def _count(self, row: ModelCallRow, times: int) -> None:
        for place, total in _figures_of(row):
            self._calls[place] += times
            self._totals[place] += times * total


_ADD: Final = """
INSERT INTO read_model_call_figures AS kept (figure, runner, model, purpose, source, outcome, place, calls, total)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[]
)
ON CONFLICT (figure, runner, model, purpose, source, outcome, place)
DO UPDATE SET calls = kept.calls + excluded.calls, total = kept.total + excluded.total
"""


def _figures_of(row: ModelCallRow) -> Iterable[tuple[Place, int]]:
    if row.outcome == PENDING:
        return
    runner = row.runner or ""
    yield Place(ENDED, runner, row.model, row.purpose, row.source, row.outcome), 0
    for figure, used in zip(TOKENS, (row.prompt_tokens, row.completion_tokens), strict=True):
        if used:
            yield Place(figure, runner, row.model), used
    if row.first_token_ms is None:
        return
    place = bisect_left(FIRST_TOKEN_BOUNDS_MS, row.first_token_ms)
    yield Place(FIRST_TOKEN, runner, row.model, place=place), row.first_token_ms
    writing_ms = (row.duration_ms or 0) - row.first_token_ms
    # The first token is there when the time begins.
    tokens = (row.completion_tokens or 0) - 1
    if tokens > 0 and writing_ms > 0:
        rate = tokens * 1000 * PER_TOKEN // writing_ms
        place = bisect_left([bound * PER_TOKEN for bound in RATE_BOUNDS], rate)
        yield Place(RATE, runner, row.model, place=place), rate
