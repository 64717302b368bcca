"""Events of conversations and their calls to the words they are found by. Touches no other table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from backend.domain.imported import text_of_imported
from backend.domain.outcomes import COMPLETE
from backend.domain.titles import UNTITLED, first_words
from projections.projector import MissingRow, Projector, storable, stream_ids, upsert
from projections.search.kinds import ASSISTANT, KIND_SIGNS, TITLE, USER
from projections.search.lexemes import TextToIndex, index_texts, tell_language
from projections.search.read_table import SearchConversationRow, SearchRow


class SearchProjector(Projector):
    name = "search"
    tables = (SearchRow, SearchConversationRow)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        streams = stream_ids(batch, e.ConversationEvent)
        self._conversations: dict[UUID, SearchConversationRow] = SearchConversationRow.objects.in_bulk(
            streams
        )
        self._rows: dict[UUID, SearchRow] = SearchRow.objects.in_bulk(streams | _replies_of(batch))
        self._texts: dict[UUID, str] = {}
        self._changed_conversations: set[UUID] = set()
        self._changed_rows: set[UUID] = set()

    def take(self, event: e.VerbatimEvent, position: int) -> None:
        if not isinstance(event, e.ConversationEvent):
            self.dispatch(event, position)  # says which model was asked: repeats change nothing
            return
        conversation = self._conversations.get(event.originator_id)
        if conversation is not None and event.originator_version <= conversation.version:
            return  # delivered before: an older title must not come back
        if not self.concerns(event):
            return  # whether such events come at all depends on what else is in their batch
        self.dispatch(event, position)
        self._conversation(event).version = event.originator_version
        self._changed_conversations.add(event.originator_id)

    def save(self) -> None:
        """Write what has changed; the words of all texts at once, since their stems cost a question."""
        rows = [self._rows[key] for key in self._texts]
        texts = [TextToIndex(self._texts[row.id], KIND_SIGNS[row.kind], row.language) for row in rows]
        for row, indexed in zip(rows, index_texts(texts), strict=True):
            row.words, row.stems = indexed.words, indexed.stems
        upsert(
            SearchConversationRow, [self._conversations[key] for key in sorted(self._changed_conversations)]
        )
        upsert(SearchRow, [self._rows[key] for key in sorted(self._changed_rows)])

    def on_conversation_started(self, event: e.ConversationStarted, position: int) -> None:
        self._conversations[event.originator_id] = SearchConversationRow(
            conversation_id=event.originator_id,
            owner_id=event.owner_id,
            version=event.originator_version,
            title=UNTITLED,
            title_is_given=event.forked_from is not None or event.title != UNTITLED,
        )
        if self._conversation(event).title_is_given:
            self._name(event, event.title, position)

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        self._conversation(event).title_is_given = True
        self._name(event, event.title, position)

    def on_conversation_titled(self, event: e.ConversationTitled, position: int) -> None:
        self._name(event, event.title, position)

    def on_conversation_deleted(self, event: e.ConversationDeleted, position: int) -> None:
        self._conversation(event).deleted = True

    def on_conversation_restored(self, event: e.ConversationRestored, position: int) -> None:
        self._conversation(event).deleted = False

    def on_user_message_sent(self, event: e.UserMessageSent, position: int) -> None:
        conversation = self._conversation(event)
        if conversation.title == UNTITLED and not conversation.title_is_given:
            self._name(event, first_words(event.content), position)
        self._write(self._add(event, event.message_id, USER, position), event.content, event)

    def on_message_imported(self, event: e.MessageImported, position: int) -> None:
        conversation, text = self._conversation(event), text_of_imported(event.content)
        if event.role == USER and conversation.title == UNTITLED and not conversation.title_is_given:
            self._name(event, first_words(text), position)
        kind = ASSISTANT if event.role == ASSISTANT else USER
        row = self._add(event, event.message_id, kind, position)
        row.outcome = COMPLETE if kind == ASSISTANT else None
        self._write(row, text, event)

    def on_reply_requested(self, event: e.ReplyRequested, position: int) -> None:
        self._add(event, event.reply_id, ASSISTANT, position)

    def on_model_call_requested(self, event: e.ModelCallRequested, position: int) -> None:
        if event.reply_id is None:
            return  # a call for a title, or of an outside client: no message waits for it
        row = self._reply(event.reply_id, event)
        row.model = storable(event.prompt_request.model)
        self._changed_rows.add(row.id)

    def on_reply_recorded(self, event: e.ReplyRecorded, position: int) -> None:
        row = self._reply(event.reply_id, event)
        row.outcome = event.outcome
        row.position = position
        self._write(row, event.content, event)

    def on_conversation_erased(self, event: e.ConversationErased, position: int) -> None:
        SearchRow.objects.filter(conversation_id=event.originator_id).delete()
        SearchConversationRow.objects.filter(conversation_id=event.originator_id).delete()

    def _name(self, event: e.ConversationEvent, title: str, position: int) -> None:
        conversation = self._conversation(event)
        conversation.title = storable(title)
        row = self._add(event, event.originator_id, TITLE, position)
        row.language, _ = tell_language(conversation.title, conversation.language)
        self._texts[row.id] = conversation.title

    def _write(self, row: SearchRow, text: str, event: e.ConversationEvent) -> None:
        """Give a message its text. What it tells of the language helps with the next ones."""
        conversation = self._conversation(event)
        content = storable(text)
        row.language, told = tell_language(content, conversation.language)
        if told:
            conversation.language = row.language
        self._texts[row.id] = content
        self._changed_rows.add(row.id)

    def _add(self, event: e.ConversationEvent, row_id: UUID, kind: str, position: int) -> SearchRow:
        row = SearchRow(
            id=row_id,
            conversation_id=event.originator_id,
            owner_id=self._conversation(event).owner_id,
            kind=kind,
            position=position,
            at=event.timestamp,
        )
        self._rows[row_id] = row
        self._changed_rows.add(row_id)
        return row

    def _conversation(self, event: e.VerbatimEvent) -> SearchConversationRow:
        row = self._conversations.get(event.originator_id)
        if row is None:
            raise MissingRow("conversation", event.originator_id, event)
        return row

    def _reply(self, reply_id: UUID, event: e.VerbatimEvent) -> SearchRow:
        row = self._rows.get(reply_id)
        if row is None:
            raise MissingRow("reply", reply_id, event)
        return row


def _replies_of(batch: Sequence[RecordedEvent]) -> set[UUID]:
    """The replies that the batch changes."""
    found: set[UUID] = set()
    for recorded in batch:
        match recorded.event:
            case e.ReplyRecorded(reply_id=reply_id):
                found.add(reply_id)
            case e.ModelCallRequested(reply_id=reply_id) if reply_id is not None:
                found.add(reply_id)
            case _:
                pass
    return found
