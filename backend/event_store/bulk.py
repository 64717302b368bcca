"""Reading whole conversations with their calls, for those who look at all of them: only what prompts need.

One server-side step per conversation, by primary keys; memory does not grow with the store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent

from backend.domain import events as e
from backend.domain.errors import UnknownConversation
from backend.domain.events import VerbatimEvent
from backend.event_store.mapper import VerbatimMapper
from backend.prompting.prefixes import BranchPrompts

PAGE: Final = 500
KEPT_SOURCES: Final = 16
"""How many conversations are kept in memory for the forks that come from them."""

# The old topics are read through their upcasters.
_TOPICS: Final = [
    e.ConversationStarted.TOPIC,
    e.SystemPromptChanged.TOPIC,
    e.UserMessageSent.TOPIC,
    "ReplyRequested.v1",
    e.ReplyRequested.TOPIC,
    e.ReplyRecorded.TOPIC,
]

_CONVERSATIONS = (
    "SELECT notification_id, originator_id FROM events WHERE topic = %s AND notification_id > %s"
    " ORDER BY notification_id LIMIT %s"
)
_STREAM = (
    "SELECT originator_version, topic, state FROM events"
    " WHERE originator_id = %s AND topic = ANY(%s) ORDER BY originator_version"
)
_REQUESTS = (
    "SELECT originator_id, topic, state FROM events"
    " WHERE originator_id = ANY(%s) AND originator_version = 1 AND topic = %s"
)
_ALL_REQUESTS = (
    "SELECT notification_id, originator_id, topic, state FROM events"
    " WHERE topic = %s AND notification_id > %s ORDER BY notification_id LIMIT %s"
)
_COUNT = "SELECT count(*) FROM events WHERE topic = %s"


@dataclass(frozen=True)
class ConversationWithCalls:
    """A conversation's messages, ready for prompts, and the calls that its replies name.

    asked: for each call that a reply names, the version of the event that does.
    """

    conversation_id: UUID
    prompts: BranchPrompts
    asked: dict[UUID, int]
    calls: Sequence[e.ModelCallRequested]


class BulkReader:
    """Reads on one connection of its own, in one transaction: what it sees is of one moment."""

    def __init__(self, database_url: str) -> None:
        self._mapper = VerbatimMapper()
        self._connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(database_url)
        self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._sources: OrderedDict[UUID, BranchPrompts] = OrderedDict()

    def close(self) -> None:
        self._connection.close()

    def count_calls(self) -> int:
        """How many calls were ever requested."""
        row = self._connection.execute(_COUNT, (e.ModelCallRequested.TOPIC,)).fetchone()
        return 0 if row is None else int(row[0])

    def conversation_ids(self) -> Iterator[UUID]:
        """Every conversation, in the order in which they were started."""
        after = 0
        while True:
            rows = self._connection.execute(
                _CONVERSATIONS, (e.ConversationStarted.TOPIC, after, PAGE)
            ).fetchall()
            yield from (conversation_id for _, conversation_id in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def read(self, conversation_id: UUID) -> ConversationWithCalls:
        """One conversation. Raises UnknownConversation, and UnreadableEvent where an event cannot be read."""
        events = self._events(conversation_id)
        prompts = self._prompts(conversation_id, events)
        asked = {
            event.call_id: event.originator_version for event in events if isinstance(event, e.ReplyRequested)
        }
        return ConversationWithCalls(conversation_id, prompts, asked, self._requests(list(asked)))

    def call(self, call_id: UUID) -> e.ModelCallRequested | None:
        """One call as it was requested, or None. Raises UnreadableEvent."""
        return next(iter(self._requests([call_id])), None)

    def all_calls(self) -> Iterator[e.ModelCallRequested]:
        """Every call that was ever requested, in order. Raises UnreadableEvent."""
        after = 0
        while True:
            rows = self._connection.execute(
                _ALL_REQUESTS, (e.ModelCallRequested.TOPIC, after, PAGE)
            ).fetchall()
            for _, call_id, topic, state in rows:
                yield self._as_request(call_id, topic, state)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def _events(self, conversation_id: UUID) -> list[VerbatimEvent]:
        rows = self._connection.execute(_STREAM, (conversation_id, _TOPICS)).fetchall()
        return [
            self._mapper.to_domain_event(StoredEvent(conversation_id, version, topic, bytes(state)))
            for version, topic, state in rows
        ]

    def _prompts(self, conversation_id: UUID, events: Sequence[VerbatimEvent]) -> BranchPrompts:
        first = events[0] if events else None
        if not isinstance(first, e.ConversationStarted):
            raise UnknownConversation(conversation_id)
        prompts = BranchPrompts()
        if first.forked_from is not None:
            prompts = BranchPrompts.forked(self._source(first.forked_from.conversation_id), first.forked_from)
        prompts.take(events)
        self._sources[conversation_id] = prompts
        while len(self._sources) > KEPT_SOURCES:
            self._sources.popitem(last=False)
        return prompts

    def _source(self, conversation_id: UUID) -> BranchPrompts:
        kept = self._sources.get(conversation_id)
        if kept is not None:
            self._sources.move_to_end(conversation_id)
            return kept
        return self._prompts(conversation_id, self._events(conversation_id))

    def _requests(self, call_ids: list[UUID]) -> list[e.ModelCallRequested]:
        if not call_ids:
            return []
        rows = self._connection.execute(_REQUESTS, (call_ids, e.ModelCallRequested.TOPIC)).fetchall()
        return [self._as_request(*row) for row in rows]

    def _as_request(self, call_id: UUID, topic: str, state: bytes) -> e.ModelCallRequested:
        event = self._mapper.to_domain_event(StoredEvent(call_id, 1, topic, bytes(state)))
        assert isinstance(event, e.ModelCallRequested)
        return event
