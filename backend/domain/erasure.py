"""What stays known of a model call after the conversation it belonged to was erased.

Enough for the ledger to say that the call was there and how it went; no word of what was said in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class ErasedCall:
    """One call whose events were erased. versions: how many events its stream has. Durations in whole milliseconds."""

    call_id: UUID
    versions: int
    purpose: str
    source: str
    runner: str | None
    model: str
    requested_at: datetime
    ended_at: datetime
    outcome: str
    prompt_tokens: int | None
    completion_tokens: int | None
    duration_ms: int
    first_token_ms: int | None
