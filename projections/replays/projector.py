"""Events of conversations to rows of replays. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.outcomes import PENDING
from projections.projector import MissingRow, Projector, storable, storable_json, upsert
from projections.replays.read_table import ReplayOwnerRow, ReplayRow, ReplayTryRow

RUNNING = "running"
FAILED = "failed"
FINISHED = "finished"
CANCELLED = "cancelled"

_AboutAReplay = e.ReplayRequested | e.ReplayStopped | e.ReplayResumed | e.ReplayFinished | e.ReplayCancelled


class ReplaysProjector(Projector):
    name = "replays"
    tables = (ReplayOwnerRow, ReplayRow, ReplayTryRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        owners: set[UUID] = set()
        replays: set[UUID] = set()
        replies: set[UUID] = set()
        for recorded in batch:
            match recorded.event:
                case e.ReplayRequested(originator_id=conversation_id, replay_id=replay_id):
                    owners.add(conversation_id)
                    replays.add(replay_id)
                case e.ReplyRequested(reply_id=reply_id, replay=e.ReplayTurn(replay_id=replay_id)):
                    replays.add(replay_id)
                    replies.add(reply_id)
                case e.ReplyRecorded(reply_id=reply_id):
                    replies.add(reply_id)
                case (
                    e.ReplayStopped(replay_id=replay_id)
                    | e.ReplayResumed(replay_id=replay_id)
                    | e.ReplayFinished(replay_id=replay_id)
                    | e.ReplayCancelled(replay_id=replay_id)
                ):
                    replays.add(replay_id)
                case _:
                    pass
        self._owners: dict[UUID, ReplayOwnerRow] = ReplayOwnerRow.objects.in_bulk(owners)
        self._new_owners: list[ReplayOwnerRow] = []
        self._replays: dict[UUID, ReplayRow] = ReplayRow.objects.in_bulk(replays)
        self._tries: dict[UUID, ReplayTryRow] = ReplayTryRow.objects.in_bulk(replies)
        self._changed_replays: set[UUID] = set()
        self._changed_tries: set[UUID] = set()

    def save(self) -> None:
        # Whose a conversation is never changes, so a row that is there already is the same.
        ReplayOwnerRow.objects.bulk_create(self._new_owners, ignore_conflicts=True, batch_size=500)
        upsert(ReplayRow, [self._replays[key] for key in sorted(self._changed_replays)])
        upsert(ReplayTryRow, [self._tries[key] for key in sorted(self._changed_tries)])

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        owner = ReplayOwnerRow(conversation_id=event.originator_id, owner_id=event.owner_id)
        self._owners[event.originator_id] = owner
        self._new_owners.append(owner)

    def on_replay_requested(self, event: e.ReplayRequested, position: int) -> None:
        if event.replay_id in self._replays:
            return  # delivered before: what has become of it since must stay
        owner = self._owners.get(event.originator_id)
        if owner is None:
            raise MissingRow("conversation", event.originator_id, event)
        self._replays[event.replay_id] = ReplayRow(
            id=event.replay_id,
            conversation_id=event.originator_id,
            owner_id=owner.owner_id,
            source_leaf_id=event.leaf_id,
            model=storable(event.model),
            params=storable_json(event.params),
            system_prompt=None if event.system_prompt is None else storable(event.system_prompt),
            turns_total=event.turns_total,
            state=RUNNING,
            requested_at=event.timestamp,
            version=event.originator_version,
        )
        self._changed_replays.add(event.replay_id)

    def on_reply_requested(self, event: e.ReplyRequested, position: int) -> None:
        if event.replay is None or event.reply_id in self._tries:
            return  # nobody's turn, or delivered before: its outcome must stay
        self._tries[event.reply_id] = ReplayTryRow(
            reply_id=event.reply_id,
            replay_id=event.replay.replay_id,
            turn=event.replay.turn,
            call_id=event.call_id,
            outcome=PENDING,
            version=event.originator_version,
        )
        self._changed_tries.add(event.reply_id)
        replay = self._row(event.replay.replay_id, event)
        if event.originator_version > replay.version:
            replay.leaf_id = event.reply_id
            replay.version = event.originator_version
            self._changed_replays.add(replay.id)

    def on_reply_recorded(self, event: e.ReplyRecorded, position: int) -> None:
        reply = self._tries.get(event.reply_id)
        if reply is not None:  # else no replay asked for it
            reply.outcome = event.outcome
            self._changed_tries.add(event.reply_id)

    def on_replay_stopped(self, event: e.ReplayStopped, position: int) -> None:
        error = {"code": storable(event.error.code), "message": storable(event.error.message)}
        self._move(event, FAILED, ended_at=event.timestamp, error=error)

    def on_replay_resumed(self, event: e.ReplayResumed, position: int) -> None:
        self._move(event, RUNNING, ended_at=None, error=None)

    def on_replay_finished(self, event: e.ReplayFinished, position: int) -> None:
        self._move(event, FINISHED, ended_at=event.timestamp, error=None)

    def on_replay_cancelled(self, event: e.ReplayCancelled, position: int) -> None:
        self._move(event, CANCELLED, ended_at=event.timestamp, error=None)

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        erased = ReplayRow.objects.filter(conversation_id=event.originator_id)
        ReplayTryRow.objects.filter(replay_id__in=list(erased.values_list("id", flat=True))).delete()
        erased.delete()
        ReplayOwnerRow.objects.filter(conversation_id=event.originator_id).delete()

    def _move(
        self, event: _AboutAReplay, state: str, *, ended_at: datetime | None, error: dict[str, str] | None
    ) -> None:
        row = self._row(event.replay_id, event)
        if event.originator_version <= row.version:
            return  # delivered before: a later state must stay
        row.state, row.ended_at, row.error = state, ended_at, error
        row.version = event.originator_version
        self._changed_replays.add(row.id)

    def _row(self, replay_id: UUID, event: e.VerbatimEvent) -> ReplayRow:
        row = self._replays.get(replay_id)
        if row is None:
            raise MissingRow("replay", replay_id, event)
        return row
