"""Conversations kept in memory: always what would be read anew, however much is forgotten and whoever else writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.application.conversations import KEPT_CONVERSATIONS, Conversations
from backend.application.history import prompt_to_send
from backend.domain import commands as c
from backend.domain import outcomes
from backend.domain.errors import DomainError, PromptTooLong, UnknownConversation, UnknownModelCall
from backend.domain.events import VerbatimEvent
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core
from tests.support.facts import OWNER, STRANGER
from tests.support.kept import assert_as_read_anew
from tests.support.replays import TooSmall
from tests.support.rivals import RivalStore

UNKNOWN = UUID("c0000000-0000-4000-8000-00000000dead")


class WatchedStore(InMemoryEventStore):
    """Remembers which streams were read, and from where on."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[UUID, int]] = []

    def read_events(self, stream_id: UUID, after_version: int = 0) -> list[VerbatimEvent]:
        self.reads.append((stream_id, after_version))
        return super().read_events(stream_id, after_version)


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def kept(store: WatchedStore) -> Conversations:
    return Conversations(store)


@pytest.fixture
def core(store: WatchedStore, kept: Conversations) -> Core:
    return Core(store, conversations=kept)


# ---- reading --------------------------------------------------------------------------------


def test_what_is_known_is_not_read_again(core: Core, store: WatchedStore, kept: Conversations) -> None:
    conversation_id = core.start()
    core.turn(conversation_id)
    version = kept.load(conversation_id).conversation.version
    store.reads.clear()
    kept.load(conversation_id)
    core.send(conversation_id)
    assert store.reads == [(conversation_id, version)] * 2
    kept.load(conversation_id)
    assert store.reads[-1] == (conversation_id, version)
    kept.load(conversation_id)
    assert store.reads[-1] == (conversation_id, version + 2)


def test_prompts_are_read_only_where_they_are_not_known_so_far(
    core: Core, store: WatchedStore, kept: Conversations
) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id)
    version = kept.load(conversation_id).conversation.version
    store.reads.clear()
    known = kept.prompts_of(conversation_id, version)
    assert store.reads == []
    elsewhere = Core(store, conversations=Conversations(store))
    elsewhere.send(conversation_id)
    store.reads.clear()
    assert kept.prompts_of(conversation_id, version) is known
    assert store.reads == []
    kept.prompts_of(conversation_id, version + 1)
    assert store.reads == [(conversation_id, version)]
    call = store.read_call(sent.call_id)
    assert prompt_to_send(kept, call).identical
    with pytest.raises(UnknownConversation):
        kept.prompts_of(UNKNOWN, 1)


def test_a_call_is_read_until_it_has_ended(core: Core, store: WatchedStore, kept: Conversations) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    assert kept.call(sent.call_id).attempts_started == 0
    core.begin(sent.call_id, claim)
    assert kept.call(sent.call_id).attempts_started == 1
    core.record(sent.call_id, claim, prompt_tokens=7)
    ended = kept.call(sent.call_id)
    assert (ended.outcome, ended.usage and ended.usage.prompt_tokens) == (outcomes.COMPLETE, 7)
    assert kept.call(sent.call_id) is ended
    with pytest.raises(UnknownModelCall):
        kept.call(UNKNOWN)


def test_a_fork_reads_its_source_once(core: Core, store: WatchedStore, kept: Conversations) -> None:
    source_id = core.start()
    fork_id = core.fork(source_id, core.turn(source_id).reply_id)
    store.reads.clear()
    kept.load(fork_id)
    assert [stream for stream, _ in store.reads] == [fork_id, source_id]
    kept.load(fork_id)
    assert [stream for stream, _ in store.reads] == [fork_id, source_id, fork_id]
    assert_as_read_anew(kept, store, fork_id)


def test_a_fork_at_the_end_of_a_very_long_chain_is_read_and_little_of_the_chain_stays(
    core: Core, store: WatchedStore
) -> None:
    first_id = conversation_id = core.start()
    message_id = core.turn(first_id).reply_id
    for _ in range(2 * KEPT_CONVERSATIONS):
        conversation_id = core.fork(conversation_id, message_id)
    anew = Conversations(store)
    assert len(anew.load(conversation_id).conversation.nodes) == 2
    assert len(anew._kept) == KEPT_CONVERSATIONS
    assert_as_read_anew(anew, store, conversation_id)


def test_what_other_processes_wrote_is_seen(core: Core, store: WatchedStore) -> None:
    other = Conversations(store)
    conversation_id = core.start()
    for number in range(5):
        sent = core.send(conversation_id, str(number))
        assert other.load(conversation_id).conversation.pending_call_ids == (sent.call_id,)
        core.answer(sent)
        assert_as_read_anew(other, store, conversation_id)


