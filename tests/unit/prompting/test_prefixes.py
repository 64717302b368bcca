"""The fast builder holds to the definition: same bytes, same digests, same refusals, however a history grew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import events as e
from backend.domain.prompt_request import PromptRequest, Trimming
from backend.prompting.build import CannotRebuildPrompt, StreamSlice, build_prompt
from backend.prompting.prefixes import KEPT_HEADS, BranchPrompts, PromptBytes
from tests.support.facts import OWNER, Fact, as_events, fact, message_id, stamper
from tests.support.histories import (
    MODEL,
    SYSTEM,
    Told,
    build_both,
    prompts_of,
    reply_recorded,
    reply_requested,
    started,
    user_said,
)

CONTENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
NUMBERS = st.integers(0, 99)
KINDS = st.sampled_from(["user", "user", "ask", "ask", "record", "record", "continue", "system", "fork"])
STEPS = st.lists(st.tuples(KINDS, NUMBERS, NUMBERS, CONTENTS), max_size=30)


@dataclass
class Grown:
    """One conversation of a story, with the numbers of the messages it has."""

    conversation_id: UUID
    source: Grown | None = None
    origin: e.ForkOrigin | None = None
    events: list[e.VerbatimEvent] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)

    def add(self, *facts: Fact) -> list[e.VerbatimEvent]:
        made = as_events(self.conversation_id, facts, stamp=stamper(), first_version=len(self.events) + 1)
        self.events += made
        return made

    def slices(self, up_to: int | None = None) -> tuple[StreamSlice, ...]:
        """The fork chain, root first; each source up to its fork's version."""
        inherited: tuple[StreamSlice, ...] = ()
        if self.source is not None and self.origin is not None:
            inherited = self.source.slices(self.origin.version)
        return (*inherited, StreamSlice(self.conversation_id, list(self.events[:up_to])))

    def prompts(self) -> BranchPrompts:
        """The fast builder, made at once; what a source got after the fork is in it as well."""
        prompts = BranchPrompts()
        if self.source is not None and self.origin is not None:
            prompts = BranchPrompts.forked(self.source.prompts(), self.origin)
        prompts.take(self.events)
        return prompts


class Story:
    """Conversations that grow and fork in any way that events can tell, also in ways commands refuse."""

    def __init__(self) -> None:
        first = Grown(UUID(int=1))
        first.add(*started())
        self.conversations = [first]
        self.parents: dict[int, int | None] = {}

    def take(self, kind: str, where: int, what: int, content: str) -> tuple[Grown, list[e.VerbatimEvent]]:
        """One step; returns what it added, nothing where the step had nothing to begin with."""
        conversation = self.conversations[where % len(self.conversations)]
        nodes, number = conversation.nodes, len(self.parents) + 1
        at = nodes[what % len(nodes)] if nodes else None
        if kind == "system":
            return conversation, conversation.add(fact(e.SystemPromptChanged, text=content))
        if kind == "record" and conversation.pending:
            done = conversation.pending.pop(what % len(conversation.pending))
            return conversation, conversation.add(reply_recorded(done, content))
        if kind == "user" or at is None:
            parent = None if what % 5 == 0 else at
            return conversation, self._grow(conversation, number, parent, user_said(number, content, parent))
        if kind == "fork" and len(self.conversations) < 5:
            return self._fork(conversation, at)
        conversation.pending.append(number)
        asked = reply_requested(number, at, at if kind == "continue" else None)
        return conversation, self._grow(conversation, number, at, asked)

    def _grow(
        self, conversation: Grown, number: int, parent: int | None, what: Fact
    ) -> list[e.VerbatimEvent]:
        self.parents[number] = parent
        conversation.nodes.append(number)
        return conversation.add(what)

    def _fork(self, source: Grown, at: int) -> tuple[Grown, list[e.VerbatimEvent]]:
        origin = e.ForkOrigin(source.conversation_id, len(source.events), message_id(at))
        fork = Grown(UUID(int=len(self.conversations) + 1), source, origin, nodes=self.path(at))
        self.conversations.append(fork)
        begin = fact(e.ConversationStarted, owner_id=OWNER, title="Fork", forked_from=origin)
        return fork, fork.add(begin)

    def path(self, number: int) -> list[int]:
        found, at = [number], self.parents[number]
        while at is not None:
            found.append(at)
            at = self.parents[at]
        return found[::-1]


