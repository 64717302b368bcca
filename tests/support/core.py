"""The heart with a store of the test's choice: commands in, answers out, and what lies in the store.

    core = Core(InMemoryEventStore())
    sent = core.send(core.start(), "Hi")

Works without Django. Claims are made as the workers' queue makes them, by the store's own means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from backend.application.conversations import Conversations
from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.history import load_conversation, rebuild_prompt
from backend.application.ports import (
    Answer,
    EventStore,
    IdempotencyKey,
    Ids,
    InstallationDefaults,
    ModelKnowledge,
    NothingKnown,
    OneRunner,
)
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.conversation import SELECTED_LEAF, Conversation, SelectedLeaf
from backend.domain.errors import DomainError
from backend.domain.model_call import AttemptResult
from backend.domain.prompt_request import PromptRequest
from backend.event_store.memory import InMemoryEventStore
from tests.support.facts import CORRELATION, OWNER, CountedIds, TickingClock
from tests.support.histories import MODEL, SYSTEM

"""Imported so that the workers' commands have their handlers."""

WORKER = "worker-1"

ClaimOf = Callable[[UUID, str], int]


@dataclass(frozen=True)
class Sent:
    """A reply that was asked for. message_id: the user's message, or None where a reply was done again."""

    conversation_id: UUID
    message_id: UUID | None
    reply_id: UUID
    call_id: UUID


