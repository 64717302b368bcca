"""Many threads of one process at the same conversations, with one memory of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from backend.application.conversations import Conversations
from backend.application.history import prompt_to_send, rebuild_prompt
from backend.domain.errors import TooManyConflicts
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, Sent
from tests.support.facts import CountedIds
from tests.support.kept import assert_as_read_anew
from tests.support.replays import newest


def sent_by_many(store: InMemoryEventStore, kept: Conversations, ids: list[UUID]) -> list[Sent]:
    """16 threads, each writing three times to each conversation, below each other's messages and beside them."""

    def write(thread: int) -> list[Sent]:
        core = Core(store, ids=CountedIds(0x10 + thread), conversations=kept)
        made: list[Sent] = []
        for turn in range(3):
            for conversation_id in ids:
                parent = (
                    made[-1].message_id if turn % 2 and made[-1].conversation_id == conversation_id else None
                )
                while True:
                    try:
                        made.append(core.send(conversation_id, f"{thread}/{turn}", parent))
                        break
                    except TooManyConflicts:
                        continue
                call = store.read_call(made[-1].call_id)
                assert prompt_to_send(kept, call).prompt == prompt_to_send(Conversations(store), call).prompt
                assert prompt_to_send(kept, call).identical
        return made

    with ThreadPoolExecutor(16) as pool:
        return [sent for found in pool.map(write, range(16)) for sent in found]


@pytest.mark.parametrize("kept_bytes", [0, 10**9], ids=["forgetting", "keeping"])
def test_many_threads_write_to_the_same_conversations(kept_bytes: int) -> None:
    store = InMemoryEventStore()
    kept = Conversations(store, kept_bytes)
    core = Core(store, conversations=kept)
    source_id = core.start()
    fork_id = core.fork(source_id, core.turn(source_id, "One", "Two").reply_id)
    sent = sent_by_many(store, kept, [source_id, fork_id])
    assert len({one.call_id for one in sent}) == 16 * 3 * 2
    for conversation_id in (source_id, fork_id):
        own = [one for one in sent if one.conversation_id == conversation_id]
        nodes = core.conversation(conversation_id).nodes
        assert all(one.message_id in nodes and one.reply_id in nodes for one in own)
        assert_as_read_anew(kept, store, conversation_id)
    for one in sent:
        call = store.read_call(one.call_id)
        rebuilt = rebuild_prompt(store, call)
        assert rebuilt.identical
        assert prompt_to_send(kept, call).prompt.body == rebuilt.prompt.body


def test_two_threads_at_one_replay_take_each_turn_once() -> None:
    store = InMemoryEventStore()
    kept = Conversations(store)
    core = Core(store, conversations=kept)
    conversation_id = core.start()
    for number in range(10):
        core.turn(conversation_id, str(number))
    replay_id = core.replay(conversation_id)
    workers = [Core(store, ids=CountedIds(0x20 + n), conversations=kept) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            steps = list(pool.map(lambda worker: worker.advance(conversation_id, replay_id), workers))
            assert sorted(step or "" for step in steps) == ["", "", "", "send"]
            assert len(store.queue) == 1
            core.answer(newest(core, conversation_id, replay_id))
    assert core.advance(conversation_id, replay_id) == "finish"
