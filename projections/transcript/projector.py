"""Events of conversations and of their calls to the rows of transcripts. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.imported import text_of_imported
from backend.domain.outcomes import COMPLETE, PENDING
from projections.projector import MissingRow, Projector, storable, storable_json, stream_ids, upsert
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

USER = "user"
ASSISTANT = "assistant"


class TranscriptProjector(Projector):
    name = "transcript"
    tables = (TranscriptRow, TranscriptHeadRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._heads: dict[UUID, TranscriptHeadRow] = TranscriptHeadRow.objects.in_bulk(
            stream_ids(batch, e.ConversationEvent)
        )
        self._changed_heads: set[UUID] = set()
        self._changed_rows: set[UUID] = set()
        replies, parents = _ids_asked_for(batch)
        wanted = Q(id__in=replies) | Q(call_id__in=stream_ids(batch, e.ModelCallAttemptEnded))
        self._rows: dict[UUID, TranscriptRow] = {row.id: row for row in TranscriptRow.objects.filter(wanted)}
        self._row_of_call = {row.call_id: row for row in self._rows.values() if row.call_id is not None}
        self._depths: dict[UUID, int] = dict(
            TranscriptRow.objects.filter(id__in=parents).values_list("id", "depth")
        )

    def take(self, event: e.VerbatimEvent, position: int) -> None:
        if not isinstance(event, e.ConversationEvent):
            # Events of calls only assign, and only their final end does: repeats change nothing.
            self.dispatch(event, position)
            return
        head = self._heads.get(event.originator_id)
        if head is not None and event.originator_version <= head.version:
            return  # delivered before: a recorded reply must not become pending again
        if not self.concerns(event):
            return  # whether such events come at all depends on what else is in their batch
        self.dispatch(event, position)
        self._head(event).version = event.originator_version
        self._changed_heads.add(event.originator_id)

    def save(self) -> None:
        upsert(TranscriptHeadRow, [self._heads[key] for key in sorted(self._changed_heads)])
        upsert(TranscriptRow, [self._rows[key] for key in sorted(self._changed_rows)])

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        head = TranscriptHeadRow(
            conversation_id=event.originator_id, owner_id=event.owner_id, version=event.originator_version
        )
        origin = event.forked_from
        if origin is not None:
            head.forked_from_conversation_id = origin.conversation_id
            head.forked_from_version = origin.version
            head.forked_from_message_id = head.selected_leaf_id = origin.message_id
            head.forked_from_depth = self._depth(origin.message_id, event)
        self._heads[event.originator_id] = head

    def on_user_message_sent(self, event: e.UserMessageSent, position: int) -> None:
        self._add(event, event.message_id, event.parent_id, role=USER).content = storable(event.content)

    def on_message_imported(self, event: e.MessageImported, position: int) -> None:
        row = self._add(event, event.message_id, event.parent_id, role=event.role)
        row.content = storable(text_of_imported(event.content))
        row.outcome = COMPLETE if event.role == ASSISTANT else None

    def on_reply_requested(self, event: e.ReplyRequested, position: int) -> None:
        row = self._add(event, event.reply_id, event.parent_id, role=ASSISTANT)
        row.outcome = PENDING
        row.call_id = event.call_id
        row.continues = event.continues
        if event.replay is not None:
            row.replay_id, row.replay_turn = event.replay.replay_id, event.replay.turn
        self._row_of_call[event.call_id] = row

    def on_reply_recorded(self, event: e.ReplyRecorded, position: int) -> None:
        row = self._reply(event.reply_id, event)
        row.content = storable(event.content)
        row.reasoning = storable(event.reasoning)
        row.tool_calls = storable_json(event.tool_calls)
        row.finish_reason = None if event.finish_reason is None else storable(event.finish_reason)
        row.outcome = event.outcome
        row.error = (
            None
            if event.error is None
            else {"code": storable(event.error.code), "message": storable(event.error.message)}
        )
        self._changed_rows.add(row.id)

    def on_branch_selected(self, event: e.BranchSelected, position: int) -> None:
        self._head(event).selected_leaf_id = event.leaf_id

    def on_branch_hidden(self, event: e.BranchHidden, position: int) -> None:
        head = self._head(event)
        if event.leaf_id not in head.hidden_leaf_ids:
            head.hidden_leaf_ids = [*head.hidden_leaf_ids, event.leaf_id]

    def on_branch_shown(self, event: e.BranchShown, position: int) -> None:
        head = self._head(event)
        head.hidden_leaf_ids = [leaf_id for leaf_id in head.hidden_leaf_ids if leaf_id != event.leaf_id]

    def on_model_call_requested(self, event: e.ModelCallRequested, position: int) -> None:
        if event.reply_id is None:
            return  # a call for a title, or of an outside client: no message waits for it
        row = self._reply(event.reply_id, event)
        row.model = storable(event.prompt_request.model)
        trimming = event.prompt_request.trimming
        row.omitted_count = None if trimming is None else trimming.omitted_count
        self._changed_rows.add(row.id)

    def on_model_call_attempt_ended(self, event: e.ModelCallAttemptEnded, position: int) -> None:
        row = self._row_of_call.get(event.originator_id)
        if row is None or not event.final:
            return  # the call has no message, or another attempt follows
        row.prompt_tokens = event.usage.prompt_tokens if event.usage else None
        row.completion_tokens = event.usage.completion_tokens if event.usage else None
        row.duration_ms = event.duration_ms
        row.first_token_ms = event.first_token_ms
        self._changed_rows.add(row.id)

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        TranscriptRow.objects.filter(conversation_id=event.originator_id).delete()
        TranscriptHeadRow.objects.filter(conversation_id=event.originator_id).delete()

    def _add(
        self, event: e.ConversationEvent, message_id: UUID, parent_id: UUID | None, *, role: str
    ) -> TranscriptRow:
        """A new message below its parent, which becomes the selected leaf."""
        depth = 0 if parent_id is None else self._depth(parent_id, event) + 1
        row = TranscriptRow(
            id=message_id,
            conversation_id=event.originator_id,
            parent_id=parent_id,
            role=role,
            depth=depth,
            at=event.timestamp,
            version=event.originator_version,
        )
        self._rows[message_id] = row
        self._depths[message_id] = depth
        self._changed_rows.add(message_id)
        self._head(event).selected_leaf_id = message_id
        return row

    def _depth(self, message_id: UUID, event: e.VerbatimEvent) -> int:
        """How far a message is from the first one; in a fork it may be another conversation's."""
        if message_id not in self._depths:
            raise MissingRow("message", message_id, event)
        return self._depths[message_id]

    def _head(self, event: e.VerbatimEvent) -> TranscriptHeadRow:
        head = self._heads.get(event.originator_id)
        if head is None:
            raise MissingRow("conversation", event.originator_id, event)
        return head

    def _reply(self, reply_id: UUID, event: e.VerbatimEvent) -> TranscriptRow:
        row = self._rows.get(reply_id)
        if row is None:
            raise MissingRow("reply", reply_id, event)
        return row


def _ids_asked_for(batch: Sequence[RecordedEvent]) -> tuple[set[UUID], set[UUID]]:
    """The replies that the batch changes, and the messages whose depth it asks for."""
    replies: set[UUID] = set()
    parents: set[UUID] = set()
    for recorded in batch:
        match recorded.event:
            case e.ConversationStarted(forked_from=e.ForkOrigin(message_id=message_id)):
                parents.add(message_id)
            case e.UserMessageSent(parent_id=parent_id) | e.MessageImported(parent_id=parent_id) if parent_id:
                parents.add(parent_id)
            case e.ReplyRequested(parent_id=parent_id):
                parents.add(parent_id)
            case e.ReplyRecorded(reply_id=reply_id):
                replies.add(reply_id)
            case e.ModelCallRequested(reply_id=reply_id) if reply_id is not None:
                replies.add(reply_id)
            case _:
                pass
    return replies, parents