class Core:
    """One person and one worker in front of a store.

    claim: how a worker claims a queued call; needed only for commands of workers.
    conversations: what is kept from one command to the next, None for nothing.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        owner_id: UUID = OWNER,
        claim: ClaimOf | None = None,
        model: str = MODEL,
        ids: Ids | None = None,
        conversations: Conversations | None = None,
        models: ModelKnowledge | None = None,
        continues_replies: bool = True,
        titles: bool = False,
    ) -> None:
        self.store = store
        self.owner_id = owner_id
        self.pauses: list[int] = []
        self._claim = claim if claim is not None else getattr(store, "claim", None)
        defaults = InstallationDefaults("New conversation", SYSTEM, model)
        self._services = Services(
            store,
            TickingClock(),
            ids or CountedIds(),
            self._pause,
            defaults,
            models=models or NothingKnown(),
            runners=OneRunner(continues_replies=continues_replies),
            titles=titles,
            conversations=conversations,
        )

    def _pause(self, attempt: int) -> None:
        self.pauses.append(attempt)

    # ---- commands ---------------------------------------------------------------------------

    def run(
        self, command: c.Command, *, key: IdempotencyKey | None = None, actor: str | None = None
    ) -> Answer:
        handling = Handling(
            self._services, actor or f"user:{self.owner_id}", CORRELATION, causation_id=None, idempotency=key
        )
        return handle(command, handling)

    def start(self, **fields: Any) -> UUID:
        return UUID(self.run(c.StartConversation(self.owner_id, **fields)).body["id"])

    def send(
        self,
        conversation_id: UUID,
        content: str = "Hi",
        parent_id: UUID | SelectedLeaf | None = SELECTED_LEAF,
        **fields: Any,
    ) -> Sent:
        command = c.SendUserMessage(self.owner_id, conversation_id, content, parent_id, **fields)
        return sent_of(conversation_id, self.run(command))

    def regenerate(self, conversation_id: UUID, message_id: UUID, **fields: Any) -> Sent:
        command = c.RegenerateReply(self.owner_id, conversation_id, message_id, **fields)
        return sent_of(conversation_id, self.run(command))

    def edit(self, conversation_id: UUID, message_id: UUID, content: str, **fields: Any) -> Sent:
        command = c.EditUserMessage(self.owner_id, conversation_id, message_id, content, **fields)
        return sent_of(conversation_id, self.run(command))

    def continue_reply(self, conversation_id: UUID, message_id: UUID, **fields: Any) -> Sent:
        command = c.ContinueReply(self.owner_id, conversation_id, message_id, **fields)
        return sent_of(conversation_id, self.run(command))

    def fork(self, conversation_id: UUID, message_id: UUID, **fields: Any) -> UUID:
        command = c.ForkConversation(self.owner_id, conversation_id, message_id, **fields)
        return UUID(self.run(command).body["id"])

    def select(self, conversation_id: UUID, leaf_id: UUID, **fields: Any) -> Answer:
        return self.run(c.SelectBranch(self.owner_id, conversation_id, leaf_id, **fields))

    def hide(self, conversation_id: UUID, leaf_id: UUID, **fields: Any) -> Answer:
        return self.run(c.HideBranch(self.owner_id, conversation_id, leaf_id, **fields))

    def show(self, conversation_id: UUID, leaf_id: UUID, **fields: Any) -> Answer:
        return self.run(c.ShowBranch(self.owner_id, conversation_id, leaf_id, **fields))

    def replay(self, conversation_id: UUID, **fields: Any) -> UUID:
        """Another model is asked where the fields name nothing that differs."""
        if not fields.keys() & {"model", "params", "system_prompt"}:
            fields["model"] = "another-model"
        command = c.StartReplay(self.owner_id, conversation_id, **fields)
        return UUID(self.run(command).body["replay_id"])

    def cancel_replay(self, conversation_id: UUID, replay_id: UUID) -> Answer:
        return self.run(c.CancelReplay(self.owner_id, conversation_id, replay_id))

    def resume(self, conversation_id: UUID, replay_id: UUID) -> Answer:
        return self.run(c.ResumeReplay(self.owner_id, conversation_id, replay_id))

    def change(self, conversation_id: UUID, **fields: Any) -> Answer:
        return self.run(c.ChangeConversation(self.owner_id, conversation_id, **fields))

    def delete(self, conversation_id: UUID) -> Answer:
        return self.run(c.DeleteConversation(self.owner_id, conversation_id))

    def restore(self, conversation_id: UUID) -> Answer:
        return self.run(c.RestoreConversation(self.owner_id, conversation_id))

    def cancel(self, call_id: UUID) -> Answer:
        return self.run(c.CancelModelCall(self.owner_id, call_id))

    # ---- what a worker does -----------------------------------------------------------------

    def claim(self, call_id: UUID, worker: str = WORKER) -> int:
        assert self._claim is not None, "this store was given no way to claim calls"
        return self._claim(call_id, worker)

    def begin(self, call_id: UUID, claim: int, worker: str = WORKER) -> int:
        command = c.StartModelCallAttempt(call_id, "built-in", "1.0", worker, claim)
        return int(self.run(command, actor=f"model-calls:{worker}").body["attempt"])

    def record(
        self,
        call_id: UUID,
        claim: int,
        content: str = "Hello",
        outcome: str = outcomes.COMPLETE,
        *,
        attempt: int = 1,
        final: bool = True,
        worker: str = WORKER,
        error: e.ReplyError | None = None,
        prompt_tokens: int | None = None,
    ) -> Answer:
        finish_reason = {outcomes.COMPLETE: "stop", outcomes.TRUNCATED: "length"}.get(outcome)
        usage = None if prompt_tokens is None else e.TokenUsage(prompt_tokens, 1)
        result = AttemptResult(attempt, outcome, final=final, finish_reason=finish_reason, usage=usage)
        command = c.RecordModelCallResult(call_id, result, content, "", (), error, worker, claim)
        return self.run(command, actor=f"model-calls:{worker}")

    def answer(
        self, sent: Sent | UUID, content: str = "Hello", outcome: str = outcomes.COMPLETE, **fields: Any
    ) -> Answer:
        """Claim, begin and record a call in one go."""
        call_id = sent if isinstance(sent, UUID) else sent.call_id
        claim = self.claim(call_id)
        self.begin(call_id, claim)
        return self.record(call_id, claim, content, outcome, **fields)

    def turn(self, conversation_id: UUID, content: str = "Hi", reply: str = "Hello", **fields: Any) -> Sent:
        """A message and its whole reply."""
        sent = self.send(conversation_id, content, **fields)
        self.answer(sent, reply)
        return sent

    def advance(self, conversation_id: UUID, replay_id: UUID) -> str | None:
        """Ask for the step of a replay that is due; returns which one was taken."""
        command = c.AdvanceReplay(conversation_id, replay_id)
        step: str | None = self.run(command, actor=f"model-calls:{WORKER}").body["step"]
        return step

    # ---- what lies in the store -------------------------------------------------------------

    def conversation(self, conversation_id: UUID) -> Conversation:
        """The conversation as its events, read anew, tell it."""
        return load_conversation(self.store, conversation_id)[0]

    def events(self, stream_id: UUID) -> list[e.VerbatimEvent]:
        return list(self.store.read_events(stream_id))

    def topics(self, stream_id: UUID) -> list[str]:
        """The stream's topics without their versions, oldest first."""
        return [row.topic.partition(".v")[0] for row in self.store.read_stream(stream_id, 0, 1000)]

    def payloads(self, stream_id: UUID, topic: str) -> list[dict[str, Any]]:
        rows = self.store.read_stream(stream_id, 0, 1000)
        return [dict(row.payload) for row in rows if row.topic.partition(".")[0] == topic]

    def request_of(self, call_id: UUID) -> PromptRequest:
        return self.store.read_call(call_id).prompt_request

    def prompt_of(self, call_id: UUID) -> list[tuple[str, str]]:
        """The messages of a call's rebuilt prompt, which must be the one that was recorded."""
        rebuilt = rebuild_prompt(self.store, self.store.read_call(call_id))
        assert rebuilt.identical, f"call {call_id} is rebuilt to other bytes than were recorded"
        return [(message["role"], message["content"]) for message in rebuilt.prompt.messages]


def sent_of(conversation_id: UUID, answer: Answer) -> Sent:
    body = answer.body
    sent_id = body.get("message_id")
    return Sent(
        conversation_id,
        None if sent_id is None else UUID(sent_id),
        UUID(body["reply_id"]),
        UUID(body["call_id"]),
    )


def message_of(sent: Sent) -> UUID:
    """The user's message that was sent, where one was."""
    assert sent.message_id is not None
    return sent.message_id


def refused(act: Callable[[], object], kind: type[DomainError], store: InMemoryEventStore) -> DomainError:
    """The refusal that a command must end in, having stored nothing."""
    end = store.end()
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    assert store.end() == end
    return caught.value
