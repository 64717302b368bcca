"""Reading whole conversations with their calls, for those who look at all of them: only what prompts need.

One server-side step per conversation, by primary keys; memory does not grow with the store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent

from backend.domain import events as e
from backend.domain.errors import ConversationIsErased, UnknownConversation
from backend.domain.events import VerbatimEvent
from backend.event_store.codec import UnreadableEvent
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.upcasting import UPCASTERS
from backend.prompting.prefixes import BranchPrompts

PAGE: Final = 500
KEPT_SOURCES: Final = 16
"""How many conversations are kept in memory for the forks that come from them."""

# The old topics are read through their upcasters.
_TOPICS: Final = [
    e.ConversationStarted.TOPIC,
    e.SystemPromptChanged.TOPIC,
    e.UserMessageSent.TOPIC,
    e.MessageImported.TOPIC,
    *UPCASTERS.topics_of(e.ReplyRequested.TOPIC),
    e.ReplyRecorded.TOPIC,
    e.TitleRequested.TOPIC,
]
_REQUESTED: Final = UPCASTERS.topics_of(e.ModelCallRequested.TOPIC)

_CONVERSATIONS = (
    "SELECT notification_id, originator_id FROM events WHERE topic = %s AND notification_id > %s"
    " ORDER BY notification_id LIMIT %s"
)
_STREAM = (
    "SELECT originator_version, topic, coalesce(state, '') FROM events"
    " WHERE originator_id = %s AND topic = ANY(%s) ORDER BY originator_version"
)
_REQUESTS = (
    "SELECT originator_id, topic, coalesce(state, '') FROM events"
    " WHERE originator_id = ANY(%s) AND originator_version = 1 AND topic = ANY(%s)"
)
_ALL_REQUESTS = (
    "SELECT notification_id, originator_id, topic, coalesce(state, '') FROM events"
    " WHERE topic = ANY(%s) AND notification_id > %s ORDER BY notification_id LIMIT %s"
)
_ERASURES = "SELECT originator_id, originator_version, topic, state FROM events WHERE topic = %s"
_COUNT = "SELECT count(*) FROM events WHERE topic = ANY(%s)"

AsRequested = e.ModelCallRequested | e.ErasedEvent | UnreadableEvent
"""A call as it was requested, what is left of an erased one, or why it cannot be read."""


@dataclass(frozen=True)
class ConversationWithCalls:
    """A conversation's messages, ready for prompts, and the calls that its replies name.

    asked: for each call that a reply names, the version of the event that does. unreadable: for each of
    these calls whose request cannot be read, why.
    """

    conversation_id: UUID
    prompts: BranchPrompts
    asked: dict[UUID, int]
    calls: Sequence[e.ModelCallRequested]
    unreadable: Mapping[UUID, UnreadableEvent]


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
        row = self._connection.execute(_COUNT, (_REQUESTED,)).fetchone()
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

    def erasures(self) -> dict[UUID, list[UUID]]:
        """The conversations that are on record as erased, each with its calls. Raises UnreadableEvent."""
        rows = self._connection.execute(_ERASURES, (e.ConversationErased.TOPIC,)).fetchall()
        found: dict[UUID, list[UUID]] = {}
        for stream_id, version, topic, state in rows:
            event = self._mapper.to_domain_event(StoredEvent(stream_id, version, topic, bytes(state)))
            if isinstance(event, e.ConversationErased):
                found[stream_id] = [call.call_id for call in event.calls]
        return found

    def read(self, conversation_id: UUID) -> ConversationWithCalls:
        """One conversation.

        Raises UnknownConversation, ConversationIsErased, UnreadableEvent where an event cannot be read, and CannotRebuildPrompt
        where one is missing without which the others make no sense.
        """
        events = self._events(conversation_id)
        prompts = self._prompts(conversation_id, events)
        asked = {
            event.call_id: event.originator_version
            for event in events
            if isinstance(event, e.ReplyRequested | e.TitleRequested)
        }
        calls: list[e.ModelCallRequested] = []
        unreadable: dict[UUID, UnreadableEvent] = {}
        for call_id, found in self._requests(list(asked)):
            if isinstance(found, e.ErasedEvent):
                unreadable[call_id] = UnreadableEvent("it is erased, though its conversation is not.")
            elif isinstance(found, UnreadableEvent):
                unreadable[call_id] = found
            else:
                calls.append(found)
        return ConversationWithCalls(conversation_id, prompts, asked, calls, unreadable)

    def call(self, call_id: UUID) -> e.ModelCallRequested | e.ErasedEvent | None:
        """One call as it was requested, or None. Raises UnreadableEvent."""
        for _, found in self._requests([call_id]):
            if isinstance(found, UnreadableEvent):
                raise found
            return found
        return None

    def all_calls(self) -> Iterator[tuple[UUID, AsRequested]]:
        """Every call that was ever requested, in order, or why it cannot be read."""
        after = 0
        while True:
            rows = self._connection.execute(_ALL_REQUESTS, (_REQUESTED, after, PAGE)).fetchall()
            for _, call_id, topic, state in rows:
                yield call_id, self._as_request(call_id, topic, state)
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
        # Read up to the first source that is kept, and taken in from there down: a chain of forks may be
        # longer than calls can be nested.
        chain = [(conversation_id, events)]
        prompts = BranchPrompts()
        origin = _origin(conversation_id, events)
        while origin is not None:
            source_id = origin.conversation_id
            if any(source_id == known for known, _ in chain):
                raise UnreadableEvent(f"Conversation {source_id} goes on from itself. Events were changed.")
            kept = self._sources.get(source_id)
            if kept is not None:
                self._sources.move_to_end(source_id)
                prompts = kept
                break
            chain.append((source_id, self._events(source_id)))
            origin = _origin(*chain[-1])
        for stream_id, stream in reversed(chain):
            origin = _origin(stream_id, stream)
            prompts = BranchPrompts() if origin is None else BranchPrompts.forked(prompts, origin)
            prompts.take(stream)
            self._keep(stream_id, prompts)
        return prompts

    def _keep(self, conversation_id: UUID, prompts: BranchPrompts) -> None:
        self._sources[conversation_id] = prompts
        while len(self._sources) > KEPT_SOURCES:
            self._sources.popitem(last=False)

    def _requests(self, call_ids: list[UUID]) -> list[tuple[UUID, AsRequested]]:
        if not call_ids:
            return []
        rows = self._connection.execute(_REQUESTS, (call_ids, _REQUESTED)).fetchall()
        return [(call_id, self._as_request(call_id, topic, state)) for call_id, topic, state in rows]

    def _as_request(self, call_id: UUID, topic: str, state: bytes) -> AsRequested:
        """One unreadable call must not keep the others from being looked at, so its error is returned."""
        try:
            event = self._mapper.to_domain_event(StoredEvent(call_id, 1, topic, bytes(state)))
        except UnreadableEvent as error:
            return error
        assert isinstance(event, e.ModelCallRequested | e.ErasedEvent)
        return event


def _origin(conversation_id: UUID, events: Sequence[VerbatimEvent]) -> e.ForkOrigin | None:
    """From where a conversation goes on, if it is a fork. Raises UnknownConversation, ConversationIsErased."""
    first = events[0] if events else None
    if isinstance(first, e.ErasedEvent):
        raise ConversationIsErased(conversation_id)
    if not isinstance(first, e.ConversationStarted):
        raise UnknownConversation(conversation_id)
    return first.forked_from
