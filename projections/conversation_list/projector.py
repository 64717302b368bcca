"""Events of conversations to rows of the conversation list. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.imported import text_of_imported
from backend.domain.message_tree import USER
from backend.domain.titles import UNTITLED, first_words
from projections.conversation_list.read_table import ConversationListRow, ConversationSettingsRow
from projections.projector import MissingRow, Projector, storable, storable_json, stream_ids, upsert


class ConversationListProjector(Projector):
    name = "conversation_list"
    tables = (ConversationListRow, ConversationSettingsRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        self._rows: dict[UUID, ConversationListRow] = ConversationListRow.objects.in_bulk(
            stream_ids(batch, e.ConversationEvent)
        )
        self._changed: set[UUID] = set()
        self._settings: dict[UUID, list[ConversationSettingsRow]] = {}
        earlier = ConversationSettingsRow.objects.filter(conversation_id__in=_sources_of_forks(batch))
        for settings in earlier.order_by("version"):
            self._settings.setdefault(settings.conversation_id, []).append(settings)
        self._new_settings: list[ConversationSettingsRow] = []

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
        upsert(ConversationSettingsRow, self._new_settings)

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        origin = event.forked_from
        row = self._rows[event.originator_id] = ConversationListRow(
            id=event.originator_id,
            owner_id=event.owner_id,
            title=storable(event.title),
            title_is_given=origin is not None or event.title != UNTITLED,
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
        if origin is not None:
            row.selected_leaf_id = origin.message_id
            self._inherit_settings(row, origin)
            self._remember_settings(event)

    def on_system_prompt_changed(self, event: e.SystemPromptChanged, position: int) -> None:
        self._row(event).system_prompt = storable(event.text)
        self._remember_settings(event)

    def on_model_settings_changed(self, event: e.ModelSettingsChanged, position: int) -> None:
        row = self._row(event)
        row.model = storable(event.model)
        row.params = storable_json(event.params)
        self._remember_settings(event)

    def on_user_message_sent(self, event: e.UserMessageSent, position: int) -> None:
        row = self._row(event)
        if row.title == UNTITLED and not row.title_is_given:
            row.title = storable(first_words(event.content))
        row.selected_leaf_id = event.message_id
        row.message_count += 1
        row.updated_at = event.timestamp

    def on_message_imported(self, event: e.MessageImported, position: int) -> None:
        row = self._row(event)
        if event.role == USER and row.title == UNTITLED and not row.title_is_given:
            row.title = storable(first_words(text_of_imported(event.content)))
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

    def on_branch_selected(self, event: e.BranchSelected, position: int) -> None:
        self._row(event).selected_leaf_id = event.leaf_id

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        row = self._row(event)
        row.title = storable(event.title)
        row.title_is_given = True
        row.updated_at = event.timestamp

    def on_conversation_titled(self, event: e.ConversationTitled, position: int) -> None:
        self._row(event).title = storable(event.title)

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

    def on_conversation_event(self, event: e.ConversationEvent, position: int) -> None:
        """Events that change no other column still move the version on, by which clients tell what they have seen."""

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        ConversationListRow.objects.filter(id=event.originator_id).delete()
        ConversationSettingsRow.objects.filter(conversation_id=event.originator_id).delete()

    def _row(self, event: e.VerbatimEvent) -> ConversationListRow:
        row = self._rows.get(event.originator_id)
        if row is None:
            raise MissingRow("conversation", event.originator_id, event)
        return row

    def _remember_settings(self, event: e.ConversationEvent) -> None:
        """The settings as the event leaves them, for forks that will be made of this version or a later one."""
        row = self._row(event)
        settings = ConversationSettingsRow(
            id=event.event_id,
            conversation_id=event.originator_id,
            version=event.originator_version,
            model=row.model,
            system_prompt=row.system_prompt,
            params=row.params,
        )
        self._settings.setdefault(event.originator_id, []).append(settings)
        self._new_settings.append(settings)

    def _inherit_settings(self, row: ConversationListRow, origin: e.ForkOrigin) -> None:
        """A source that never set anything has nothing to pass on: its fork begins without settings too."""
        for settings in reversed(self._settings.get(origin.conversation_id, ())):
            if settings.version <= origin.version:
                row.system_prompt, row.model = settings.system_prompt, settings.model
                row.params = settings.params
                return


def _sources_of_forks(batch: Sequence[RecordedEvent]) -> set[UUID]:
    """The conversations from which the batch's new conversations go on."""
    return {
        recorded.event.forked_from.conversation_id
        for recorded in batch
        if isinstance(recorded.event, e.ConversationStarted) and recorded.event.forked_from is not None
    }