@st.composite
def requests(draw: st.DrawFn, story: Story, conversation: Grown) -> PromptRequest:
    """A request for any branch, as of any version, with or without a cut and an override."""
    nodes = conversation.nodes
    leaf = draw(st.sampled_from([*nodes, None]))
    trimming = None
    if leaf is not None and draw(st.booleans()):
        kept = draw(st.sampled_from(story.path(leaf)))
        trimming = Trimming("keep-latest", 1, message_id(kept), 0, 9, 99)
    return PromptRequest(
        leaf_id=None if leaf is None else message_id(leaf),
        version=draw(st.integers(1, len(conversation.events))),
        model=MODEL,
        params=draw(st.sampled_from([{}, {"seed": "7"}, {"temperature": "0.5", "stop": ["\n"]}])),
        system_prompt=draw(st.none() | CONTENTS),
        trimming=trimming,
    )


def answer_of(ask: Any) -> Any:
    """What came of it, a refusal by its words."""
    try:
        return ask()
    except CannotRebuildPrompt as refusal:
        return str(refusal)


def assert_same(slices: Sequence[StreamSlice], prompts: BranchPrompts, request: PromptRequest) -> None:
    defined = answer_of(lambda: build_prompt(slices, request))
    if isinstance(defined, str):
        assert answer_of(lambda: prompts.build(request)) == defined
        assert answer_of(lambda: prompts.digest(request)) == defined
        return
    assert prompts.build(request) == PromptBytes(defined.body, defined.body_sha256)
    assert prompts.digest(request) == (defined.body_sha256, len(defined.body))
    assert hashlib.sha256(defined.body).hexdigest() == defined.body_sha256


@settings(max_examples=120, deadline=None)
@given(STEPS, st.data())
def test_any_branch_of_any_history_as_of_any_version(
    steps: list[tuple[str, int, int, str]], data: st.DataObject
) -> None:
    story = Story()
    for step in steps:
        story.take(*step)
    for conversation in story.conversations:
        slices, prompts = conversation.slices(), conversation.prompts()
        for _ in range(4):
            request = data.draw(requests(story, conversation))
            for _ in range(2):  # the second time from what was kept
                assert_same(slices, prompts, request)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_what_is_asked_again_and_again_while_a_history_grows(steps: list[tuple[str, int, int, str]]) -> None:
    """Every branch after every event, from one builder that is never made anew."""
    story = Story()
    kept = {story.conversations[0].conversation_id: story.conversations[0].prompts()}
    for step in steps:
        conversation, added = story.take(*step)
        prompts = kept.get(conversation.conversation_id)
        if prompts is None:
            assert conversation.origin is not None
            source = kept[conversation.origin.conversation_id]
            prompts = kept[conversation.conversation_id] = BranchPrompts.forked(source, conversation.origin)
        prompts.take(added)
        assert prompts.version == len(conversation.events)
        slices = conversation.slices()
        for leaf in conversation.nodes:
            request = PromptRequest(message_id(leaf), len(conversation.events), MODEL, {})
            assert_same(slices, prompts, request)


@settings(max_examples=80, deadline=None)
@given(STEPS, NUMBERS, CONTENTS, st.booleans(), st.data())
def test_pending_events_are_seen_in_a_twin_and_never_change_the_base(
    steps: list[tuple[str, int, int, str]], what: int, content: str, new_system: bool, data: st.DataObject
) -> None:
    story = Story()
    for step in steps:
        story.take(*step)
    conversation = story.conversations[-1]
    base, slices = conversation.prompts(), conversation.slices()
    asked = [data.draw(requests(story, conversation)) for _ in range(3)]
    for request in asked:
        assert_same(slices, base, request)
    before = (base.version, base.size, dict(base._messages), list(base._system_prompts))

    number = len(story.parents) + 1
    parent = conversation.nodes[what % len(conversation.nodes)] if conversation.nodes else None
    facts = [user_said(number, content, parent), reply_requested(number + 1, number)]
    if new_system:
        facts.insert(0, fact(e.SystemPromptChanged, text=content))
    pending = conversation.add(*facts)
    conversation.nodes.append(number)
    story.parents[number] = parent
    twin = base.with_pending(pending)
    path = story.path(number)
    for kept in [None, *path]:
        trimming = None if kept is None else Trimming("keep-latest", 1, message_id(kept), 0, 9, 99)
        request = PromptRequest(message_id(number), len(conversation.events), MODEL, {}, trimming=trimming)
        assert_same(conversation.slices(), twin, request)
    assert [message for message, _, _ in twin.lengths(message_id(number))] == [message_id(n) for n in path]

    assert (base.version, base.size, dict(base._messages), list(base._system_prompts)) == before
    for request in asked:
        assert_same(slices, base, request)
    base.take(pending)
    assert_same(conversation.slices(), base, PromptRequest(message_id(number), base.version, MODEL, {}))


def test_a_digest_asked_for_while_a_reply_was_written_is_made_anew_after_its_end() -> None:
    told = Told().user("One").asks()
    prompts = prompts_of(told.slices())
    waiting = told.request()
    assert_same(told.slices(), prompts, waiting)
    told.add(reply_recorded(2, "Two"))
    prompts.take(told.slices()[0].events[-1:])
    assert_same(told.slices(), prompts, told.request())
    assert_same(told.slices(), prompts, waiting)


