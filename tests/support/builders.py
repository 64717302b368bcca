"""Deterministic collaborators and short ways to a conversation in a known state, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.ports import (
    Answer,
    EventStore,
    IdempotencyKey,
    InstallationDefaults,
    OneRunner,
    RunnerDirectory,
)
from backend.domain import commands as c
from backend.domain.conversation import Conversation
from backend.domain.conversation_changes import Settings
from backend.domain.envelope import Envelope
from backend.domain.events import TokenUsage
from backend.domain.model_call import AttemptResult, ModelCall
from backend.event_store.memory import InMemoryEventStore

NAMESPACE = UUID("6f3c1a52-0d5e-4e0b-9f4b-6d0f3f1a7c11")
BEGINNING = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
OWNER = uuid5(NAMESPACE, "owner")
STRANGER = uuid5(NAMESPACE, "stranger")
DEFAULTS = InstallationDefaults("New conversation", "You are a helpful assistant.", "scripted-model")


class SteppingClock:
    """A millisecond later each time it is asked."""

    def __init__(self) -> None:
        self._now = BEGINNING

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


class CountingIds:
    """The same ids in the same order in every run."""

    def __init__(self, name: str = "ids") -> None:
        self._name, self._count = name, 0

    def new(self) -> UUID:
        self._count += 1
        return uuid5(NAMESPACE, f"{self._name}-{self._count}")


class Stamps:
    """Envelopes for events triggered directly on an aggregate."""

    def __init__(self, name: str = "stamps") -> None:
        self._ids, self._clock = CountingIds(name), SteppingClock()

    def __call__(self) -> Envelope:
        return Envelope(
            event_id=self._ids.new(),
            at=self._clock.now(),
            actor=f"user:{OWNER}",
            correlation_id=uuid5(NAMESPACE, "correlation"),
        )


def make_id(name: str) -> UUID:
    """An id that is the same in every run."""
    return uuid5(NAMESPACE, name)


def started_conversation(stamp: Stamps | None = None, **settings: Any) -> Conversation:
    """A conversation as it stands right after its start, with nothing pending."""
    conversation = Conversation.start(
        conversation_id=make_id("conversation"),
        owner_id=OWNER,
        title="A title",
        settings=Settings(**{"system_prompt": "Be brief.", "model": "a-model", "params": {}, **settings}),
        stamp=stamp or Stamps(),
    )
    conversation.collect_events()
    return conversation


def names_of(events: Sequence[object]) -> list[str]:
    return [type(event).__name__ for event in events]


def finished(attempt: int = 1, **fields: Any) -> AttemptResult:
    """An attempt that went well."""
    return AttemptResult(
        **{
            "attempt": attempt,
            "outcome": "complete",
            "duration_ms": 120,
            "first_token_ms": 30,
            "chunk_count": 3,
            "usage": TokenUsage(11, 7),
            "usage_source": "runner",
            "finish_reason": "stop",
            "delivered_characters": 12,
            **fields,
        }
    )


@dataclass
class World:
    """Handlers over a store, with deterministic clock and ids. `asked_to_pause` counts conflicts met."""

    store: Any = field(default_factory=InMemoryEventStore)
    asked_to_pause: int = 0
    ids: CountingIds = field(default_factory=CountingIds)
    clock: SteppingClock = field(default_factory=SteppingClock)
    defaults: InstallationDefaults = DEFAULTS
    runners: RunnerDirectory = field(default_factory=OneRunner)
    titles: bool = False

    def _pause(self, attempt: int) -> None:
        self.asked_to_pause += 1

    def run(
        self,
        command: c.Command,
        *,
        actor: str | None = None,
        key: IdempotencyKey | None = None,
        store: EventStore | None = None,
    ) -> Answer:
        services = Services(
            store or self.store,
            self.clock,
            self.ids,
            self._pause,
            self.defaults,
            runners=self.runners,
            titles=self.titles,
        )
        handling = Handling(services, actor or f"user:{OWNER}", self.ids.new(), idempotency=key)
        return handle(command, handling)

    # ---- short ways -------------------------------------------------------------------------

    def start(self, **fields: Any) -> UUID:
        return UUID(self.run(c.StartConversation(OWNER, **fields)).body["id"])

    def send(self, conversation_id: UUID, content: str = "Hello", **fields: Any) -> Sent:
        return Sent.of(self.run(c.SendUserMessage(OWNER, conversation_id, content, **fields)))

    def claim(self, call_id: UUID, worker: str = "worker-1") -> int:
        number: int = self.store.claim(call_id, worker)
        return number

    def begin(self, call_id: UUID, worker: str = "worker-1") -> int:
        """Claim a call and start its attempt; returns the claim."""
        claim = self.claim(call_id, worker)
        self.run(
            c.StartModelCallAttempt(call_id, "a runner", None, worker, claim), actor=f"model-calls:{worker}"
        )
        return claim

    def record(
        self, call_id: UUID, claim: int, text: str = "Hi.", worker: str = "worker-1", **fields: Any
    ) -> Answer:
        """Record the end of a call's attempt with its reply."""
        result = finished(**fields)
        command = c.RecordModelCallResult(call_id, result, text, "", (), None, worker, claim)
        return self.run(command, actor=f"model-calls:{worker}")

    def turn(self, conversation_id: UUID, content: str = "Hello", reply: str = "Hi.", **fields: Any) -> Sent:
        """A message and its whole reply."""
        sent = self.send(conversation_id, content, **fields)
        self.record(sent.call_id, self.begin(sent.call_id), reply)
        return sent

    def conversation(self, conversation_id: UUID) -> Conversation:
        history = self.store.read_history(conversation_id)
        conversation = Conversation.from_events(history[-1].events)
        assert conversation is not None
        return conversation

    def call(self, call_id: UUID) -> ModelCall:
        call: ModelCall = self.store.read_call(call_id)
        return call


@dataclass(frozen=True)
class Sent:
    """The ids that a sent message was answered with."""

    message_id: UUID | None
    reply_id: UUID
    call_id: UUID
    version: int

    @classmethod
    def of(cls, answer: Answer) -> Sent:
        body = answer.body
        message_id = UUID(body["message_id"]) if "message_id" in body else None
        return cls(message_id, UUID(body["reply_id"]), UUID(body["call_id"]), body["version"])
