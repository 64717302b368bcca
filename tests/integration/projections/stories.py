"""Long random histories, made by the real handlers, and the rows that read models made of them.

A story is told to any event store, by seed: the same seed tells the same story.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from django.db import transaction

from backend.application.conversations import Conversations
from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.ports import EventStore, InstallationDefaults, RecordedEvent
from backend.domain import commands as c
from backend.domain.conversation import SELECTED_LEAF, Conversation
from backend.domain.errors import DomainError
from backend.domain.events import CallError, ReplyError, TokenUsage
from backend.domain.model_call import AttemptResult
from backend.domain.titles import UNTITLED
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.memory import InMemoryEventStore
from backend.event_store.subscription import EventReader
from projections.projector import Projector
from projections.registry import PROJECTORS
from tests.support.programs import body_of_a_program, outside_command

WORKER = "worker-1"
Rows = dict[str, list[dict[str, Any]]]


class TightModels:
    """Models of which one has so little context that earlier messages are left out before long."""

    def context_tokens(self, runner: str, model: str) -> int | None:
        return 400 if model == "tight" else None

    def known_models(self) -> frozenset[str] | None:
        return frozenset({"small", "big", "tight"})


@dataclass
class Story:
    """Tells random commands to a store, refused ones among them."""

    store: EventStore
    seed: int
    claim: Callable[[UUID], int] = lambda call_id: 1
    began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=5))
    conversations: list[tuple[UUID, UUID]] = field(default_factory=list)
    calls: list[tuple[UUID, UUID]] = field(default_factory=list)
    replays: list[tuple[UUID, UUID, UUID]] = field(default_factory=list)
    claims: dict[UUID, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.owners = [self.new(), self.new()]
        self.auditor = uuid5(self.owners[0], "auditor")
        self._moments = 0
        self.services = Services(
            store=self.store,
            clock=self,
            ids=self,
            pause=lambda attempt: None,
            defaults=InstallationDefaults(title=UNTITLED, system_prompt="Be kind.", model="small"),
            models=TightModels(),
            conversations=Conversations(self.store),
            titles=True,
        )

    def now(self) -> datetime:
        self._moments += 1
        return self.began + timedelta(milliseconds=self._moments)

    def new(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def run(self, command: c.Command, actor: str = "user:somebody") -> dict[str, Any]:
        handling = Handling(services=self.services, actor=actor, correlation_id=self.new())
        return dict(handle(command, handling).body)

    def tell(self, steps: int) -> None:
        """Send `steps` commands; those that the domain refuses are part of the story."""
        for step in range(steps):
            try:
                if step % 40 == 39 and self.calls:
                    self.look()
                self._step()
            except DomainError:
                continue

    def start(self, owner_id: UUID | None = None, title: str | None = None) -> UUID:
        owner = owner_id or self.random.choice(self.owners)
        title = title or self.random.choice([None, self._text()])
        conversation_id = UUID(self.run(c.StartConversation(owner_id=owner, title=title))["id"])
        self.conversations.append((conversation_id, owner))
        return conversation_id

    def look(self) -> UUID:
        """An auditor looks at a call's prompt; the call's id."""
        call_id, owner_id = self.random.choice(self.calls)
        conversation_id = self.store.read_call(call_id).conversation_id
        self.run(c.RecordAuditRead(self.auditor, owner_id, "prompt", conversation_id, call_id))
        return call_id

    def run_start(self) -> dict[str, Any]:
        """Start a conversation of the first owner; the command's whole answer."""
        return self.run(c.StartConversation(owner_id=self.owners[0]))

    def rename(self, conversation_id: UUID, owner_id: UUID, title: str) -> dict[str, Any]:
        return self.run(c.ChangeConversation(owner_id, conversation_id, title=title))

    def send(self, conversation_id: UUID, owner_id: UUID, content: str, **fields: Any) -> dict[str, Any]:
        answer = self.run(c.SendUserMessage(owner_id, conversation_id, content, **fields))
        self.calls.append((UUID(answer["call_id"]), owner_id))
        return answer

    def fork(self, conversation_id: UUID, owner_id: UUID, message_id: UUID) -> UUID:
        answer = self.run(c.ForkConversation(owner_id, conversation_id, message_id))
        self.conversations.append((UUID(answer["id"]), owner_id))
        return UUID(answer["id"])

    def replay(self, conversation_id: UUID, owner_id: UUID, **fields: Any) -> UUID:
        answer = self.run(c.StartReplay(owner_id, conversation_id, **fields))
        self.replays.append((UUID(answer["replay_id"]), conversation_id, owner_id))
        return UUID(answer["replay_id"])

    def advance(self, replay_id: UUID) -> UUID | None:
        """Take the step of a replay that is due; the call that it made, None where it made none."""
        conversation_id, owner_id = self._replay_place(replay_id)
        if self.run(c.AdvanceReplay(conversation_id, replay_id), actor="model-calls:w")["step"] != "send":
            return None
        conversation = self.conversation(conversation_id)
        reply_id = conversation.replay(replay_id).reply_id
        assert reply_id is not None
        call_id = conversation.node(reply_id).call_id
        assert call_id is not None
        self.calls.append((call_id, owner_id))
        return call_id

    def resume(self, replay_id: UUID) -> UUID | None:
        """Ask again for the reply at which a replay stopped; its call, None where a turn is still to be sent."""
        conversation_id, owner_id = self._replay_place(replay_id)
        answer = self.run(c.ResumeReplay(owner_id, conversation_id, replay_id))
        if answer["call_id"] is None:
            return None
        self.calls.append((UUID(answer["call_id"]), owner_id))
        return UUID(answer["call_id"])

    def conversation(self, conversation_id: UUID) -> Conversation:
        return Conversations(self.store).load(conversation_id).conversation

    def _replay_place(self, replay_id: UUID) -> tuple[UUID, UUID]:
        return next(
            (conversation, owner) for known, conversation, owner in self.replays if known == replay_id
        )

    def answer(self, call_id: UUID, content: str, *, outcome: str = "complete") -> dict[str, Any]:
        """What a worker records of one call that goes its whole way."""
        self.begin(call_id)
        return self.end(call_id, content, outcome=outcome)

    def begin(self, call_id: UUID) -> None:
        claim = self._claim_of(call_id)
        self.run(c.StartModelCallAttempt(call_id, "scripted", "1.0", WORKER, claim), actor="model-calls:w")

    def end(self, call_id: UUID, content: str, *, outcome: str, final: bool = True) -> dict[str, Any]:
        failed = outcome in ("failed", "interrupted")
        result = AttemptResult(
            attempt=self.store.read_call(call_id).open_attempt or 0,
            outcome=outcome,
            final=final,
            duration_ms=self.random.randrange(10_000),
            first_token_ms=self.random.choice([None, 12]),
            chunk_count=len(content),
            usage=None if failed else TokenUsage(self.random.randrange(500), len(content)),
            usage_source="none" if failed else "runner",
            finish_reason={"complete": "stop", "truncated": "length"}.get(outcome),
            response_model="small\x00",
            error=CallError("stream_cut", "The line\x00 broke.", 502) if failed else None,
            delivered_characters=len(content),
        )
        error = ReplyError("stream_cut", "It\x00 broke.") if failed else None
        claim = self._claim_of(call_id)
        again_after_s = None if final else 0.0
        command = c.RecordModelCallResult(
            call_id, result, content, "Hm.\x00", ({"id": "\x00"},), error, WORKER, claim, again_after_s
        )
        answer = self.run(command, actor="model-calls:w")
        if not final:
            del self.claims[call_id]
        self._answer_title_of(call_id)
        return answer

    def _answer_title_of(self, call_id: UUID) -> None:
        """The first reply of a conversation without a title asks for one; sometimes that is answered at once."""
        call = self.store.read_call(call_id)
        if call.reply_id is None or call.conversation_id is None:
            return
        title_call_id = self.conversation(call.conversation_id).title_call_id
        if title_call_id is None or self.store.read_call(title_call_id).attempts_started:
            return
        self.calls.append((title_call_id, call.owner_id))
        if self.random.random() < 0.7:
            self.begin(title_call_id)
            self.end(title_call_id, f"Title: {self._text()}\x00", outcome="complete")

    def _claim_of(self, call_id: UUID) -> int:
        if call_id not in self.claims:
            self.claims[call_id] = self.claim(call_id)
        return self.claims[call_id]

    def _step(self) -> None:
        if not self.conversations or self.random.random() < 0.03:
            self.start()
            return
        conversation_id, owner = self.random.choice(self.conversations)
        choose = self.random.random()
        if choose < 0.3:
            self._send_somewhere(conversation_id, owner)
        elif choose < 0.4:
            self._write_beside_or_below(conversation_id, owner)
        elif choose < 0.5:
            self.run(self._change(conversation_id, owner))
        elif choose < 0.52:
            self.run(c.DeleteConversation(owner, conversation_id))
        elif choose < 0.57:
            self.run(c.RestoreConversation(owner, conversation_id))
        elif choose < 0.65:
            self._move_a_branch(conversation_id, owner)
        elif choose < 0.67:
            self.fork(conversation_id, owner, self._some_message(conversation_id))
        elif choose < 0.69:
            model = self.random.choice(["small", "big"])
            self.replay(conversation_id, owner, model=model, leaf_id=self._some_message(conversation_id))
        elif choose < 0.75 and self.replays:
            self._move_a_replay()
        elif choose < 0.78:
            self._ask_as_a_program(conversation_id, owner)
        elif self.calls:
            self._move_a_call()

    def _send_somewhere(self, conversation_id: UUID, owner: UUID) -> None:
        parent: Any = self.random.choice([SELECTED_LEAF, SELECTED_LEAF, None, "some"])
        if parent == "some":
            parent = self._some_message(conversation_id)
        self.send(
            conversation_id,
            owner,
            self._text() * self.random.choice([1, 1, 1, 40]),
            parent_id=parent,
            model=self.random.choice([None, "big", "tight"]),
        )

    def _ask_as_a_program(self, conversation_id: UUID, owner: UUID) -> None:
        joins = (c.JoinAt(conversation_id, self._some_message(conversation_id), 1),)
        body = body_of_a_program([self._text() for _ in range(3)])
        command = replace(outside_command(owner, body, joins, at_once=False), call_id=self.new())
        self.run(command)
        self.calls.append((command.call_id, owner))

    def _write_beside_or_below(self, conversation_id: UUID, owner: UUID) -> None:
        message_id = self._some_message(conversation_id)
        commands: list[c.Command] = [
            c.RegenerateReply(owner, conversation_id, message_id),
            c.EditUserMessage(owner, conversation_id, message_id, self._text()),
            c.ContinueReply(owner, conversation_id, message_id),
        ]
        answer = self.run(self.random.choice(commands))
        self.calls.append((UUID(answer["call_id"]), owner))

    def _move_a_branch(self, conversation_id: UUID, owner: UUID) -> None:
        nodes = self.conversation(conversation_id).nodes
        hidden = [leaf_id for leaf_id in nodes if nodes.is_hidden(leaf_id)]
        message_id = self._some_message(conversation_id)
        commands: list[c.Command] = [
            c.SelectBranch(owner, conversation_id, message_id),
            c.HideBranch(owner, conversation_id, message_id),
            c.ShowBranch(owner, conversation_id, self.random.choice(hidden or [message_id])),
        ]
        self.run(self.random.choice(commands))

    def _move_a_replay(self) -> None:
        replay_id, conversation_id, owner = self.random.choice(self.replays[-4:])
        choose = self.random.random()
        if choose < 0.1:
            self.run(c.CancelReplay(owner, conversation_id, replay_id))
        elif choose < 0.3:
            self.resume(replay_id)
        else:
            call_id = self.advance(replay_id)
            if call_id is not None and self.random.random() < 0.7:
                outcome = self.random.choice(["complete", "truncated", "failed"])
                self.answer(call_id, self._text(), outcome=outcome)

    def _some_message(self, conversation_id: UUID) -> UUID:
        found: UUID = self.random.choice([*self.conversation(conversation_id).nodes, self.new()])
        return found

    def _change(self, conversation_id: UUID, owner: UUID) -> c.ChangeConversation:
        fields: dict[str, Any] = self.random.choice(
            [
                {"title": self._text()},
                {"pinned": self.random.random() < 0.5},
                {"archived": self.random.random() < 0.5},
                {"system_prompt": self._text()},
                {
                    "model": self.random.choice(["small", "big", "tight"]),
                    "params": {"temperature": 0.5, "stop": ["x"]},
                },
                {"title": self._text(), "pinned": True, "archived": True},
            ]
        )
        return c.ChangeConversation(owner, conversation_id, **fields)

    def _move_a_call(self) -> None:
        call_id, owner = self.random.choice(self.calls[-8:])
        choose = self.random.random()
        if choose < 0.1:
            self.run(c.CancelModelCall(owner, call_id), actor=f"user:{owner}")
        elif choose < 0.5:
            self.begin(call_id)
        else:
            outcome = self.random.choice(
                ["complete", "complete", "truncated", "cancelled", "interrupted", "failed"]
            )
            final = outcome != "failed" or self.random.random() < 0.5
            self.end(call_id, self._text() + "\x00", outcome=outcome, final=final)

    def _text(self) -> str:
        words = ["Ostsee", "naïve", "東京", "🙂", "a\nb", "<b>", "'; --", "%s", "\\x"]
        return " ".join(self.random.choice(words) for _ in range(self.random.randrange(1, 6)))


