"""The one kind of failure that the embedded parts show to people."""

from __future__ import annotations


class StartError(RuntimeError):
    """Something cannot start; the text is one line for the person who starts it: what is wrong, and what to do."""
