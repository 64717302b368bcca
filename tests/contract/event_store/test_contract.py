"""What every event store promises to handlers, on the one in memory and on PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from backend.application.ports import (
    AppendConflict,
    ClaimFence,
    ClaimLost,
    DequeueUnclaimedCall,
    IdempotencyKey,
    QueueCall,
    Receipt,
    ReceiptExists,
)
from backend.domain.conversation import SELECTED_LEAF, Conversation
from backend.domain.conversation_changes import Settings
from backend.domain.errors import UnknownConversation, UnknownModelCall
from backend.domain.events import ForkOrigin
from tests.contract.event_store.conftest import StoreUnderTest
from tests.support.builders import OWNER, Stamps


def conversation(name: str = "A title") -> Conversation:
    return Conversation.start(
        conversation_id=uuid4(),
        owner_id=OWNER,
        title=name,
        settings=Settings("Be brief.", "a-model", {"temperature": "0.7", "stop": ["x"]}),
        stamp=Stamps(name),
    )


def receipt(key: str = "k") -> Receipt:
    return Receipt(
        IdempotencyKey(OWNER, key, "POST /x/", "digest"), 201, {"id": "1", "nested": {"a": [1, None]}}
    )


def test_what_is_appended_is_read_back_equal(under_test: StoreUnderTest) -> None:
    made = conversation("Grüße 👋\u2028")
    pending = list(made.pending_events)
    under_test.store.append(made)
    [only] = under_test.store.read_history(made.id)
    assert list(only.events) == pending
    assert [type(event) for event in only.events] == [type(event) for event in pending]


def test_positions_increase_and_the_answer_is_the_highest(under_test: StoreUnderTest) -> None:
    first = under_test.store.append(conversation())
    second = under_test.store.append(conversation())
    read = under_test.read_after(0, 100)
    assert [r.position for r in read] == sorted({r.position for r in read})
    assert second == read[-1].position > first == read[2].position
    assert [r.event for r in under_test.read_after(first, 2)] == [r.event for r in read[3:5]]


def test_nothing_pending_answers_the_present_end(under_test: StoreUnderTest) -> None:
    assert under_test.store.append() == 0
    made = conversation()
    end = under_test.store.append(made)
    assert under_test.store.append(made) == end


def test_of_two_who_append_the_same_version_the_second_is_refused_whole(under_test: StoreUnderTest) -> None:
    made = conversation()
    under_test.store.append(made)
    rivals = [Conversation.from_events(under_test.store.read_history(made.id)[-1].events) for _ in range(2)]
    bystander = conversation("Bystander")
    for place, rival in enumerate(rivals):
        assert rival is not None
        rival.rename(f"Name {place}", Stamps(f"rival {place}"))
    assert rivals[0] is not None
    assert rivals[1] is not None
    end = under_test.store.append(rivals[0])
    with pytest.raises(AppendConflict):
        under_test.store.append(
            bystander, rivals[1], companions=[QueueCall(uuid4(), made.id, OWNER), receipt()]
        )
    assert under_test.read_after(end, 10) == []
    assert under_test.queued() == []
    assert under_test.store.find_receipt(OWNER, "k") is None


def test_history_can_stop_at_a_version(under_test: StoreUnderTest) -> None:
    made = conversation()
    made.rename("Later", Stamps())
    under_test.store.append(made)
    assert [e.originator_version for e in under_test.store.read_history(made.id, 2)[-1].events] == [1, 2]


def test_unknown_ids_are_unknown(under_test: StoreUnderTest) -> None:
    with pytest.raises(UnknownConversation):
        under_test.store.read_history(uuid4())
    with pytest.raises(UnknownModelCall):
        under_test.store.read_call(uuid4())
    assert under_test.store.read_stream(uuid4(), 0, 10) == ()


def test_a_streams_rows_are_its_stored_events(under_test: StoreUnderTest) -> None:
    made = conversation()
    under_test.store.append(made)
    rows = under_test.store.read_stream(made.id, 1, 1)
    assert [(row.version, row.topic, row.payload["text"]) for row in rows] == [
        (2, "SystemPromptChanged.v1", "Be brief.")
    ]
    assert rows[0].payload["at"] == "2026-01-02T03:04:05.680901Z"


def test_a_fork_of_a_fork_brings_its_chain_root_first(under_test: StoreUnderTest) -> None:
    root = conversation("Root")
    root.send_user_message(message_id=uuid4(), parent_id=SELECTED_LEAF, content="Hello", stamp=Stamps("m"))
    chain = [root]
    for name in ("Fork", "Fork of the fork"):
        source, fork = chain[-1], conversation(name)
        origin = ForkOrigin(source.id, source.version - 1, uuid4())
        fork.pending_events[0] = replace(fork.pending_events[0], forked_from=origin)  # type: ignore[type-var]  # events are dataclasses at run time
        chain.append(fork)
    for each in chain:
        under_test.store.append(each)
    history = under_test.store.read_history(chain[-1].id)
    assert [part.conversation_id for part in history] == [each.id for each in chain]
    assert [part.events[-1].originator_version for part in history] == [3, 2, 3]


# ---- companions -------------------------------------------------------------------------------


def test_a_receipt_is_kept_with_the_commits_position(under_test: StoreUnderTest) -> None:
    position = under_test.store.append(conversation(), companions=[receipt()])
    kept = under_test.store.find_receipt(OWNER, "k")
    assert kept is not None
    assert (kept.key, kept.status) == (receipt().key, 201)
    assert kept.body == {"id": "1", "nested": {"a": [1, None]}, "position": str(position)}
    assert under_test.store.find_receipt(uuid4(), "k") is None


def test_a_second_receipt_for_a_key_refuses_its_whole_append(under_test: StoreUnderTest) -> None:
    end = under_test.store.append(conversation(), companions=[receipt()])
    with pytest.raises(ReceiptExists):
        under_test.store.append(conversation(), companions=[receipt(), QueueCall(uuid4(), None, OWNER)])
    assert under_test.read_after(end, 10) == []
    assert under_test.queued() == []


def test_a_receipt_can_be_kept_without_any_event(under_test: StoreUnderTest) -> None:
    end = under_test.store.append(conversation())
    assert under_test.store.append(companions=[receipt()]) == end
    kept = under_test.store.find_receipt(OWNER, "k")
    assert kept is not None
    assert kept.body["position"] == str(end)


def test_a_queued_call_can_be_taken_out_once(under_test: StoreUnderTest) -> None:
    call_id = uuid4()
    under_test.store.append(conversation(), companions=[QueueCall(call_id, None, OWNER)])
    assert under_test.queued() == [call_id]
    end = under_test.store.append(conversation(), companions=[DequeueUnclaimedCall(call_id)])
    assert under_test.queued() == []
    with pytest.raises(ClaimLost):
        under_test.store.append(conversation(), companions=[DequeueUnclaimedCall(call_id)])
    assert under_test.read_after(end, 10) == []


def test_without_the_claim_nothing_is_stored(under_test: StoreUnderTest) -> None:
    call_id = uuid4()
    end = under_test.store.append(conversation(), companions=[QueueCall(call_id, None, OWNER)])
    with pytest.raises(ClaimLost):
        under_test.store.append(conversation(), companions=[ClaimFence(call_id, "w", 1, done=True)])
    assert under_test.read_after(end, 10) == []
    assert under_test.queued() == [call_id]
