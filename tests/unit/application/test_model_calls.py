"""What workers record and people cancel, through the handlers, on the store in memory."""

from __future__ import annotations

from uuid import UUID

import pytest

from backend.application.history import rebuild_prompt
from backend.application.ports import ClaimLost, QueueCall
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import AttemptRefused, UnknownModelCall
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.prompt_request import PromptRequest
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import WORKER, Core
from tests.support.facts import CALL, OWNER, STRANGER, CountedIds, message_id, stamper
from tests.support.rivals import RivalStore, conflict


def test_an_attempt_is_started_and_recorded_with_its_reply_in_one_commit(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    assert core.begin(sent.call_id, claim) == 1
    before = store.end()
    answer = core.record(sent.call_id, claim, "Hello")
    assert answer.body == {"position": str(before + 2)}
    assert core.topics(sent.call_id) == ["ModelCallRequested", "ModelCallStarted", "ModelCallCompleted"]
    reply = core.payloads(sent.conversation_id, "ReplyRecorded")
    assert [(x["reply_id"], x["call_id"], x["content"], x["outcome"], x["finish_reason"]) for x in reply] == [
        (str(sent.reply_id), str(sent.call_id), "Hello", "complete", "stop")
    ]
    assert core.payloads(sent.call_id, "ModelCallCompleted")[0]["content"] is None, "a text is stored once"
    assert not store.queue


def test_the_reply_keeps_reasoning_tool_calls_and_the_error(core: Core) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    error = e.ReplyError("stream_cut", "The connection to the model broke.")
    call = core.store.read_call(sent.call_id)
    tool_calls = ({"id": "1", "function": {"name": "add", "arguments": '{"a": 1}'}},)
    result = AttemptResult(1, outcomes.INTERRUPTED, error=e.CallError("stream_cut", "cut", 502))
    core.run(c.RecordModelCallResult(call.id, result, "Hel", "hm", tool_calls, error, WORKER, claim))
    reply = core.payloads(sent.conversation_id, "ReplyRecorded")[0]
    assert (reply["content"], reply["reasoning"], reply["tool_calls"]) == ("Hel", "hm", list(tool_calls))
    assert reply["error"] == {"code": "stream_cut", "message": "The connection to the model broke."}
    ended = core.payloads(sent.call_id, "ModelCallInterrupted")[0]
    assert ended["error"] == {"code": "stream_cut", "message": "cut", "http_status": 502}


def test_a_failed_attempt_that_is_not_final_leaves_the_reply_pending(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    core.record(sent.call_id, claim, "", outcomes.FAILED, final=False)
    assert core.payloads(sent.conversation_id, "ReplyRecorded") == []
    assert list(store.queue) == [sent.call_id]
    assert core.begin(sent.call_id, claim) == 2
    core.record(sent.call_id, claim, "Hello", attempt=2)
    assert len(core.payloads(sent.conversation_id, "ReplyRecorded")) == 1


def test_an_attempt_is_decided_on_what_its_worker_saw_unless_the_call_has_changed_since(core: Core) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    seen = core.store.read_call(sent.call_id)
    core.cancel(sent.call_id)
    start = c.StartModelCallAttempt(sent.call_id, "built-in", "1.0", WORKER, claim, seen)
    assert core.run(start, actor=f"model-calls:{WORKER}").body["attempt"] == 1
    assert core.topics(sent.call_id) == ["ModelCallRequested", "ModelCallCancelRequested", "ModelCallStarted"]
    assert (seen.attempts_started, seen.pending_events) == (0, []), "what the worker holds is not changed"
    with pytest.raises(AttemptRefused):
        core.run(start, actor=f"model-calls:{WORKER}")


@pytest.mark.parametrize("stale", ["claim", "worker"])
def test_with_a_stale_claim_nothing_is_stored(core: Core, store: InMemoryEventStore, stale: str) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    end = store.end()
    number, worker = (claim - 1, WORKER) if stale == "claim" else (claim, "worker-2")
    with pytest.raises(ClaimLost):
        core.record(sent.call_id, number, worker=worker)
    assert store.end() == end
    assert core.store.read_call(sent.call_id).outcome == outcomes.PENDING
    assert list(store.queue) == [sent.call_id]


def test_with_a_stale_claim_no_attempt_is_started(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    old = core.claim(sent.call_id)
    new = core.claim(sent.call_id, "worker-2")
    end = store.end()
    with pytest.raises(ClaimLost):
        core.begin(sent.call_id, old)
    assert store.end() == end
    assert core.begin(sent.call_id, new, "worker-2") == 1


def test_a_second_result_is_dropped_whoever_brings_it(core: Core, store: InMemoryEventStore) -> None:
    """A worker that was taken for dead comes back after the sweep recorded what was received."""
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    sweep = core.claim(sent.call_id, "sweep")
    core.record(sent.call_id, sweep, "Hel", outcomes.INTERRUPTED, worker="sweep")
    end = store.end()
    for worker, number in ((WORKER, claim), ("sweep", sweep)):
        with pytest.raises(AttemptRefused):
            core.record(sent.call_id, number, "Hello", worker=worker)
    assert store.end() == end
    assert [x["content"] for x in core.payloads(sent.conversation_id, "ReplyRecorded")] == ["Hel"]


def test_two_results_at_the_same_moment_one_is_recorded(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    rivals = RivalStore(store)

    def sweep() -> None:
        core.record(
            sent.call_id, core.claim(sent.call_id, "sweep"), "Hel", outcomes.INTERRUPTED, worker="sweep"
        )

    rivals.interrupt(sweep)
    with pytest.raises(AttemptRefused):
        Core(rivals, ids=CountedIds(0xB)).record(sent.call_id, claim, "Hello")
    assert [x["content"] for x in core.payloads(sent.conversation_id, "ReplyRecorded")] == ["Hel"]


def test_a_result_finds_its_place_beside_a_message_sent_meanwhile(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    rivals = RivalStore(store)

    def somebody_else() -> None:
        core.send(sent.conversation_id, "Meanwhile", None)

    rivals.interrupt(somebody_else, conflict)
    Core(rivals, ids=CountedIds(0xB)).record(sent.call_id, claim, "Hello")
    assert core.topics(sent.conversation_id)[-1] == "ReplyRecorded"
    assert len(core.payloads(sent.call_id, "ModelCallCompleted")) == 1


def test_a_reply_is_recorded_in_a_deleted_conversation(core: Core) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    core.delete(sent.conversation_id)
    core.record(sent.call_id, claim, "Hel", outcomes.CANCELLED)
    core.restore(sent.conversation_id)
    core.send(sent.conversation_id, "More")
    assert core.store.read_call(sent.call_id).is_final


# ---- cancel ---------------------------------------------------------------------------------


def test_a_call_that_nobody_has_claimed_is_cancelled_at_once(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    answer = core.cancel(sent.call_id)
    assert answer.status == 202
    assert core.topics(sent.call_id) == [
        "ModelCallRequested",
        "ModelCallCancelRequested",
        "ModelCallCancelled",
    ]
    ended = core.payloads(sent.call_id, "ModelCallCancelled")[0]
    assert (ended["attempt"], ended["final"]) == (0, True)
    reply = core.payloads(sent.conversation_id, "ReplyRecorded")[0]
    assert (reply["content"], reply["outcome"], reply["error"]) == ("", "cancelled", None)
    assert not store.queue
    assert store.announced_cancels == []
    core.send(sent.conversation_id, "Something else")


def test_a_running_call_is_asked_to_stop(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    core.cancel(sent.call_id)
    assert core.topics(sent.call_id)[-1] == "ModelCallCancelRequested"
    assert core.payloads(sent.call_id, "ModelCallCancelRequested")[0]["by"] == f"user:{core.owner_id}"
    assert store.announced_cancels == [sent.call_id]
    assert core.payloads(sent.conversation_id, "ReplyRecorded") == []
    core.record(sent.call_id, claim, "Hel", outcomes.CANCELLED)


def test_a_call_that_is_claimed_but_not_started_is_asked_to_stop(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    core.claim(sent.call_id)
    core.cancel(sent.call_id)
    assert core.topics(sent.call_id) == ["ModelCallRequested", "ModelCallCancelRequested"]
    assert store.announced_cancels == [sent.call_id]


def test_a_worker_that_claims_at_the_same_moment_is_asked_to_stop(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    rivals = RivalStore(store)

    def a_worker() -> None:
        core.begin(sent.call_id, core.claim(sent.call_id))

    rivals.interrupt(a_worker)
    Core(rivals, ids=CountedIds(0xB)).cancel(sent.call_id)
    assert core.topics(sent.call_id) == ["ModelCallRequested", "ModelCallStarted", "ModelCallCancelRequested"]
    assert store.announced_cancels == [sent.call_id]


def test_a_worker_that_finishes_at_the_same_moment_makes_the_cancel_too_late(
    core: Core, store: InMemoryEventStore
) -> None:
    sent = core.send(core.start())
    rivals = RivalStore(store)

    def a_worker() -> None:
        core.answer(sent)

    rivals.interrupt(a_worker)
    assert Core(rivals, ids=CountedIds(0xB)).cancel(sent.call_id).status == 202
    assert "ModelCallCancelRequested" not in core.topics(sent.call_id)


@pytest.mark.parametrize("running", [True, False])
def test_a_repeated_cancel_stores_nothing(core: Core, store: InMemoryEventStore, running: bool) -> None:
    sent = core.send(core.start())
    if running:
        core.claim(sent.call_id)
    core.cancel(sent.call_id)
    end = store.end()
    assert core.cancel(sent.call_id).body == {"position": str(end)}
    assert core.cancel(sent.call_id).status == 202
    assert store.end() == end


def test_a_cancel_that_comes_too_late_stores_nothing(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    core.answer(sent)
    end = store.end()
    assert core.cancel(sent.call_id).status == 202
    assert store.end() == end
    assert store.announced_cancels == []


def test_a_call_can_be_cancelled_in_a_deleted_conversation(core: Core, store: InMemoryEventStore) -> None:
    sent = core.send(core.start())
    core.claim(sent.call_id)
    core.begin(sent.call_id, 1)
    core.delete(sent.conversation_id)
    assert core.cancel(sent.call_id).status == 202
    assert core.topics(sent.call_id).count("ModelCallCancelRequested") == 1


def test_somebody_elses_call_is_unknown(core: Core) -> None:
    sent = core.send(core.start())
    for command in (c.CancelModelCall(STRANGER, sent.call_id), c.CancelModelCall(STRANGER, message_id(9))):
        with pytest.raises(UnknownModelCall):
            core.run(command)
    with pytest.raises(UnknownModelCall):
        core.cancel(sent.conversation_id)


def test_a_prompt_can_be_rebuilt_at_any_time(core: Core) -> None:
    sent = core.send(core.start())
    mine = rebuild_prompt(core.store, core.store.read_call(sent.call_id))
    assert mine.identical
    recorded = core.payloads(sent.call_id, "ModelCallRequested")[0]
    assert (recorded["body_sha256"], recorded["body_length"]) == (
        mine.prompt.body_sha256,
        len(mine.prompt.body),
    )


def test_a_call_whose_recorded_digest_is_another_is_not_identical(core: Core) -> None:
    sent = core.send(core.start())
    rebuilt = rebuild_prompt(core.store, core.store.read_call(sent.call_id))
    rebuilt.call.body_sha256 = "00" * 32
    assert not rebuilt.identical


def test_ends_of_calls_without_a_reply_record_none(core: Core, store: InMemoryEventStore) -> None:
    """A title's text stays in the call's own end, since no reply holds it."""
    call = ModelCall.request(
        call_id=CALL,
        owner_id=OWNER,
        conversation_id=None,
        reply_id=None,
        purpose="external",
        source="openai",
        prompt_request=PromptRequest(None, 0, "smol", {}, raw_body="{}"),
        body_sha256="00" * 32,
        body_length=2,
        stamp=stamper(),
    )
    store.append(call, companions=[QueueCall(CALL, None, OWNER)])
    claim = core.claim(CALL)
    core.begin(CALL, claim)
    result = AttemptResult(1, outcomes.COMPLETE, finish_reason="stop", content="Tea")
    core.run(c.RecordModelCallResult(CALL, result, "Tea", "", (), None, WORKER, claim))
    assert core.payloads(CALL, "ModelCallCompleted")[0]["content"] == "Tea"
    assert store.end() == 3


def test_an_unknown_call_takes_no_attempt_and_no_end(core: Core) -> None:
    unknown = UUID(int=9)
    with pytest.raises(UnknownModelCall):
        core.begin(unknown, 1)
    with pytest.raises(UnknownModelCall):
        core.record(unknown, 1)
