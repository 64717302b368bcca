"""Laws that hold whatever several people's tabs and several workers do, in whatever order.

Every acknowledged message stays reachable and unchanged; every recorded call is rebuilt to the same
bytes; every reply is recorded exactly once, every attempt and every call ends exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backend.application.history import load_conversation, rebuild_prompt
from backend.application.ports import ClaimLost
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.conversation import SELECTED_LEAF
from backend.domain.errors import AttemptRefused, ConversationIsDeleted, ReplyPending
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, Sent
from tests.support.facts import CountedIds
from tests.support.rivals import RivalStore

ENDS = sorted(outcomes.FINAL_OUTCOMES)
# Any other refusal would be a mistake, since the clients below only name what is there.
EXPECTED_REFUSALS = (ConversationIsDeleted, ReplyPending)
PICKS = st.integers(0, 40)
CONTENTS = st.sampled_from(["Hi", "More", "שלום", "😀", " x ", "\x01"])


@dataclass(frozen=True)
class Acknowledged:
    """A message whose command was answered, as it was given."""

    content: str
    parent_id: UUID | None


class SeveralClients(RuleBasedStateMachine):
    """One conversation, two clients of which one can be overtaken at its append, and two workers."""

    @initialize()
    def begin(self) -> None:
        self.store = InMemoryEventStore()
        self.rivals = RivalStore(self.store)
        ids = CountedIds()
        self.quick = Core(self.store, ids=ids)
        self.slow = Core(self.rivals, ids=ids, claim=self.store.claim)
        self.conversation_id = self.quick.start()
        self.messages: dict[UUID, Acknowledged] = {}
        self.replies: dict[UUID, str] = {}
        self.calls: dict[UUID, Sent] = {}
        self.digests: dict[UUID, str] = {}
        self.claims: dict[UUID, list[tuple[str, int]]] = {}

    # ---- what clients do --------------------------------------------------------------------

    @rule(
        content=CONTENTS,
        parent=st.none() | PICKS,
        to_selected=st.booleans(),
        overtaken=st.booleans(),
        by=PICKS,
    )
    def send(self, content: str, parent: int | None, to_selected: bool, overtaken: bool, by: int) -> None:
        nodes = self.nodes()
        picked = None if parent is None or not nodes else nodes[parent % len(nodes)]
        client = self.client(overtaken, by)
        try:
            sent = client.send(self.conversation_id, content, SELECTED_LEAF if to_selected else picked)
        except EXPECTED_REFUSALS:
            return
        parent_id = self.acknowledged(sent, content)
        assert to_selected or parent_id == picked

    @precondition(lambda self: self.messages)
    @rule(pick=PICKS, overtaken=st.booleans(), by=PICKS)
    def regenerate(self, pick: int, overtaken: bool, by: int) -> None:
        nodes = self.nodes()
        client = self.client(overtaken, by)
        try:
            self.asked(client.regenerate(self.conversation_id, nodes[pick % len(nodes)]))
        except EXPECTED_REFUSALS:
            return

    @rule(pick=st.integers(0, 4), overtaken=st.booleans(), by=PICKS)
    def housekeeping(self, pick: int, overtaken: bool, by: int) -> None:
        client = self.client(overtaken, by)
        act = self.housekeepings(client)[pick]
        try:
            act()
        except EXPECTED_REFUSALS:
            return

    @precondition(lambda self: self.calls)
    @rule(pick=PICKS, overtaken=st.booleans(), by=PICKS)
    def cancel(self, pick: int, overtaken: bool, by: int) -> None:
        assert self.client(overtaken, by).cancel(self.pick_call(pick)).status == 202

    # ---- what workers do --------------------------------------------------------------------

    @precondition(lambda self: self.store.queue)
    @rule(pick=PICKS, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, pick: int, worker: str) -> None:
        queued = list(self.store.queue)
        call_id = queued[pick % len(queued)]
        self.claims.setdefault(call_id, []).append((worker, self.quick.claim(call_id, worker)))

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, which=PICKS, overtaken=st.booleans(), by=PICKS)
    def begin_attempt(self, pick: int, which: int, overtaken: bool, by: int) -> None:
        call_id, worker, claim = self.pick_claim(pick, which)
        client = self.client(overtaken, by)
        try:
            client.begin(call_id, claim, worker)
        except (AttemptRefused, ClaimLost):
            return
        assert (worker, claim) == self.claims[call_id][-1], "a stale claim started an attempt"

    @precondition(lambda self: self.claims)
    @rule(
        pick=PICKS,
        which=PICKS,
        attempt=st.integers(0, 2),
        outcome=st.sampled_from(ENDS),
        final=st.booleans(),
        overtaken=st.booleans(),
        by=PICKS,
    )
    def record(
        self, pick: int, which: int, attempt: int, outcome: str, final: bool, overtaken: bool, by: int
    ) -> None:
        call_id, worker, claim = self.pick_claim(pick, which)
        content = f"{worker} says {outcome}"
        client = self.client(overtaken, by)
        try:
            client.record(call_id, claim, content, outcome, attempt=attempt, final=final, worker=worker)
        except (AttemptRefused, ClaimLost):
            return
        assert (worker, claim) == self.claims[call_id][-1], "a stale claim recorded an end"
        if final:
            self.replies[self.calls[call_id].reply_id] = content

    # ---- the laws ---------------------------------------------------------------------------

    @invariant()
    def every_acknowledged_message_is_reachable_and_unchanged(self) -> None:
        conversation, history = load_conversation(self.store, self.conversation_id)
        said = {x.message_id: x for x in history[-1].events if isinstance(x, e.UserMessageSent)}
        for message_id, acknowledged in self.messages.items():
            assert Acknowledged(said[message_id].content, said[message_id].parent_id) == acknowledged
            steps, place = 0, message_id
            while (parent := conversation.nodes[place].parent_id) is not None:
                steps, place = steps + 1, parent
                assert steps <= len(conversation.nodes), "a circle of messages"

    @invariant()
    def nothing_answers_a_reply_that_was_still_pending(self) -> None:
        _, history = load_conversation(self.store, self.conversation_id)
        pending: set[UUID] = set()
        for event in history[-1].events:
            match event:
                case e.ReplyRequested():
                    pending.add(event.reply_id)
                case e.ReplyRecorded():
                    pending.remove(event.reply_id)
                case e.UserMessageSent():
                    assert event.parent_id not in pending
                case _:
                    pass

    @invariant()
    def every_call_is_rebuilt_to_the_bytes_that_were_recorded(self) -> None:
        for call_id, digest in self.digests.items():
            rebuilt = rebuild_prompt(self.store, self.store.read_call(call_id))
            assert rebuilt.identical
            assert rebuilt.prompt.body_sha256 == digest

    @invariant()
    def no_reply_is_recorded_twice_and_none_is_changed(self) -> None:
        recorded = self.recorded()
        assert max(Counter(x.reply_id for x in recorded).values(), default=1) == 1
        texts = {x.reply_id: x.content for x in recorded}
        for reply_id, content in self.replies.items():
            assert texts[reply_id] == content

    def teardown(self) -> None:
        """Once everything has come to its end, all promises about ends are kept exactly."""
        if not hasattr(self, "calls"):
            return
        for call_id in list(self.store.queue):
            claim = self.quick.claim(call_id, "the last")
            call = self.store.read_call(call_id)
            attempt = call.open_attempt or 0
            self.quick.record(call_id, claim, "", outcomes.FAILED, attempt=attempt, worker="the last")
        counted = Counter(x.reply_id for x in self.recorded())
        conversation, _ = load_conversation(self.store, self.conversation_id)
        assert conversation.pending_call_ids == ()
        assert counted == {sent.reply_id: 1 for sent in self.calls.values()}
        for call_id in self.calls:
            events = [x.event for x in self.store.read_after(0, 10_000) if x.event.originator_id == call_id]
            ends = [x for x in events if isinstance(x, e.ModelCallAttemptEnded)]
            started = [x.attempt for x in events if isinstance(x, e.ModelCallStarted)]
            assert [x.final for x in ends].count(True) == 1
            assert ends[-1].final
            assert [x.attempt for x in ends if x.attempt] == started == list(range(1, len(started) + 1))

    # ---- inside -----------------------------------------------------------------------------

    def client(self, overtaken: bool, by: int) -> Core:
        """The quick client, or the slow one, overtaken at its next append by somebody else's command."""
        self.rivals.interruptions.clear()
        if not overtaken:
            return self.quick

        def somebody_else() -> None:
            acts: list[Callable[[], Any]] = [
                *self.housekeepings(self.quick),
                lambda: self.acknowledged(self.quick.send(self.conversation_id, "Faster", None), "Faster"),
            ]
            if self.calls:
                acts.append(lambda: self.quick.cancel(self.pick_call(by)))
            try:
                acts[by % len(acts)]()
            except EXPECTED_REFUSALS:
                return

        self.rivals.interrupt(somebody_else)
        return self.slow

    def housekeepings(self, client: Core) -> list[Callable[[], Any]]:
        return [
            lambda: client.change(self.conversation_id, title=f"Title {self.store.end()}"),
            lambda: client.change(self.conversation_id, system_prompt=f"Prompt {self.store.end()}"),
            lambda: client.change(self.conversation_id, params={"seed": self.store.end()}, pinned=True),
            lambda: client.delete(self.conversation_id),
            lambda: client.restore(self.conversation_id),
        ]

    def acknowledged(self, sent: Sent, content: str) -> UUID | None:
        """Remember a message as it was answered; returns its parent."""
        assert sent.message_id is not None
        conversation, _ = load_conversation(self.store, self.conversation_id)
        parent_id = conversation.nodes[sent.message_id].parent_id
        self.messages[sent.message_id] = Acknowledged(content, parent_id)
        self.asked(sent)
        return parent_id

    def asked(self, sent: Sent) -> None:
        self.calls[sent.call_id] = sent
        self.digests[sent.call_id] = self.store.read_call(sent.call_id).body_sha256

    def recorded(self) -> list[e.ReplyRecorded]:
        _, history = load_conversation(self.store, self.conversation_id)
        return [x for x in history[-1].events if isinstance(x, e.ReplyRecorded)]

    def nodes(self) -> list[UUID]:
        return list(load_conversation(self.store, self.conversation_id)[0].nodes)

    def pick_call(self, pick: int) -> UUID:
        return list(self.calls)[pick % len(self.calls)]

    def pick_claim(self, pick: int, which: int) -> tuple[UUID, str, int]:
        call_id = list(self.claims)[pick % len(self.claims)]
        worker, claim = self.claims[call_id][which % len(self.claims[call_id])]
        return call_id, worker, claim


SeveralClients.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSeveralClients = SeveralClients.TestCase
