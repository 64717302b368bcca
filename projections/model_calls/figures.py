"""All calls counted, for whoever watches an installation: how they ended, how soon their first token came, how fast the rest.

Reads this read model's table alone, in one pass. Numbers only: whose calls they are is not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

FIRST_TOKEN_BOUNDS_MS: Final = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
RATE_BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
LONGEST_MS: Final = 5_000
"""A table that takes longer to count is not counted: watching must not be what slows an installation down."""

_COUNT: Final = """
SELECT purpose, source, coalesce(runner, ''), model, outcome,
    width_bucket(first_token_ms, %(first_token)s::bigint[]), width_bucket(rate, %(rate)s::float8[]),
    count(*), coalesce(sum(first_token_ms), 0)::float8, coalesce(sum(rate), 0)::float8,
    coalesce(sum(prompt_tokens), 0)::float8, coalesce(sum(completion_tokens), 0)::float8
FROM (
    SELECT purpose, source, runner, model, outcome, first_token_ms, prompt_tokens, completion_tokens,
        CASE WHEN completion_tokens > 1 AND duration_ms > first_token_ms
            THEN (completion_tokens - 1) * 1000.0::float8 / (duration_ms - first_token_ms) END AS rate
    FROM read_model_calls
) AS calls
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


@dataclass(frozen=True)
class Figures:
    """Calls that are alike. first_token, rate: the place among the bounds, None where there was none.

    first_token_ms, tokens_per_second, prompt_tokens, completion_tokens: sums.
    """

    purpose: str
    source: str
    runner: str
    model: str
    outcome: str
    first_token: int | None
    rate: int | None
    calls: int
    first_token_ms: float
    tokens_per_second: float
    prompt_tokens: float
    completion_tokens: float


def figures() -> list[Figures]:
    """Of all calls there ever were. Raises django.db.OperationalError where that takes longer than LONGEST_MS."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_MS}")
        # A bound belongs to what is below it, and PostgreSQL counts it to what is above.
        bounds: dict[str, Any] = {
            "first_token": [bound + 1 for bound in FIRST_TOKEN_BOUNDS_MS],
            "rate": list(RATE_BOUNDS),
        }
        cursor.execute(_COUNT, bounds)
        return [Figures(*row) for row in cursor.fetchall()]
