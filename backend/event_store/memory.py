"""The event store's twin in memory: same port, same refusals, no database. For tests.

Events pass through the same mapper as in the real store, so what cannot be stored fails here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from backend.application.ports import (
    Aggregate,
    AnnounceCancel,
    AppendConflict,
    ClaimFence,
    ClaimLost,
    Companion,
    DequeueUnclaimedCall,
    ErasePayloads,
    ForgetConversations,
    GoOnFrom,
    KeepPrefixes,
    KeepReplay,
    QueueCall,
    QueueOwnCall,
    Receipt,
    ReceiptExists,
    RecordedEvent,
    ReplayStepDue,
    ReplayStepTaken,
    StoredEventRow,
)
from backend.audit.leaves import erased_payload
from backend.domain.errors import ForksRemain
from backend.domain.events import ConversationStarted, VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.event_store.mapper import VerbatimMapper, decode_payload
from backend.event_store.streams import call_of, history_of
from backend.prompting.build import StreamSlice


@dataclass
class QueuedCall:
    """A row of the queue: who holds the call, under which claim."""

    call_id: UUID
    worker: str | None = None
    claim: int = 0

    def release(self) -> None:
        self.worker = None


class InMemoryEventStore:
    """Implements backend.application.ports.EventStore in plain dictionaries."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._mapper = VerbatimMapper()
        self._log: list[StoredEvent] = []
        self._streams: dict[UUID, dict[int, int]] = {}
        self._receipts: dict[tuple[UUID, str], Receipt] = {}
        self.queue: dict[UUID, QueuedCall] = {}
        self.announced_cancels: list[UUID] = []
        self.replays_due: dict[UUID, int] = {}
        self.prefixes: dict[tuple[UUID, bytes, UUID], UUID] = {}

    # ---- reading ----------------------------------------------------------------------------

    def read_history(
        self, conversation_id: UUID, up_to_version: int | None = None
    ) -> tuple[StreamSlice, ...]:
        return history_of(self._read_events, conversation_id, up_to_version)

    def read_events(self, stream_id: UUID, after_version: int = 0) -> list[VerbatimEvent]:
        return self._read_events(stream_id, None, after_version)

    def read_call(self, call_id: UUID) -> ModelCall:
        return call_of(self._read_events, call_id)

    def read_stream(self, stream_id: UUID, after_version: int, limit: int) -> tuple[StoredEventRow, ...]:
        with self._lock:
            versions = sorted(v for v in self._streams.get(stream_id, {}) if v > after_version)[:limit]
            rows = [(self._streams[stream_id][version], version) for version in versions]
        return tuple(
            StoredEventRow(
                position=position,
                stream_id=stream_id,
                version=version,
                topic=self._log[position - 1].topic,
                payload=decode_payload(self._log[position - 1].state),
                payload_bytes=self._log[position - 1].state,
            )
            for position, version in rows
        )

    def read_after(self, position: int, limit: int) -> list[RecordedEvent]:
        """As EventReader.read_after of the real store."""
        stored = self._log[position : position + limit]
        return [
            RecordedEvent(place, self._mapper.to_domain_event(event), event.topic)
            for place, event in enumerate(stored, start=position + 1)
        ]

    def find_receipt(self, user_id: UUID, key: str) -> Receipt | None:
        return self._receipts.get((user_id, key))

    def end(self) -> int:
        return len(self._log)

    def _read_events(
        self, stream_id: UUID, up_to_version: int | None, after_version: int = 0
    ) -> list[VerbatimEvent]:
        with self._lock:
            stream = self._streams.get(stream_id, {})
            last = len(stream) if up_to_version is None else up_to_version
            positions = [stream[v] for v in sorted(stream) if after_version < v <= last]
        return [self._mapper.to_domain_event(self._log[position - 1]) for position in positions]

    # ---- appending --------------------------------------------------------------------------

    def append(self, *aggregates: Aggregate, companions: Sequence[Companion] = ()) -> int:
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        stored = [self._mapper.to_stored_event(event) for event in events]
        with self._lock:
            for event in stored:
                if event.originator_version in self._streams.get(_uuid(event), {}):
                    raise AppendConflict(
                        f"{event.originator_id} has version {event.originator_version} already."
                    )
            position = len(self._log) + len(stored)
            # First everything is checked, then everything is done: a refusal leaves no trace.
            changes = [self._prepare(companion, position) for companion in companions]
            for place, event in enumerate(stored, start=len(self._log) + 1):
                self._streams.setdefault(_uuid(event), {})[event.originator_version] = place
            self._log.extend(stored)
            for change in changes:
                change()
            return position

    def _prepare(self, companion: Companion, position: int) -> Callable[[], None]:
        match companion:
            case Receipt(key=key):
                if (key.user_id, key.key) in self._receipts:
                    raise ReceiptExists
                kept = Receipt(key, companion.status, {**companion.body, "position": str(position)})
                return lambda: self._receipts.update({(key.user_id, key.key): kept})
            case QueueCall(call_id=call_id):
                return lambda: self.queue.update({call_id: QueuedCall(call_id)})
            case QueueOwnCall(call_id=call_id):
                row = QueuedCall(call_id)
                if companion.claimed:
                    row.worker, row.claim = companion.worker, 1
                return lambda: self.queue.update({call_id: row})
            case KeepPrefixes():
                return lambda: self._keep_prefixes(companion)
            case DequeueUnclaimedCall(call_id=call_id):
                waiting = self.queue.get(call_id)
                if waiting is None or waiting.worker is not None:
                    raise ClaimLost(f"Model call {call_id} is not waiting in the queue.")
                return lambda: _forget(self.queue, call_id)
            case AnnounceCancel(call_id=call_id):
                return lambda: self.announced_cancels.append(call_id)
            case ClaimFence():
                return self._prepare_fence(companion)
            case KeepReplay() | ReplayStepDue():
                due = {companion.replay_id: companion.version}
                return lambda: self.replays_due.update(due)
            case ReplayStepTaken(replay_id=replay_id, version=version):
                if self.replays_due.get(replay_id, version + 1) > version:
                    return lambda: None
                return lambda: _forget(self.replays_due, replay_id)
            case GoOnFrom(conversation_id=conversation_id):
                self.read_history(conversation_id)  # refuses one that was erased
                return lambda: None
            case ErasePayloads():
                return self._prepare_erasure(companion)
            case ForgetConversations(conversation_ids=conversation_ids):
                return lambda: self._forget_prefixes(conversation_ids)

    def _prepare_fence(self, fence: ClaimFence) -> Callable[[], None]:
        row = self.queue.get(fence.call_id)
        if row is None or (row.worker, row.claim) != (fence.worker, fence.claim):
            raise ClaimLost(
                f"Worker {fence.worker} does not hold claim {fence.claim} on model call {fence.call_id}."
            )
        if fence.done:
            return lambda: _forget(self.queue, fence.call_id)
        return row.release if fence.again_after_s is not None else (lambda: None)

    def _keep_prefixes(self, prefixes: KeepPrefixes) -> None:
        for chain, message_id in prefixes.chains:
            key = (prefixes.owner_id, chain, prefixes.conversation_id)
            self.prefixes.setdefault(key, message_id)

    def _prepare_erasure(self, erasure: ErasePayloads) -> Callable[[], None]:
        forks = {
            event.originator_id
            for event in map(self._mapper.to_domain_event, self._log)
            if isinstance(event, ConversationStarted)
            and event.forked_from is not None
            and event.forked_from.conversation_id in erasure.conversation_ids
            and event.originator_id not in erasure.conversation_ids
        }
        if forks:
            raise ForksRemain(forks)
        places = [
            place - 1
            for stream_id in erasure.stream_ids
            for place in self._streams.get(stream_id, {}).values()
        ]

        def erase() -> None:
            for place in places:
                event = self._log[place]
                if not event.topic.startswith("ConversationErased."):
                    self._log[place] = replace(event, state=erased_payload(event.state))

        return erase

    def _forget_prefixes(self, conversation_ids: Sequence[UUID]) -> None:
        self.prefixes = {key: kept for key, kept in self.prefixes.items() if key[2] not in conversation_ids}

    def claim(self, call_id: UUID, worker: str) -> int:
        """Claim a queued call for a worker, as the workers' queue does; returns the claim's number."""
        row = self.queue[call_id]
        row.worker, row.claim = worker, row.claim + 1
        return row.claim


def _uuid(event: StoredEvent) -> UUID:
    return event.originator_id if isinstance(event.originator_id, UUID) else UUID(event.originator_id)


def _forget(rows: dict[UUID, Any], key: UUID) -> None:
    rows.pop(key, None)
