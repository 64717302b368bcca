"""What can go wrong with a model of the built-in runner, in words for the person who waits."""

from __future__ import annotations


class RunnerUnavailable(Exception):
    """The built-in runner cannot start here; the text is one line and says what to do."""


class CannotLoad(Exception):
    """A model file that llama.cpp did not load; the text is the reason alone, in llama.cpp's own words."""


class StillLoading(Exception):
    """The model that was asked for is not in memory yet."""
