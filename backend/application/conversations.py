"""Conversations as handlers need them, kept in memory and brought up to date from the events.

A stream only ever grows, so what was read once stays true: each use reads what came after it and goes
on from there. That makes a command in a long conversation as quick as in a short one. Nothing here is
written anywhere, and everything may be forgotten at any moment.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock, RLock
from uuid import UUID

from backend.application.erased import erased_conversation, erased_only_for
from backend.application.ports import EventStore
from backend.domain.conversation import Conversation
from backend.domain.errors import UnknownConversation
from backend.domain.events import ConversationErased, ConversationStarted, ForkOrigin
from backend.domain.model_call import ModelCall
from backend.prompting.prefixes import BranchPrompts

KEPT_BYTES = 32 * 1024 * 1024
KEPT_CONVERSATIONS = 256
"""How much is kept in memory, of the conversations used last."""
KEPT_CALLS = 1024
"""How many calls that have ended are kept in memory, of those used last. They are small: a call's text is its reply's."""


@dataclass(frozen=True)
class Loaded:
    """A conversation of one's own to change, and its messages for prompts, shared with others."""

    conversation: Conversation
    prompts: BranchPrompts


@dataclass
class _Kept:
    """What is known of one conversation. `seen` is never changed in place, since others copy it."""

    lock: RLock = field(default_factory=RLock)
    seen: Conversation | None = None
    prompts: BranchPrompts = field(default_factory=BranchPrompts)


class Conversations:
    """The conversations of one process. Safe to share between threads."""

    def __init__(self, store: EventStore, kept_bytes: int = KEPT_BYTES) -> None:
        self._store = store
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()
        self._ended_calls: OrderedDict[UUID, ModelCall] = OrderedDict()
        self._lock = Lock()

    def load(self, conversation_id: UUID) -> Loaded:
        """The conversation as of now. Raises UnknownConversation, ConversationIsErased."""
        # A chain of forks may be longer than calls can be nested, and larger than what may be kept.
        for source_id in self._sources_to_read(conversation_id):
            self._load(source_id)
            self._make_room(source_id)
        loaded = self._load(conversation_id)
        self._make_room(conversation_id)
        return loaded

    def load_own(self, conversation_id: UUID, owner_id: UUID) -> Loaded:
        """As `load`; somebody else's is as unknown as one that does not exist."""
        with erased_only_for(owner_id, conversation_id):
            loaded = self.load(conversation_id)
        if loaded.conversation.owner_id != owner_id:
            raise UnknownConversation(conversation_id)
        return loaded

    def prompts_of(self, conversation_id: UUID, version: int) -> BranchPrompts:
        """The conversation's messages for prompts, at least up to a version. Raises UnknownConversation."""
        with self._lock:
            kept = self._kept.get(conversation_id)
        if kept is not None:
            with kept.lock:
                if kept.seen is not None and kept.seen.version >= version:
                    return kept.prompts
        return self.load(conversation_id).prompts

    def call(self, call_id: UUID) -> ModelCall:
        """A call as of now, for reading only. Raises UnknownModelCall."""
        with self._lock:
            ended = self._ended_calls.get(call_id)
            if ended is not None:
                self._ended_calls.move_to_end(call_id)
                return ended
        call = self._store.read_call(call_id)
        # Then nothing about it will change. What a client sent may be large, and is no use to others.
        if call.is_final and call.prompt_request.raw_body is None:
            with self._lock:
                self._ended_calls[call_id] = call
                if len(self._ended_calls) > KEPT_CALLS:
                    self._ended_calls.popitem(last=False)
        return call

    def _load(self, conversation_id: UUID) -> Loaded:
        kept = self._entry(conversation_id)
        try:
            with kept.lock:
                seen = self._up_to_date(conversation_id, kept)
                return Loaded(seen.copy(), kept.prompts)
        except UnknownConversation:
            self._forget(conversation_id)
            raise

    def _up_to_date(self, conversation_id: UUID, kept: _Kept) -> Conversation:
        version = 0 if kept.seen is None else kept.seen.version
        events = self._store.read_events(conversation_id, after_version=version)
        if kept.seen is not None and not events:
            return kept.seen
        if events and isinstance(events[-1], ConversationErased):
            raise erased_conversation(conversation_id, events)
        if kept.seen is None:
            first = events[0] if events else None
            if not isinstance(first, ConversationStarted):
                raise UnknownConversation(conversation_id)
            source = None if first.forked_from is None else self._source(first.forked_from, kept)
            seen = Conversation.from_events(events, source)
            if seen is None:
                raise UnknownConversation(conversation_id)
        else:
            seen = kept.seen.copy()
            for event in events:
                event.mutate(seen)
        kept.prompts.take(events)
        kept.seen = seen
        return seen

    def _sources_to_read(self, conversation_id: UUID) -> list[UUID]:
        """The conversations from which this one goes on and of which nothing is kept, the first one first."""
        found: list[UUID] = []
        next_id: UUID | None = conversation_id
        while next_id is not None and not self._is_kept(next_id):
            found.append(next_id)
            next_id = self._source_id(next_id)
        return found[:0:-1]

    def _is_kept(self, conversation_id: UUID) -> bool:
        with self._lock:
            kept = self._kept.get(conversation_id)
        return kept is not None and kept.seen is not None

    def _source_id(self, conversation_id: UUID) -> UUID | None:
        first = self._store.read_stream(conversation_id, after_version=0, limit=1)
        origin = first[0].payload.get("forked_from") if first else None
        return None if origin is None else UUID(origin["conversation_id"])

    def _source(self, origin: ForkOrigin, kept: _Kept) -> Conversation:
        source = self._load(origin.conversation_id)
        kept.prompts = BranchPrompts.forked(source.prompts, origin)
        return source.conversation

    def _entry(self, conversation_id: UUID) -> _Kept:
        with self._lock:
            return self._kept.setdefault(conversation_id, _Kept())

    def _forget(self, conversation_id: UUID) -> None:
        with self._lock:
            self._kept.pop(conversation_id, None)

    def _make_room(self, used: UUID) -> None:
        """Forget the conversations that were not used for longest; whoever still uses one keeps its own.

        used: the one in use now. A fork counts as used after its source, which it needs only once.
        """
        with self._lock:
            if used in self._kept:
                self._kept.move_to_end(used)
            total = sum(kept.prompts.size for kept in self._kept.values())
            while total > self._kept_bytes or len(self._kept) > KEPT_CONVERSATIONS:
                if len(self._kept) == 1:
                    break
                _, oldest = self._kept.popitem(last=False)
                total -= oldest.prompts.size
