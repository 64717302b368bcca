"""One person's conversation told step by step, for tests that say what a branch looks like."""

from __future__ import annotations

from uuid import UUID

from backend.domain import commands as c
from backend.event_store.memory import InMemoryEventStore
from projections.registry import PROJECTORS
from tests.integration.projections.stories import Story, apply, in_memory


class Talk:
    """One conversation of one person, told step by step."""

    def __init__(self, *, beside: Talk | None = None, conversation_id: UUID | None = None) -> None:
        """beside: another conversation of the person whose this is, in whose store it already is."""
        self.store: InMemoryEventStore
        self.story: Story
        self.store, self.story = in_memory(seed=1) if beside is None else (beside.store, beside.story)
        self.id = conversation_id or self.story.start()
        self.owner: UUID = self.story.conversations[0][1] if beside is None else beside.owner

    def say(self, content: str, **fields: object) -> UUID:
        return UUID(self.story.send(self.id, self.owner, content, **fields)["message_id"])

    def reply(self, content: str, outcome: str = "complete") -> UUID:
        call_id = self.story.calls[-1][0]
        self.story.answer(call_id, content, outcome=outcome)
        reply_id = self.store.read_call(call_id).reply_id
        assert reply_id is not None
        return reply_id

    def again(self, message_id: UUID) -> None:
        answer = self.story.run(c.RegenerateReply(self.owner, self.id, message_id))
        self.story.calls.append((UUID(answer["call_id"]), self.owner))

    def project(self) -> None:
        for projector in PROJECTORS:
            apply(projector, self.store.read_after(0, self.store.end()))

    def change(self, **fields: object) -> None:
        self.story.run(c.ChangeConversation(self.owner, self.id, **fields))  # type: ignore[arg-type]

    def go_on(self, reply_id: UUID, content: str, outcome: str = "complete") -> UUID:
        """The reply that continues another one."""
        answer = self.story.run(c.ContinueReply(self.owner, self.id, reply_id))
        self.story.calls.append((UUID(answer["call_id"]), self.owner))
        return self.reply(content, outcome)

    def hide(self, message_id: UUID) -> None:
        self.story.run(c.HideBranch(self.owner, self.id, message_id))

    def show(self, message_id: UUID) -> None:
        self.story.run(c.ShowBranch(self.owner, self.id, message_id))

    def select(self, message_id: UUID) -> None:
        self.story.run(c.SelectBranch(self.owner, self.id, message_id))

    def fork(self, message_id: UUID) -> Talk:
        """The same person's new conversation that goes on from a message of this one."""
        return Talk(beside=self, conversation_id=self.story.fork(self.id, self.owner, message_id))
