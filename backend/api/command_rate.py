"""So many commands a person may give within a minute, so that a program gone wild does not take the place of everybody else.

Counted in this process's memory, each web process for itself: a limit against accidents may be generous and inexact, and costs
nothing on the way of a message. Attempts to log in are another matter, and are counted for all processes together (allauth).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

FORGET_ABOVE: Final = 10_000
"""So many people are remembered before those are forgotten who have not been seen for a whole period."""


class Allowances:
    """What is left to each: so many times within so many seconds, filled up evenly. Safe for threads."""

    def __init__(self, times: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._times = float(times)
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> float:
        """0 for whoever may go on; otherwise after how many seconds to ask again."""
        per_second = self._times / self._seconds
        with self._lock:
            now = self._now()
            left, at = self._left.get(who, (self._times, now))
            left = min(self._times, left + (now - at) * per_second)
            if left < 1:
                self._left[who] = (left, now)
                return (1 - left) / per_second
            self._left[who] = (left - 1, now)
            if len(self._left) > FORGET_ABOVE:
                self._left = {
                    name: entry for name, entry in self._left.items() if now - entry[1] < self._seconds
                }
            return 0.0


_allowances: Allowances | None = None


def seconds_until_allowed(who: str) -> float:
    """Count one command of this person's. 0: it may be carried out."""
    global _allowances
    rate = settings.TRAFFIC.command_rate
    if rate is None:
        return 0.0
    if _allowances is None:
        _allowances = Allowances(rate.times, rate.seconds)
    return _allowances.take(who)


class TooManyCommands(Throttled):
    default_code = "too_many_requests"

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.detail = ErrorDetail(
            "This was more at a time than this installation allows one person. Nothing was done; try again in "
            f"{_in_words(math.ceil(wait_s))}.",
            self.default_code,
        )


def _in_words(seconds: int) -> str:
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


class CommandThrottle(BaseThrottle):
    """For everything that changes something; whoever only reads is not counted."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the request may go on. Raises TooManyCommands."""
        if request.method not in SAFE_METHODS and request.user.pk is not None:
            wait_s = seconds_until_allowed(str(request.user.pk))
            if wait_s:
                raise TooManyCommands(wait_s)
        return True