def test_a_conversation_is_unknown_until_it_is_started(core: Core, kept: Conversations) -> None:
    for _ in range(2):
        with pytest.raises(UnknownConversation):
            kept.load(UNKNOWN)
    conversation_id = core.start()
    sent = core.send(conversation_id)
    with pytest.raises(UnknownConversation):
        kept.load(sent.call_id)
    assert UNKNOWN not in kept._kept
    assert sent.call_id not in kept._kept
    assert kept.load(conversation_id).conversation.id == conversation_id


def test_somebody_elses_conversation_is_as_unknown(core: Core, kept: Conversations) -> None:
    conversation_id = core.start()
    assert kept.load_own(conversation_id, OWNER).conversation.owner_id == OWNER
    with pytest.raises(UnknownConversation) as foreign:
        kept.load_own(conversation_id, STRANGER)
    assert str(conversation_id) in str(foreign.value)
    assert kept.prompts_of(conversation_id, 1) is kept.load(conversation_id).prompts


# ---- nobody changes what is kept ------------------------------------------------------------


def test_everybody_gets_a_conversation_of_their_own(
    core: Core, store: WatchedStore, kept: Conversations
) -> None:
    conversation_id = core.start()
    core.turn(conversation_id)
    mine = kept.load(conversation_id).conversation
    mine.nodes.hide(next(iter(mine.nodes)))
    mine.nodes.add(mine.nodes[next(iter(mine.nodes))])
    mine.title, mine.deleted, mine.selected_leaf_id = "Other", True, None
    mine.settings_since.append((99, mine.settings))
    mine.replays[UNKNOWN] = kept  # type: ignore[assignment]
    mine.replay_of_reply[UNKNOWN] = UNKNOWN
    assert_as_read_anew(kept, store, conversation_id)


def test_a_command_whose_append_fails_leaves_no_trace(store: WatchedStore) -> None:
    rivals = RivalStore(store)
    kept = Conversations(rivals)
    core = Core(rivals, claim=store.claim, conversations=kept)
    conversation_id = core.start()
    sent = core.turn(conversation_id)

    def disk_is_full() -> None:
        raise OSError("No space left on device")

    replay_id = core.replay(conversation_id)
    attempts: list[Callable[[], object]] = [
        lambda: core.send(conversation_id, "More"),
        lambda: core.edit(conversation_id, sent.message_id or UNKNOWN, "Other"),
        lambda: core.change(conversation_id, system_prompt="Other."),
        lambda: core.fork(conversation_id, sent.reply_id),
        lambda: core.advance(conversation_id, replay_id),
        lambda: core.delete(conversation_id),
    ]
    end = store.end()
    for attempt in attempts:
        rivals.interrupt(disk_is_full)
        with pytest.raises(OSError, match="No space left"):
            attempt()
        assert store.end() == end
        assert_as_read_anew(kept, store, conversation_id)
    follow_up = core.send(conversation_id, "At last", sent.reply_id)
    assert [text for _, text in core.prompt_of(follow_up.call_id)][1:] == ["Hi", "Hello", "At last"]


def test_a_refused_command_leaves_no_trace(store: WatchedStore) -> None:
    kept = Conversations(store)
    core = Core(store, conversations=kept, models=TooSmall(100), model="tiny")
    conversation_id = core.start()
    core.turn(conversation_id)
    with pytest.raises(PromptTooLong):
        core.send(conversation_id, "Long " * 400)
    assert_as_read_anew(kept, store, conversation_id)


def test_a_store_that_cannot_be_read_is_asked_again(core: Core, store: WatchedStore) -> None:
    conversation_id = core.start()
    fork_id = core.fork(conversation_id, core.turn(conversation_id).reply_id)

    class Broken(RivalStore):
        broken = True

        def read_events(self, stream_id: UUID, after_version: int = 0) -> list[VerbatimEvent]:
            if self.broken and stream_id == conversation_id:
                raise OSError("The database is away")
            return store.read_events(stream_id, after_version)

    away = Broken(store)
    kept = Conversations(away)
    with pytest.raises(OSError, match="away"):
        kept.load(fork_id)
    away.broken = False
    assert_as_read_anew(kept, store, fork_id)


# ---- forgetting -----------------------------------------------------------------------------


def test_what_was_not_used_for_longest_is_forgotten_when_there_is_too_much(store: WatchedStore) -> None:
    kept = Conversations(store, kept_bytes=25_000)
    core = Core(store, conversations=kept)
    ids = []
    for _ in range(4):
        ids.append(core.start())
        core.turn(ids[-1], "x" * 8_000)
        kept.load(ids[-1])
    store.reads.clear()
    for conversation_id in (ids[3], ids[2], ids[0]):
        assert_as_read_anew(kept, store, conversation_id)
    read_anew = {stream for stream, after in store.reads if after == 0}
    assert read_anew == {ids[0]}
    assert sum(one.prompts.size for one in kept._kept.values()) <= 25_000


