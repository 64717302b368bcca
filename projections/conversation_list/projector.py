"""Events of conversations to rows of the conversation list. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from projections.conversation_list.read_table import ConversationListRow
from projections.projector import MissingRow, Projector, storable, storable_json, stream_ids, upsert


class ConversationListProjector(Projector):
    name = "conversation_list"
    tables = (ConversationListRow,)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._rows: dict[UUID, ConversationListRow] = ConversationListRow.objects.in_bulk(
            stream_ids(batch, e.ConversationEvent)
        )
        self._changed: set[UUID] = set()

    def take(self, event: e.VerbatimEvent, position: int) -> None:
        if not isinstance(event, e.ConversationEvent):
            return
        row = self._rows.get(event.originator_id)
        if row is not None and event.originator_version <= row.version:
            return  # delivered before: counts must not count it again
        self.dispatch(event, position)
        self._row(event).version = event.originator_version
        self._changed.add(event.originator_id)

    def save(self) -> None:
        upsert(ConversationListRow, [self._rows[row_id] for row_id in sorted(self._changed)])

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        origin = event.forked_from
        self._rows[event.originator_id] = ConversationListRow(
            id=event.originator_id,
            owner_id=event.owner_id,
            title=storable(event.title),
            version=event.originator_version,
            created_at=event.timestamp,
            updated_at=event.timestamp,
            forked_from=None
            if origin is None
            else {
                "conversation_id": str(origin.conversation_id),
                "version": origin.version,
                "message_id": str(origin.message_id),
            },
        )

    def on_system_prompt_changed(self, event: e.SystemPromptChanged, position: int) -> None:
        self._row(event).system_prompt = storable(event.text)

    def on_model_settings_changed(self, event: e.ModelSettingsChanged, position: int) -> None:
        row = self._row(event)
        row.model = storable(event.model)
        row.params = storable_json(event.params)

    def on_user_message_sent(self, event: e.UserMessageSent, position: int) -> None:
        row = self._row(event)
        row.selected_leaf_id = event.message_id
        row.message_count += 1
        row.updated_at = event.timestamp

    def on_reply_requested(self, event: e.ReplyRequested, position: int) -> None:
        row = self._row(event)
        row.selected_leaf_id = event.reply_id
        row.message_count += 1
        row.pending_replies += 1
        row.updated_at = event.timestamp

    def on_reply_recorded(self, event: e.ReplyRecorded, position: int) -> None:
        row = self._row(event)
        row.pending_replies -= 1
        row.updated_at = event.timestamp

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        row = self._row(event)
        row.title = storable(event.title)
        row.updated_at = event.timestamp

    def on_conversation_pinned(self, event: e.ConversationPinned, position: int) -> None:
        self._row(event).pinned = True

    def on_conversation_unpinned(self, event: e.ConversationUnpinned, position: int) -> None:
        self._row(event).pinned = False

    def on_conversation_archived(self, event: e.ConversationArchived, position: int) -> None:
        self._row(event).archived = True

    def on_conversation_unarchived(self, event: e.ConversationUnarchived, position: int) -> None:
        self._row(event).archived = False

    def on_conversation_deleted(self, event: e.ConversationDeleted, position: int) -> None:
        self._row(event).deleted = True

    def on_conversation_restored(self, event: e.ConversationRestored, position: int) -> None:
        self._row(event).deleted = False

    def _row(self, event: e.VerbatimEvent) -> ConversationListRow:
        row = self._rows.get(event.originator_id)
        if row is None:
            raise MissingRow("conversation", event.originator_id, event)
        return row
