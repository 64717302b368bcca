"""Every event to a small row for listening browsers, kept for a day. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.outcomes import outcome_of_end
from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow, LiveStreamRow
from projections.projector import MissingRow, Projector, event_kind, storable, stream_ids, upsert

KEPT = timedelta(hours=24)
CHANNEL = "live_changes"


class LiveChangesProjector(Projector):
    name = "live_changes"
    tables = (LiveChangeRow, LiveStreamRow, LiveHorizonRow)
    channel = CHANNEL

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._streams: dict[UUID, LiveStreamRow] = LiveStreamRow.objects.in_bulk(
            stream_ids(batch, e.VerbatimEvent)
        )
        self._changed_streams: set[UUID] = set()
        self._new: list[LiveChangeRow] = []
        self._horizon = _pruned_through()
        # A rebuild meets events of years; what is too old is left out at once instead of written and deleted.
        old = [r.position for r in batch if r.event.timestamp < self.now - KEPT]
        if old and old[-1] > self._horizon:
            self._horizon = old[-1]
            _forget_through(self._horizon)

    def save(self) -> None:
        upsert(LiveStreamRow, [self._streams[key] for key in sorted(self._changed_streams)])
        LiveChangeRow.objects.bulk_create(self._new, ignore_conflicts=True, batch_size=500)

    @classmethod
    def tidy(cls, now: datetime) -> None:
        old = (
            LiveChangeRow.objects.filter(at__lt=now - KEPT)
            .order_by("-position")
            .values_list("position", flat=True)
        )
        newest = old.first()
        if newest is not None:
            _forget_through(newest)

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        self._remember(LiveStreamRow(event.originator_id, event.owner_id, event.originator_id))
        self._add(event, position, {})

    def on_conversation_event(self, event: e.ConversationEvent, position: int) -> None:
        self._add(event, position, {})

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        """Nothing that was told before stays; that it is erased is told to pages that show it."""
        LiveChangeRow.objects.filter(conversation_id=event.originator_id).delete()
        LiveStreamRow.objects.filter(conversation_id=event.originator_id).delete()
        change = LiveChangeRow(
            position=position,
            owner_id=event.owner_id,
            conversation_id=event.originator_id,
            kind=event_kind(type(event)),
            data={"version": event.originator_version},
            at=event.timestamp,
        )
        if event.timestamp >= self.now - KEPT:
            LiveChangeRow.objects.bulk_create([change], ignore_conflicts=True)

    def on_user_message_sent(self, event: e.UserMessageSent, position: int) -> None:
        data = {"message_id": str(event.message_id), "parent_id": _text(event.parent_id)}
        self._add(event, position, data)

    def on_message_imported(self, event: e.MessageImported, position: int) -> None:
        data = {"message_id": str(event.message_id), "parent_id": _text(event.parent_id), "role": event.role}
        self._add(event, position, data)

    def on_reply_requested(self, event: e.ReplyRequested, position: int) -> None:
        data: dict[str, Any] = {
            **_reply_ids(event),
            "parent_id": _text(event.parent_id),
            "continues": _text(event.continues),
        }
        if event.replay is not None:
            data |= {"replay_id": str(event.replay.replay_id), "turn": event.replay.turn}
        self._add(event, position, data)

    def on_reply_recorded(self, event: e.ReplyRecorded, position: int) -> None:
        data = {**_reply_ids(event), "outcome": event.outcome, "error": _error(event.error)}
        self._add(event, position, data)

    def on_branch_selected(self, event: e.BranchSelected, position: int) -> None:
        self._add(event, position, {"leaf_id": str(event.leaf_id)})

    def on_branch_hidden(self, event: e.BranchHidden, position: int) -> None:
        self._add(event, position, {"leaf_id": str(event.leaf_id)})

    def on_branch_shown(self, event: e.BranchShown, position: int) -> None:
        self._add(event, position, {"leaf_id": str(event.leaf_id)})

    def on_replay_requested(self, event: e.ReplayRequested, position: int) -> None:
        data = {"replay_id": str(event.replay_id), "leaf_id": str(event.leaf_id)}
        self._add(event, position, {**data, "turns_total": event.turns_total})

    def on_replay_stopped(self, event: e.ReplayStopped, position: int) -> None:
        data = {"replay_id": str(event.replay_id), "turn": event.turn, "error": _error(event.error)}
        self._add(event, position, data)

    def on_replay_resumed(self, event: e.ReplayResumed, position: int) -> None:
        self._add(event, position, {"replay_id": str(event.replay_id)})

    def on_replay_finished(self, event: e.ReplayFinished, position: int) -> None:
        self._add(event, position, {"replay_id": str(event.replay_id), "leaf_id": str(event.leaf_id)})

    def on_replay_cancelled(self, event: e.ReplayCancelled, position: int) -> None:
        self._add(event, position, {"replay_id": str(event.replay_id)})

    def on_model_call_requested(self, event: e.ModelCallRequested, position: int) -> None:
        if event.originator_id not in self._streams:
            self._remember(
                LiveStreamRow(event.originator_id, event.owner_id, event.conversation_id, event.reply_id)
            )
        self._add(event, position, {"purpose": event.purpose})

    def on_model_call_event(self, event: e.ModelCallEvent, position: int) -> None:
        self._add(event, position, {})

    def on_model_call_started(self, event: e.ModelCallStarted, position: int) -> None:
        self._add(event, position, {"attempt": event.attempt})

    def on_model_call_attempt_ended(self, event: e.ModelCallAttemptEnded, position: int) -> None:
        self._add(
            event,
            position,
            {
                "attempt": event.attempt,
                "outcome": outcome_of_end(event),
                "final": event.final,
                "error": _error(event.error),
                "chunk_count": event.chunk_count,
            },
        )
        stream = self._streams.get(event.originator_id)
        if event.final and stream is not None:
            stream.ended_position = position
            self._changed_streams.add(stream.stream_id)

    def on_audit_trail_opened(self, event: e.AuditTrailOpened, position: int) -> None:
        self._remember(LiveStreamRow(event.originator_id, event.owner_id, None))
        self._add(event, position, {"day": event.day})

    def on_audit_read(self, event: e.AuditRead, position: int) -> None:
        data = {
            "reader_id": str(event.reader_id),
            "conversation_id": _text(event.conversation_id),
            "call_id": _text(event.call_id),
            "what": storable(event.what),
        }
        self._add(event, position, data)

    def _remember(self, stream: LiveStreamRow) -> None:
        self._streams[stream.stream_id] = stream
        self._changed_streams.add(stream.stream_id)

    def _add(self, event: e.VerbatimEvent, position: int, data: dict[str, Any]) -> None:
        if position <= self._horizon:
            return  # too old to be told to anybody
        stream = self._streams.get(event.originator_id)
        if stream is None:
            raise MissingRow("stream", event.originator_id, event)
        if isinstance(event, e.ModelCallEvent):
            reply_id = None if stream.reply_id is None else str(stream.reply_id)
            data = {"call_id": str(event.originator_id), "reply_id": reply_id, **data}
        self._new.append(
            LiveChangeRow(
                position=position,
                owner_id=stream.owner_id,
                conversation_id=stream.conversation_id,
                kind=event_kind(type(event)),
                data={"version": event.originator_version, **data},
                at=event.timestamp,
            )
        )


def _reply_ids(event: e.ReplyRequested | e.ReplyRecorded) -> dict[str, str]:
    """A reply is a message too, so it goes by both names."""
    return {"message_id": str(event.reply_id), "reply_id": str(event.reply_id), "call_id": str(event.call_id)}


def _error(error: e.ReplyError | e.CallError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"code": storable(error.code), "message": storable(error.message)}


def _text(message_id: UUID | None) -> str | None:
    return None if message_id is None else str(message_id)


def _pruned_through() -> int:
    return LiveHorizonRow.objects.values_list("pruned_through", flat=True).first() or 0


def _forget_through(position: int) -> None:
    """Drop changes up to a position and move the horizon there, in the caller's transaction."""
    LiveChangeRow.objects.filter(position__lte=position).delete()
    # A call that has ended gets no further events, so nobody will ask again whose it is.
    LiveStreamRow.objects.filter(ended_position__lte=position).delete()
    upsert(LiveHorizonRow, [LiveHorizonRow(id=1, pruned_through=position)])