def in_memory(seed: int) -> tuple[InMemoryEventStore, Story]:
    """An empty store in memory, and a story for it."""
    store = InMemoryEventStore()

    def claim(call_id: UUID) -> int:
        return store.claim(call_id, WORKER) if call_id in store.queue else 0

    return store, Story(store, seed, claim=claim)


def told_in_memory(seed: int, steps: int) -> list[RecordedEvent]:
    """The events of a story, as a store would give them out."""
    store, story = in_memory(seed)
    story.tell(steps)
    return store.read_after(0, store.end())


def put(events: Sequence[RecordedEvent], database_url: str) -> int:
    """Copy events into a real store in one commit, as an append would; returns the highest position."""
    mapper = VerbatimMapper()
    stored = [mapper.to_stored_event(recorded.event) for recorded in events]
    with psycopg.connect(database_url) as connection:
        for event in stored:
            connection.execute(
                "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)",
                (event.originator_id, event.originator_version, event.topic, event.state),
            )
        connection.execute("NOTIFY events")
    return all_events(database_url)[-1].position


def all_events(database_url: str) -> list[RecordedEvent]:
    reader = EventReader(database_url)
    try:
        return reader.read_after(0, 100_000)
    finally:
        reader.close()


def apply(projector: type[Projector], events: Sequence[RecordedEvent]) -> None:
    """One batch into a read model's tables, without a worker."""
    with transaction.atomic():
        projector(datetime.now(UTC)).apply(events)


def empty(projector: type[Projector]) -> None:
    for table in projector.tables:
        table._default_manager.all().delete()


def rows_of(projector: type[Projector]) -> Rows:
    """Everything a read model keeps."""
    return {
        table.__name__: list(table._default_manager.order_by("pk").values()) for table in projector.tables
    }


def present_rows() -> dict[str, Rows]:
    """Everything that all read models keep."""
    return {projector.name: rows_of(projector) for projector in PROJECTORS}


def rows_from_scratch(database_url: str) -> dict[str, Rows]:
    """What the tables must be, from all events at once. Replaces their content."""
    events = all_events(database_url)
    for projector in PROJECTORS:
        empty(projector)
        apply(projector, events)
    return present_rows()
