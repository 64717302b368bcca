"""When a failed attempt is made again: only where nothing was delivered and asking again repeats nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNREACHABLE: Final = "runner_unreachable"
LOADING: Final = "runner_loading"
WORKER_STOPPED: Final = "worker_stopped"

PAUSES: Final[Mapping[str, tuple[float, ...]]] = {
    # A runner that is being started anew is back within seconds; one that is not there should be said soon.
    UNREACHABLE: (0.5, 2.0),
    # Another worker takes it at once.
    WORKER_STOPPED: (0.0,) * 5,
    # Large models take minutes to load.
    LOADING: (1.0, 2.0, 4.0, 8.0, 16.0, *([30.0] * 9)),
}
"""Seconds before each further attempt, by the code of the failure."""

PAUSES_OTHERWISE: Final = (1.0, 2.0, 4.0, 8.0)
LONGEST_WISH_S: Final = 30.0
"""How much of a runner's own wish for a pause is granted."""
MOST_ATTEMPTS: Final = 20


def pause_before_next(
    code: str, *, failed_before: int, attempts: int, wish_s: float | None = None
) -> float | None:
    """Seconds until the next attempt, or None where there is to be none.

    code: of a failure that is safe to repeat. failed_before: how often it was retried before for this reason.
    attempts: how many were made in all. wish_s: what the runner asked for.
    """
    pauses = PAUSES.get(code, PAUSES_OTHERWISE)
    if failed_before >= len(pauses) or attempts >= MOST_ATTEMPTS:
        return None
    return max(pauses[failed_before], min(wish_s or 0.0, LONGEST_WISH_S))
