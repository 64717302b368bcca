"""Laws of branching, whatever several clients do in whatever order, also overtaking each other.

Every acknowledged message stays reachable with the branch above it as it was; forks never change what
they come from; every recorded prompt is rebuilt to its bytes; what a process keeps in memory is what it
would read anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backend.application.conversations import Conversations
from backend.application.history import load_conversation, rebuild_prompt
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import (
    ConversationIsDeleted,
    LastVisibleBranch,
    NothingToContinue,
    NothingToReplay,
    ReplayNotStopped,
    ReplyPending,
    WrongMessageKind,
)
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core
from tests.support.facts import CountedIds
from tests.support.rivals import RivalStore

# Any other refusal would be a mistake, since the clients below only name what is there.
EXPECTED_REFUSALS = (
    ConversationIsDeleted,
    LastVisibleBranch,
    NothingToContinue,
    NothingToReplay,
    ReplayNotStopped,
    ReplyPending,
    WrongMessageKind,
)
PICKS = st.integers(0, 1000)
ENDS = sorted(outcomes.FINAL_OUTCOMES)
WORKER = "worker"

Said = tuple[UUID, str]
"""A message and its text; the text of a pending reply is not told yet."""


class BranchingClients(RuleBasedStateMachine):
    """Conversations that fork, two processes with memories of their own, and one worker."""

    @initialize()
    def begin(self) -> None:
        self.store = InMemoryEventStore()
        self.rivals = RivalStore(self.store)
        ids = CountedIds()
        self.memories = [Conversations(self.store), Conversations(self.rivals)]
        self.quick = Core(self.store, ids=ids, conversations=self.memories[0])
        self.slow = Core(self.rivals, ids=ids, claim=self.store.claim, conversations=self.memories[1])
        self.conversations = [self.quick.start(title="First", system_prompt="Be brief.")]
        self.branches: dict[tuple[UUID, UUID], tuple[Said, ...]] = {}
        self.texts: dict[UUID, str] = {}
        self.calls: dict[UUID, str] = {}
        self.replays: list[tuple[UUID, UUID]] = []
        self.forks: dict[UUID, tuple[Said, ...]] = {}
        self.seen = 0

    # ---- what clients do --------------------------------------------------------------------

    @rule(where=PICKS, what=PICKS, text=st.sampled_from(["Hi", "More", "שלום"]), overtaken=st.booleans())
    def say(self, where: int, what: int, text: str, overtaken: bool) -> None:
        conversation_id = self.pick(where)
        client = self.client(overtaken, where + what)
        owner, nodes = client.owner_id, self.nodes(conversation_id)
        acts: list[Callable[[], c.Command]] = [lambda: c.SendUserMessage(owner, conversation_id, text)]
        if nodes:
            at = nodes[what % len(nodes)]
            acts += [
                lambda: c.SendUserMessage(owner, conversation_id, text, at),
                lambda: c.EditUserMessage(owner, conversation_id, at, text),
                lambda: c.RegenerateReply(owner, conversation_id, at),
                lambda: c.ContinueReply(owner, conversation_id, at),
            ]
        answer = self.attempt(client, acts[(where + what) % len(acts)]())
        if answer is not None and answer.get("message_id") is not None:
            self.texts[UUID(answer["message_id"])] = text
            self.remember(conversation_id, UUID(answer["message_id"]))

    @rule(where=PICKS, what=PICKS, act=st.integers(0, 5), overtaken=st.booleans())
    def arrange(self, where: int, what: int, act: int, overtaken: bool) -> None:
        conversation_id = self.pick(where)
        nodes = self.nodes(conversation_id)
        client = self.client(overtaken, where + what)
        owner = client.owner_id
        at = nodes[what % len(nodes)] if nodes else None
        if act < 3 and at is not None:
            kind = (c.SelectBranch, c.HideBranch, c.ShowBranch)[act]
            self.attempt(client, kind(owner, conversation_id, at))
            return
        changes: list[c.Command] = [
            c.ChangeConversation(owner, conversation_id, system_prompt=f"Prompt {self.store.end()}"),
            c.DeleteConversation(owner, conversation_id),
            c.RestoreConversation(owner, conversation_id),
        ]
        self.attempt(client, changes[act % 3])

    @precondition(lambda self: len(self.conversations) < 4)
    @rule(where=PICKS, what=PICKS, overtaken=st.booleans())
    def fork(self, where: int, what: int, overtaken: bool) -> None:
        source_id = self.pick(where)
        nodes = self.nodes(source_id)
        if not nodes:
            return
        client, at = self.client(overtaken, what), nodes[what % len(nodes)]
        before = self.store.end()
        try:
            answer = client.run(c.ForkConversation(client.owner_id, source_id, at)).body
        except ReplyPending:
            return
        fork_id = UUID(answer["id"])
        own = [x for x in self.store.read_after(before, 100) if x.event.originator_id == fork_id]
        assert [type(x.event) for x in own] == [e.ConversationStarted]
        self.conversations.append(fork_id)
        self.forks[fork_id] = self.branch(source_id, at)

    @rule(where=PICKS, what=PICKS, act=st.integers(0, 6), overtaken=st.booleans())
    def replay(self, where: int, what: int, act: int, overtaken: bool) -> None:
        client = self.client(overtaken, where + what)
        owner = client.owner_id
        if act == 0 or not self.replays:
            conversation_id = self.pick(where)
            nodes = self.nodes(conversation_id)
            leaf = nodes[what % len(nodes)] if nodes else None
            start = c.StartReplay(owner, conversation_id, leaf, model="another-model")
            answer = self.attempt(client, start)
            if answer is not None:
                self.replays.append((conversation_id, UUID(answer["replay_id"])))
            return
        replay = self.replays[what % len(self.replays)]
        if act == 1:
            self.attempt(client, c.CancelReplay(owner, *replay))
        else:
            # What a worker does after each reply, and a person once the replay has stopped.
            for command in (c.ResumeReplay(owner, *replay), c.AdvanceReplay(*replay)):
                self.attempt(client, command)

    # ---- what happens to calls --------------------------------------------------------------

    @precondition(lambda self: self.store.queue)
    @rule(what=PICKS, outcome=st.sampled_from([outcomes.COMPLETE] * 4 + ENDS), overtaken=st.booleans())
    def answer(self, what: int, outcome: str, overtaken: bool) -> None:
        call_id = list(self.store.queue)[what % len(self.store.queue)]
        client = self.client(overtaken, what, cancels=False)
        claim = self.store.claim(call_id, WORKER)
        client.begin(call_id, claim, WORKER)
        text = "" if outcome == outcomes.FAILED else f"Reply {self.store.end()}"
        client.record(call_id, claim, text, outcome, worker=WORKER)
        call = self.store.read_call(call_id)
        assert call.reply_id is not None
        assert call.conversation_id is not None
        self.texts[call.reply_id] = text
        self.remember(call.conversation_id, call.reply_id)

    @precondition(lambda self: self.store.queue)
    @rule(what=PICKS, overtaken=st.booleans())
    def cancel(self, what: int, overtaken: bool) -> None:
        call_id = list(self.store.queue)[what % len(self.store.queue)]
        client = self.client(overtaken, what, cancels=False)
        assert client.cancel(call_id).status == 202

    # ---- the laws ---------------------------------------------------------------------------

    @invariant()
    def every_acknowledged_message_is_where_it_was(self) -> None:
        for (conversation_id, message_id), branch in self.branches.items():
            assert self.branch(conversation_id, message_id) == branch

    @invariant()
    def a_fork_begins_with_the_branch_it_was_made_from(self) -> None:
        for fork_id, inherited in self.forks.items():
            assert self.branch(fork_id, inherited[-1][0]) == inherited

    @invariant()
    def every_new_call_is_rebuilt_to_the_bytes_that_were_recorded(self) -> None:
        found = self.store.read_after(self.seen, 10_000)
        self.seen = self.store.end()
        for recorded in found:
            if isinstance(recorded.event, e.ModelCallRequested):
                self.calls[recorded.event.originator_id] = recorded.event.body_sha256
                assert self.rebuilt(recorded.event.originator_id) == recorded.event.body_sha256

    @invariant()
    def what_is_kept_is_what_would_be_read_anew(self) -> None:
        for conversation_id in self.conversations:
            fresh, _ = load_conversation(self.store, conversation_id)
            for memory in self.memories:
                assert memory.load(conversation_id).conversation == fresh

    @invariant()
    def a_visible_branch_is_selected(self) -> None:
        for conversation_id in self.conversations:
            conversation, _ = load_conversation(self.store, conversation_id)
            selected = conversation.selected_leaf_id
            assert (selected is None) == (len(conversation.nodes) == 0)
            if selected is not None:
                assert selected in conversation.nodes.leaves()
                assert conversation.nodes.visible_leaves()

    @invariant()
    def a_replay_sends_each_turn_once_and_in_order(self) -> None:
        turns: dict[UUID, list[int]] = {}
        for conversation_id in self.conversations:
            _, history = load_conversation(self.store, conversation_id)
            for event in history[-1].events:
                if isinstance(event, e.ReplyRequested) and event.replay is not None:
                    turns.setdefault(event.replay.replay_id, []).append(event.replay.turn)
        for sent in turns.values():
            assert sorted(set(sent)) == list(range(1, max(sent) + 1))
            assert sent == sorted(sent)

    def teardown(self) -> None:
        """At the end every call there ever was is rebuilt once more."""
        for call_id, digest in getattr(self, "calls", {}).items():
            assert self.rebuilt(call_id) == digest

    # ---- inside -----------------------------------------------------------------------------

    def client(self, overtaken: bool, by: int, *, cancels: bool = True) -> Core:
        """The quick client, or the slow one, overtaken at its next append by the quick one."""
        self.rivals.interruptions.clear()
        if not overtaken:
            return self.quick

        def somebody_else() -> None:
            conversation_id, owner = self.pick(by), self.quick.owner_id
            acts: list[c.Command] = [
                c.SendUserMessage(owner, conversation_id, "Faster", None),
                c.ChangeConversation(owner, conversation_id, system_prompt=f"Faster {self.store.end()}"),
                *(c.AdvanceReplay(*replay) for replay in self.replays[-1:]),
            ]
            if cancels:
                acts += [c.CancelModelCall(owner, call_id) for call_id in list(self.store.queue)[:1]]
            self.attempt(self.quick, acts[by % len(acts)])

        self.rivals.interrupt(somebody_else)
        return self.slow

    def attempt(self, client: Core, command: c.Command) -> dict[str, Any] | None:
        try:
            return dict(client.run(command).body)
        except EXPECTED_REFUSALS:
            return None

    def rebuilt(self, call_id: UUID) -> str:
        rebuilt = rebuild_prompt(self.store, self.store.read_call(call_id))
        assert rebuilt.identical
        return rebuilt.prompt.body_sha256

    def remember(self, conversation_id: UUID, message_id: UUID) -> None:
        branch = self.branch(conversation_id, message_id)
        assert branch[-1] == (message_id, self.texts[message_id])
        self.branches[conversation_id, message_id] = branch

    def branch(self, conversation_id: UUID, message_id: UUID) -> tuple[Said, ...]:
        """A branch as the events tell it, message by message."""
        conversation, history = load_conversation(self.store, conversation_id)
        texts: dict[UUID, str] = {}
        for part in history:
            for event in part.events:
                if isinstance(event, e.UserMessageSent):
                    texts[event.message_id] = event.content
                elif isinstance(event, e.ReplyRecorded):
                    texts[event.reply_id] = event.content
        path = conversation.nodes.path(message_id)
        return tuple((node.message_id, texts.get(node.message_id, "…")) for node in path)

    def nodes(self, conversation_id: UUID) -> list[UUID]:
        return list(load_conversation(self.store, conversation_id)[0].nodes)

    def pick(self, where: int) -> UUID:
        return self.conversations[where % len(self.conversations)]


BranchingClients.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestBranchingClients = BranchingClients.TestCase