def test_a_text_that_came_after_a_fork_is_not_in_it() -> None:
    source = Told().user("One").asks()
    origin = e.ForkOrigin(source.conversation_id, source.version, message_id(2))
    fork = Told(conversation_id=UUID(int=9), source=source, first_number=10).user("Three")
    source.add(reply_recorded(2, "Too late"))
    prompts = BranchPrompts.forked(prompts_of(source.slices()), origin)
    prompts.take(fork.slices()[-1].events)
    assert_same(fork.slices(), prompts, fork.request())


def test_a_text_is_given_back_as_it_was_recorded() -> None:
    text = 'Quotes " and \\ and \n lines \x01 \x7f \u2028 שלום 🫖 \ufeff'
    prompts = prompts_of(Told().user(text).reply(text + "!").slices())
    assert prompts.text_of(message_id(1)) == text
    assert prompts.text_of(message_id(2)) == text + "!"


def test_lengths_are_those_of_the_texts_as_they_are_sent() -> None:
    prompts = prompts_of(Told().user('a"é').reply("").user("x").slices())
    assert prompts.lengths(message_id(3)) == [
        (message_id(1), "user", 5),
        (message_id(2), "assistant", 0),
        (message_id(3), "user", 1),
    ]


def test_the_system_prompt_is_known_at_every_version_also_in_a_fork() -> None:
    source = Told().user("One").system("Second.").user("Two")
    fork = Told(conversation_id=UUID(int=9), source=source, first_number=10, system_prompt="Fork's.")
    source.system("Too late.")
    prompts = BranchPrompts.forked(
        prompts_of(source.slices()), e.ForkOrigin(source.conversation_id, 6, message_id(2))
    )
    assert [prompts.system_prompt_at(version) for version in (0, 1, 9)] == ["Second."] * 3
    prompts.take(fork.slices()[-1].events)
    assert [prompts.system_prompt_at(version) for version in (1, 2)] == ["Second.", "Fork's."]
    assert prompts_of(source.slices()).system_prompt_at(2) == SYSTEM


def test_size_grows_with_what_is_held_also_with_what_is_inherited() -> None:
    told = Told().user("x" * 10_000)
    prompts = prompts_of(told.slices())
    assert 10_000 < prompts.size < 12_000
    fork = BranchPrompts.forked(prompts, e.ForkOrigin(told.conversation_id, told.version, message_id(1)))
    assert fork.size >= prompts.size - 100


def test_only_a_few_settings_are_kept_digested() -> None:
    told = Told().user("One").reply("Two").user("Three")
    prompts = prompts_of(told.slices())
    for number in range(3 * KEPT_HEADS):
        assert_same(told.slices(), prompts, told.request(params={"seed": str(number)}))
    assert len(prompts._digested) <= KEPT_HEADS
    assert_same(told.slices(), prompts, told.request(params={"seed": "0"}))


def test_many_threads_ask_one_builder_while_it_grows() -> None:
    told = Told()
    for number in range(100):
        told.user(f"Question {number}").reply(f"Answer {number}")
    events = told.slices()[0].events
    prompts = BranchPrompts()
    prompts.take(events[:203])
    asked = [PromptRequest(message_id(leaf), 203, MODEL, {"seed": str(leaf % 12)}) for leaf in range(1, 130)]
    expected = [build_prompt([StreamSlice(told.conversation_id, events)], request) for request in asked]

    def ask(place: int) -> bool:
        request, prompt = asked[place % len(asked)], expected[place % len(asked)]
        return prompts.digest(request) == (prompt.body_sha256, len(prompt.body)) and (
            prompts.build(request).body == prompt.body
        )

    def grow() -> bool:
        for event in events[203:]:
            prompts.take([event])
        return True

    with ThreadPoolExecutor(16) as pool:
        growing = pool.submit(grow)
        assert all(pool.map(ask, range(1000)))
        assert growing.result()
    whole = told.request()
    assert prompts.digest(whole)[0] == build_prompt(told.slices(), whole).body_sha256


def test_messages_that_hang_below_each_other_in_a_circle_are_refused_by_both() -> None:
    told = Told().user("Hi", below=2).reply("Hello")
    circle = f"The messages above {message_id(2)} hang below each other in a circle."
    for ask in (
        lambda: build_both(told.slices(), told.request()),
        lambda: prompts_of(told.slices()).places(message_id(2)),
        lambda: prompts_of(told.slices()).with_pending([]).digest(told.request()),
    ):
        with pytest.raises(CannotRebuildPrompt, match=circle):
            ask()
