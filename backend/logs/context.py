"""What the program is at work on at this moment, so that every line in the log can say it: whose request, which call.

Follows the flow of a request or a call through threads and tasks (context variables). Holds ids only, never names or texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass


@dataclass
class Correlation:
    """Ids, as texts; empty where there is none. Filled in by whoever learns one, and read by the log."""

    request_id: str = ""
    user_id: str = ""
    conversation_id: str = ""
    call_id: str = ""

    def known(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: value for name, value in asdict(self).items() if value}


_at_work: ContextVar[Correlation | None] = ContextVar("correlation", default=None)


@contextmanager
def at_work_on(**ids: object) -> Iterator[Correlation]:
    """From here on, and until it is left, lines belong to this and nothing else."""
    correlation = Correlation(**{name: str(value) for name, value in ids.items() if value is not None})
    token = _at_work.set(correlation)
    try:
        yield correlation
    finally:
        _at_work.reset(token)


def note(**ids: object) -> None:
    """Something more is known of what is being worked on. Does nothing where nobody began."""
    correlation = _at_work.get()
    if correlation is not None:
        for name, value in ids.items():
            if value is not None:
                setattr(correlation, name, str(value))


def known_ids() -> dict[str, str]:
    """Of what is being worked on here."""
    correlation = _at_work.get()
    return {} if correlation is None else correlation.known()
