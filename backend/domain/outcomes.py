"""How a reply or a model call ended, in the one set of words used from event to button."""

from __future__ import annotations

from backend.domain import events as e

PENDING = "pending"
COMPLETE = "complete"
TRUNCATED = "truncated"
CANCELLED = "cancelled"
INTERRUPTED = "interrupted"
FAILED = "failed"

FINAL_OUTCOMES = frozenset({COMPLETE, TRUNCATED, CANCELLED, INTERRUPTED, FAILED})
_TRUNCATING_REASONS = frozenset({"length", "content_filter"})


def outcome_of_finish(finish_reason: str | None) -> str:
    """The outcome of a stream that ended by itself: without a finish reason it is not complete."""
    if finish_reason is None:
        return INTERRUPTED
    return TRUNCATED if finish_reason in _TRUNCATING_REASONS else COMPLETE


def outcome_of_end(event: e.ModelCallAttemptEnded) -> str:
    """The outcome an attempt's end stands for; a completed one may have been truncated."""
    match event:
        case e.ModelCallCompleted():
            return outcome_of_finish(event.finish_reason)
        case e.ModelCallCancelled():
            return CANCELLED
        case e.ModelCallInterrupted():
            return INTERRUPTED
        case _:
            return FAILED
