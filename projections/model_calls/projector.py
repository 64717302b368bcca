"""Events of model calls to rows of the call list, and to the figures of all calls together. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.erasure import ErasedCall
from backend.domain.outcomes import PENDING, outcome_of_end
from backend.domain.prompt_request import Trimming
from projections.model_calls.counting import Changes
from projections.model_calls.read_table import CallFigureRow, ModelCallRow
from projections.projector import MissingRow, Projector, storable, storable_json, stream_ids, upsert


class AttemptEntry(TypedDict):
    """One attempt. attempt 0: the call ended before any had begun; then runner and started_at are null."""

    attempt: int
    runner: str | None
    runner_version: str | None
    worker: str | None
    started_at: str | None
    ended_at: str | None
    outcome: str
    duration_ms: int | None
    first_token_ms: int | None
    chunk_count: int
    finish_reason: str | None
    error: dict[str, Any] | None


class EventEntry(TypedDict):
    version: int
    topic: str
    position: int
    at: str


class TrimmingEntry(TypedDict):
    """Which earlier messages were not sent, and by which rule."""

    policy: str
    policy_version: int
    first_kept_message_id: str
    omitted_count: int
    counted_tokens: int
    context_tokens: int


class ModelCallsProjector(Projector):
    name = "model_calls"
    tables = (ModelCallRow, CallFigureRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._rows: dict[UUID, ModelCallRow] = ModelCallRow.objects.in_bulk(
            stream_ids(batch, e.ModelCallEvent)
        )
        self._topics = {recorded.position: recorded.topic for recorded in batch}
        self._changed: set[UUID] = set()
        self._figures = Changes()

    def take(self, event: e.VerbatimEvent, position: int) -> None:
        if not isinstance(event, e.ModelCallEvent):
            return
        row = self._rows.get(event.originator_id)
        if row is not None and event.originator_version <= row.version:
            return  # delivered before: the lists must not grow by it again
        if row is not None:
            self._figures.take_away(row)
        self.dispatch(event, position)
        row = self._row(event)
        self._figures.add(row)
        row.version = event.originator_version
        entry = EventEntry(
            version=event.originator_version,
            topic=self._topics[position],
            position=position,
            at=_text(event.timestamp),
        )
        row.events = [*row.events, entry]
        self._changed.add(event.originator_id)

    def save(self) -> None:
        upsert(ModelCallRow, [self._rows[row_id] for row_id in sorted(self._changed)])
        self._figures.write()

    def on_model_call_requested(self, event: e.ModelCallRequested, position: int) -> None:
        request = event.prompt_request
        self._rows[event.originator_id] = ModelCallRow(
            id=event.originator_id,
            owner_id=event.owner_id,
            conversation_id=event.conversation_id,
            reply_id=event.reply_id,
            version=event.originator_version,
            purpose=event.purpose,
            source=event.source,
            runner=_storable_or_none(event.runner),
            model=storable(request.model),
            params=storable_json(request.params),
            leaf_id=request.leaf_id,
            conversation_version=request.version,
            builder=request.builder,
            serializer=request.serializer,
            trimming=_trimming(request.trimming),
            body_sha256=event.body_sha256,
            body_length=event.body_length,
            requested_at=event.timestamp,
            outcome=PENDING,
        )

    def on_model_call_started(self, event: e.ModelCallStarted, position: int) -> None:
        row = self._row(event)
        row.started_at = row.started_at or event.timestamp
        row.attempts = [
            *row.attempts,
            AttemptEntry(
                attempt=event.attempt,
                runner=storable(event.runner),
                runner_version=_storable_or_none(event.runner_version),
                worker=storable(event.worker),
                started_at=_text(event.timestamp),
                ended_at=None,
                outcome=PENDING,
                duration_ms=None,
                first_token_ms=None,
                chunk_count=0,
                finish_reason=None,
                error=None,
            ),
        ]

    def on_model_call_cancel_requested(self, event: e.ModelCallCancelRequested, position: int) -> None:
        self._row(event).cancel_requested = True

    def on_model_call_attempt_ended(self, event: e.ModelCallAttemptEnded, position: int) -> None:
        row = self._row(event)
        row.attempts = [
            *(a for a in row.attempts if a["attempt"] != event.attempt),
            _ended(row.attempts, event),
        ]
        row.duration_ms = event.duration_ms
        row.first_token_ms = event.first_token_ms
        row.chunk_count = event.chunk_count
        row.delivered_characters = event.delivered_characters
        row.prompt_tokens = event.usage.prompt_tokens if event.usage else None
        row.completion_tokens = event.usage.completion_tokens if event.usage else None
        row.usage_source = event.usage_source
        row.finish_reason = _storable_or_none(event.finish_reason)
        row.response_id = _storable_or_none(event.response_id)
        row.response_model = _storable_or_none(event.response_model)
        row.system_fingerprint = _storable_or_none(event.system_fingerprint)
        row.error = _error(event)
        if event.final:
            row.outcome = outcome_of_end(event)
            row.ended_at = event.timestamp

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        """Of its calls stays what the erasure itself says about them, now and in every rebuild."""
        figures = Changes()
        known = ModelCallRow.objects.filter(conversation_id=event.originator_id)
        for row in known.defer("params", "attempts", "events"):
            figures.take_away(row)
        known.delete()
        left = [_erased(event, call) for call in event.calls]
        for row in left:
            figures.add(row)
        upsert(ModelCallRow, left)
        figures.write()

    def _row(self, event: e.VerbatimEvent) -> ModelCallRow:
        row = self._rows.get(event.originator_id)
        if row is None:
            raise MissingRow("model call", event.originator_id, event)
        return row


def _ended(attempts: Sequence[AttemptEntry], event: e.ModelCallAttemptEnded) -> AttemptEntry:
    started = next((entry for entry in attempts if entry["attempt"] == event.attempt), None)
    return AttemptEntry(
        attempt=event.attempt,
        runner=started["runner"] if started else None,
        runner_version=started["runner_version"] if started else None,
        worker=started["worker"] if started else None,
        started_at=started["started_at"] if started else None,
        ended_at=_text(event.timestamp),
        outcome=outcome_of_end(event),
        duration_ms=event.duration_ms,
        first_token_ms=event.first_token_ms,
        chunk_count=event.chunk_count,
        finish_reason=_storable_or_none(event.finish_reason),
        error=_error(event),
    )


def _erased(event: e.ConversationErased, call: ErasedCall) -> ModelCallRow:
    return ModelCallRow(
        id=call.call_id,
        owner_id=event.owner_id,
        conversation_id=event.originator_id,
        version=call.versions,
        purpose=call.purpose,
        source=call.source,
        runner=_storable_or_none(call.runner),
        model=storable(call.model),
        params={},
        conversation_version=0,
        builder="",
        serializer="",
        body_sha256="",
        body_length=0,
        requested_at=call.requested_at,
        ended_at=call.ended_at,
        outcome=call.outcome,
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        duration_ms=call.duration_ms,
        first_token_ms=call.first_token_ms,
        erased={"at": _text(event.timestamp), "by": storable(event.by), "reason": storable(event.reason)},
    )


def _trimming(trimming: Trimming | None) -> TrimmingEntry | None:
    if trimming is None:
        return None
    return TrimmingEntry(
        policy=storable(trimming.policy),
        policy_version=trimming.policy_version,
        first_kept_message_id=str(trimming.first_kept_message_id),
        omitted_count=trimming.omitted_count,
        counted_tokens=trimming.counted_tokens,
        context_tokens=trimming.context_tokens,
    )


def _error(event: e.ModelCallAttemptEnded) -> dict[str, Any] | None:
    if event.error is None:
        return None
    return {
        "code": storable(event.error.code),
        "message": storable(event.error.message),
        "http_status": event.error.http_status,
    }


def _text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as the API writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)