def test_what_is_used_again_is_not_forgotten(store: WatchedStore) -> None:
    kept = Conversations(store, kept_bytes=25_000)
    core = Core(store)
    first, second, third = ids = [core.start() for _ in range(3)]
    for conversation_id in ids:
        core.turn(conversation_id, "x" * 10_000)
    for conversation_id in (first, second, first, third):
        kept.load(conversation_id)
    assert list(kept._kept) == [first, third]


def test_the_conversation_in_use_is_kept_however_large_it_is(store: WatchedStore) -> None:
    kept = Conversations(store, kept_bytes=0)
    core = Core(store, conversations=kept)
    first, second = core.start(), core.start()
    core.turn(first, "x" * 8_000)
    assert_as_read_anew(kept, store, first)
    assert list(kept._kept) == [first]
    core.turn(second)
    assert_as_read_anew(kept, store, second)
    assert list(kept._kept) == [second]
    assert_as_read_anew(kept, store, first)


def test_no_more_than_so_many_conversations_are_kept(store: WatchedStore, kept: Conversations) -> None:
    core = Core(store)
    ids = [core.start() for _ in range(KEPT_CONVERSATIONS + 10)]
    for conversation_id in ids:
        kept.load(conversation_id)
    assert list(kept._kept) == ids[10:]
    assert_as_read_anew(kept, store, ids[0])


def test_the_branches_that_forks_inherit_count_as_well(store: WatchedStore) -> None:
    kept = Conversations(store, kept_bytes=50_000)
    core = Core(store, conversations=kept)
    source_id = core.start()
    leaf = core.turn(source_id, "x" * 8_000).reply_id
    forks = [core.fork(source_id, leaf) for _ in range(20)]
    for fork_id in forks:
        assert_as_read_anew(kept, store, fork_id)
    assert len(kept._kept) < 8


def test_a_fork_goes_on_when_its_source_was_forgotten(store: WatchedStore) -> None:
    kept = Conversations(store, kept_bytes=0)
    core = Core(store, conversations=kept)
    source_id = core.start()
    fork_id = core.fork(source_id, core.turn(source_id, "One", "Two").reply_id)
    sent = core.turn(fork_id, "Three")
    assert list(kept._kept) == [fork_id]
    elsewhere = Conversations(store, kept_bytes=0)
    elsewhere.load(fork_id)
    assert list(elsewhere._kept) == [fork_id]
    assert [text for _, text in core.prompt_of(sent.call_id)][1:] == ["One", "Two", "Three"]
    assert_as_read_anew(kept, store, fork_id)


# ---- laws -----------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 99), st.integers(0, 99)), max_size=25)


def take(
    core: Core, ids: list[UUID], replays: list[tuple[UUID, UUID]], what: int, where: int, at: int
) -> None:
    """One command of a random story; refusals are part of it."""
    conversation_id, owner = ids[where % len(ids)], core.owner_id
    nodes = list(core.conversation(conversation_id).nodes)
    queue = list(core.store.queue)  # type: ignore[attr-defined]
    if what == 0 or not nodes:
        core.send(conversation_id, f"Text {at}", None)
    elif what == 1:
        ids.append(core.fork(conversation_id, nodes[at % len(nodes)]))
    elif what == 2:
        replays.append((conversation_id, core.replay(conversation_id)))
    elif what == 3 and replays:
        core.run(c.AdvanceReplay(*replays[at % len(replays)]))
    elif what in (4, 5) and queue:
        core.answer(queue[at % len(queue)], f"Reply {at}", sorted(outcomes.FINAL_OUTCOMES)[at % 5])
    else:
        node = nodes[at % len(nodes)]
        acts: list[c.Command] = [
            c.SendUserMessage(owner, conversation_id, f"Text {at}", node),
            c.EditUserMessage(owner, conversation_id, node, f"Edit {at}"),
            c.RegenerateReply(owner, conversation_id, node),
            c.HideBranch(owner, conversation_id, node),
            c.ChangeConversation(owner, conversation_id, system_prompt=f"Prompt {at}"),
            (c.DeleteConversation if at % 2 else c.RestoreConversation)(owner, conversation_id),
        ]
        core.run(acts[what % len(acts)])


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([0, 3_000, 10**9]))
def test_after_any_command_what_is_kept_is_what_would_be_read_anew(
    steps: list[tuple[int, int, int]], kept_bytes: int
) -> None:
    store = InMemoryEventStore()
    kept, watching = Conversations(store, kept_bytes), Conversations(store, kept_bytes)
    core = Core(store, conversations=kept)
    ids: list[UUID] = [core.start()]
    replays: list[tuple[UUID, UUID]] = []
    for step in steps:
        with suppress(DomainError):
            take(core, ids, replays, *step)
        for conversation_id in ids:
            for memory in (kept, watching):
                assert_as_read_anew(memory, store, conversation_id)
