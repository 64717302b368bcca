"""Whole stories through the handlers: both stores keep the same bytes, refuse the same, and fence claims alike."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest

from backend.application.ports import ClaimLost, IdempotencyKey
from backend.domain import commands as c
from backend.domain import outcomes
from backend.domain.conversation import SELECTED_LEAF
from backend.domain.errors import AttemptRefused, DomainError
from tests.contract.event_store.conftest import InMemory, OnPostgres, StoreUnderTest
from tests.support.core import WORKER, Core
from tests.support.facts import OWNER, message_id

KEY = IdempotencyKey(OWNER, "key-1", "POST /x/", "aa" * 32)


def core_on(under_test: StoreUnderTest) -> Core:
    """The heart on a store, with that store's own way to claim a call."""
    return Core(
        under_test.store, claim=claim_on(under_test.url) if isinstance(under_test, OnPostgres) else None
    )


def claim_on(url: str) -> Callable[[UUID, str], int]:
    def claim(call_id: UUID, worker: str) -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "UPDATE model_call_queue SET claimed_by = %s, claim = claim + 1, claimed_at = now()"
                " WHERE call_id = %s RETURNING claim",
                (worker, call_id),
            ).fetchone()
        assert row is not None
        return int(row[0])

    return claim


@pytest.fixture
def core(under_test: StoreUnderTest) -> Core:
    return core_on(under_test)


def tell(core: Core) -> list[object]:
    """A story with everything in it; returns all that was answered or refused."""
    answers: list[object] = []
    conversation_id = core.start(title="Grüße 😀", params={"temperature": 0.7, "stop": ["\n"]})
    first = core.send(conversation_id, 'One "quoted" \\ \x01 \u2028')
    for refused in (
        c.SendUserMessage(OWNER, conversation_id, "Too early"),
        c.SendUserMessage(OWNER, conversation_id, "Nowhere", message_id(9)),
        c.SendUserMessage(OWNER, conversation_id, "Stale", SELECTED_LEAF, expected_version=1),
        c.CancelModelCall(OWNER, message_id(9)),
    ):
        try:
            core.run(refused)
        except DomainError as error:
            answers.append((error.code, str(error)))
    claim = core.claim(first.call_id)
    core.begin(first.call_id, claim)
    answers.append(core.record(first.call_id, claim, "", outcomes.FAILED, final=False))
    core.begin(first.call_id, claim)
    answers.append(core.record(first.call_id, claim, "שלום", outcomes.INTERRUPTED, attempt=2))
    answers.append(core.regenerate(conversation_id, first.reply_id))
    answers.append(core.change(conversation_id, title="Tea", pinned=True, system_prompt="", params={}))
    command = c.SendUserMessage(OWNER, conversation_id, "Again", first.reply_id)
    answers += [core.run(command, key=KEY), core.run(command, key=KEY)]
    answers.append(core.cancel(UUID(core.run(command, key=KEY).body["call_id"])))
    answers.append(core.delete(conversation_id))
    answers.append(core.restore(conversation_id))
    answers.append(core.prompt_of(core.send(conversation_id, "Last", None).call_id))
    return answers


def test_a_story_is_stored_to_the_same_bytes_in_memory_and_on_postgresql(on_postgres: OnPostgres) -> None:
    in_memory = InMemory()
    told = [(tell(core_on(each)), stored(each)) for each in (in_memory, on_postgres)]
    assert told[0][0] == told[1][0]
    assert told[0][1] == told[1][1]
    assert in_memory.queued() == on_postgres.queued() != []


def stored(under_test: StoreUnderTest) -> list[tuple[UUID, int, str, bytes]]:
    """Every event in the order of positions, as it lies in the store."""
    found = []
    for recorded in under_test.read_after(0, 1000):
        event = recorded.event
        row = under_test.store.read_stream(event.originator_id, event.originator_version - 1, 1)[0]
        assert row.position == recorded.position
        found.append((row.stream_id, row.version, row.topic, row.payload_bytes))
    return found


def test_with_its_claim_a_worker_starts_and_ends_and_the_call_leaves_the_queue(
    core: Core, under_test: StoreUnderTest
) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    assert under_test.queued() == [sent.call_id]
    core.record(sent.call_id, claim, "", outcomes.FAILED, final=False)
    assert under_test.queued() == [sent.call_id], "a further attempt may follow"
    core.begin(sent.call_id, claim)
    core.record(sent.call_id, claim, "Hello", attempt=2)
    assert under_test.queued() == []
    assert core.topics(sent.call_id) == [
        "ModelCallRequested",
        "ModelCallStarted",
        "ModelCallFailed",
        "ModelCallStarted",
        "ModelCallCompleted",
    ]


@pytest.mark.parametrize("stale", ["older claim", "other worker"])
def test_a_stale_claim_stores_nothing_and_keeps_the_queue(
    core: Core, under_test: StoreUnderTest, stale: str
) -> None:
    sent = core.send(core.start())
    old = core.claim(sent.call_id)
    core.begin(sent.call_id, old)
    new = core.claim(sent.call_id, "worker-2")
    before = under_test.read_after(0, 100)
    claim, worker = (old, WORKER) if stale == "older claim" else (new, WORKER)
    with pytest.raises(ClaimLost):
        core.record(sent.call_id, claim, worker=worker)
    assert under_test.read_after(0, 100) == before
    assert under_test.queued() == [sent.call_id]
    core.record(sent.call_id, new, "Hel", outcomes.INTERRUPTED, worker="worker-2")
    with pytest.raises(AttemptRefused):
        core.record(sent.call_id, old, "Hello")
    assert [x["content"] for x in core.payloads(sent.conversation_id, "ReplyRecorded")] == ["Hel"]


def test_a_waiting_call_is_cancelled_and_a_claimed_one_is_asked(
    core: Core, under_test: StoreUnderTest
) -> None:
    waiting, claimed = core.send(core.start()), core.send(core.start())
    core.claim(claimed.call_id)
    core.cancel(waiting.call_id)
    core.cancel(claimed.call_id)
    assert core.topics(waiting.call_id)[-1] == "ModelCallCancelled"
    assert core.topics(claimed.call_id)[-1] == "ModelCallCancelRequested"
    assert under_test.queued() == [claimed.call_id]


def test_a_store_in_memory_can_be_told_twice_to_the_same_bytes() -> None:
    first, second = InMemory(), InMemory()
    tell(core_on(first))
    tell(core_on(second))
    assert stored(first) == stored(second)
