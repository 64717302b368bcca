"""The real event store for tests of projections, which need none of what workers keep beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backend.application.ports import (
    AnnounceCancel,
    ClaimFence,
    DequeueUnclaimedCall,
    ForgetConversations,
    KeepPrefixes,
    KeepReplay,
    QueueCall,
    QueueOwnCall,
    ReplayStepDue,
    ReplayStepTaken,
)
from backend.event_store.store import PostgresEventStore


def _no_step(cursor: Any, companion: Any) -> None:
    """The queue of calls is not part of these tests."""


@contextmanager
def real_store(database_url: str) -> Iterator[PostgresEventStore]:
    """The real event store without the tables of the model-call workers."""
    kinds = (
        QueueCall,
        QueueOwnCall,
        KeepPrefixes,
        DequeueUnclaimedCall,
        ForgetConversations,
        AnnounceCancel,
        ClaimFence,
        KeepReplay,
        ReplayStepDue,
        ReplayStepTaken,
    )
    store = PostgresEventStore(database_url, dict.fromkeys(kinds, _no_step))
    try:
        yield store
    finally:
        store.close()
