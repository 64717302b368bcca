"""What every event carries besides its own fields: who, when, and as part of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Envelope:
    """event_id: unique over the store. at: aware UTC, microseconds. actor: `user:<id>` or a part's name.

    correlation_id: shared by all that one request caused. causation_id: the event that caused this one.
    """

    event_id: UUID
    at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None

    def as_event_fields(self) -> dict[str, object]:
        return {
            "event_id": self.event_id,
            "timestamp": self.at,
            "actor": self.actor,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
        }


Stamp = Callable[[], Envelope]
"""Gives the envelope of the next event. Aggregates call it once for each event they trigger."""
