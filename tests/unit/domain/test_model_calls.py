"""Rules of a model call: one end for each attempt, one final end for each call, cancels asked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.envelope import Stamp
from backend.domain.errors import AttemptRefused
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.prompt_request import PromptRequest
from tests.support.facts import CALL, CONVERSATION, CORRELATION, OWNER, Fact, fact, message_id, stamper
from tests.support.given import given_call

REQUEST = PromptRequest(leaf_id=message_id(1), version=5, model="smol", params={})
REQUESTED = fact(
    e.ModelCallRequested,
    owner_id=OWNER,
    conversation_id=CONVERSATION,
    reply_id=message_id(2),
    purpose="reply",
    source="browser",
    runner="runner",
    prompt_request=REQUEST,
    body_sha256="ab" * 32,
    body_length=123,
)
CANCEL_ASKED = fact(e.ModelCallCancelRequested, by="user:1")
END_OF = {
    outcomes.COMPLETE: e.ModelCallCompleted,
    outcomes.TRUNCATED: e.ModelCallCompleted,
    outcomes.CANCELLED: e.ModelCallCancelled,
    outcomes.INTERRUPTED: e.ModelCallInterrupted,
    outcomes.FAILED: e.ModelCallFailed,
}
FINISH_OF = {outcomes.COMPLETE: "stop", outcomes.TRUNCATED: "length"}


def attempt_started(attempt: int = 1) -> Fact:
    return fact(e.ModelCallStarted, attempt=attempt, runner="built-in", runner_version="1", worker="w1")


def attempt_ended(outcome: str, attempt: int = 1, **fields: Any) -> Fact:
    values: dict[str, Any] = {
        "attempt": attempt,
        "final": True,
        "duration_ms": 0,
        "first_token_ms": None,
        "chunk_count": 0,
        "usage": None,
        "usage_source": "none",
        "finish_reason": FINISH_OF.get(outcome),
        "response_id": None,
        "response_model": None,
        "system_fingerprint": None,
        "error": None,
        "delivered_characters": 0,
        "content": None,
    }
    return fact(END_OF[outcome], **{**values, **fields})


def start(call: ModelCall, stamp: Stamp) -> int:
    return call.start_attempt(runner="built-in", runner_version="1", worker="w1", stamp=stamp)


def end(outcome: str, attempt: int = 1, **fields: Any) -> Callable[[ModelCall, Stamp], None]:
    fields.setdefault("finish_reason", FINISH_OF.get(outcome))
    return lambda call, stamp: call.end_attempt(AttemptResult(attempt, outcome, **fields), stamp)


def cancel(call: ModelCall, stamp: Stamp) -> bool:
    return call.request_cancel(by="user:1", stamp=stamp)


def test_a_requested_call_is_pending_and_keeps_its_digest() -> None:
    call = ModelCall.request(call_id=CALL, stamp=stamper(), **REQUESTED.fields)
    assert [type(event) for event in call.collect_events()] == [e.ModelCallRequested]
    assert (call.outcome, call.is_final, call.attempts_started) == (outcomes.PENDING, False, 0)
    assert (call.prompt_request, call.body_sha256, call.body_length) == (REQUEST, "ab" * 32, 123)
    assert call.correlation_id == CORRELATION


def test_attempts_are_counted_from_one() -> None:
    happened = given_call(REQUESTED).when(start).then(attempt_started(1))
    assert happened.answer == 1


def test_a_second_attempt_waits_for_the_end_of_the_first() -> None:
    given_call(REQUESTED, attempt_started()).when(start).then_refused(AttemptRefused)


def test_after_a_failed_attempt_that_was_not_final_another_starts() -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(outcomes.FAILED, final=False)]
    happened = given_call(*past).when(start).then(attempt_started(2))
    assert happened.answer == 2
    assert not happened.aggregate.is_final


@pytest.mark.parametrize("outcome", sorted(END_OF))
def test_each_outcome_is_the_end_of_the_call(outcome: str) -> None:
    happened = given_call(REQUESTED, attempt_started()).when(end(outcome)).then(attempt_ended(outcome))
    assert (happened.aggregate.is_final, happened.aggregate.outcome) == (True, outcome)
    assert happened.aggregate.open_attempt is None


def test_an_end_keeps_all_that_was_measured() -> None:
    measured: dict[str, Any] = {
        "duration_ms": 1234,
        "first_token_ms": 56,
        "chunk_count": 7,
        "usage": e.TokenUsage(10, None),
        "usage_source": "runner",
        "response_id": "chatcmpl-1",
        "response_model": "smol-q8",
        "system_fingerprint": "fp",
        "error": e.CallError("stream_cut", "The connection broke.", 502),
        "delivered_characters": 89,
        "content": "A title",
    }
    past = [REQUESTED, attempt_started()]
    given_call(*past).when(end(outcomes.INTERRUPTED, **measured)).then(
        attempt_ended(outcomes.INTERRUPTED, **measured)
    )


@pytest.mark.parametrize("first", sorted(END_OF))
@pytest.mark.parametrize("second", sorted(END_OF))
def test_a_call_has_one_final_end_only(first: str, second: str) -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(first)]
    refusal = given_call(*past).when(end(second)).then_refused(AttemptRefused)
    assert "dropped" in str(refusal)


def test_after_its_final_end_a_call_starts_no_attempt() -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(outcomes.COMPLETE)]
    given_call(*past).when(start).then_refused(AttemptRefused)


@pytest.mark.parametrize("attempt", [0, 2, -1])
def test_the_end_of_another_attempt_than_the_open_one_is_refused(attempt: int) -> None:
    given_call(REQUESTED, attempt_started()).when(end(outcomes.FAILED, attempt)).then_refused(AttemptRefused)


def test_an_attempt_that_has_ended_has_no_second_end() -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(outcomes.FAILED, final=False)]
    given_call(*past).when(end(outcomes.COMPLETE, 1)).then_refused(AttemptRefused)
    given_call(*past).when(end(outcomes.FAILED, 1, final=False)).then_refused(AttemptRefused)


def test_before_any_attempt_a_call_ends_with_attempt_zero() -> None:
    given_call(REQUESTED).when(end(outcomes.CANCELLED, 0)).then(attempt_ended(outcomes.CANCELLED, 0))


def test_before_any_attempt_an_end_must_be_final() -> None:
    given_call(REQUESTED).when(end(outcomes.FAILED, 0, final=False)).then_refused(AttemptRefused)
    given_call(REQUESTED).when(end(outcomes.COMPLETE, 1)).then_refused(AttemptRefused)


def test_between_two_attempts_a_call_ends_with_attempt_zero() -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(outcomes.FAILED, final=False), CANCEL_ASKED]
    given_call(*past).when(end(outcomes.CANCELLED, 0)).then(attempt_ended(outcomes.CANCELLED, 0))


def test_a_cancel_is_asked_once() -> None:
    happened = given_call(REQUESTED).when(cancel).then(CANCEL_ASKED)
    assert happened.answer is True
    assert given_call(REQUESTED, CANCEL_ASKED).when(cancel).then_nothing().answer is False


@pytest.mark.parametrize("outcome", sorted(END_OF))
def test_a_cancel_that_comes_too_late_changes_nothing(outcome: str) -> None:
    past = [REQUESTED, attempt_started(), attempt_ended(outcome)]
    assert given_call(*past).when(cancel).then_nothing().answer is False


@pytest.mark.parametrize("outcome", sorted(END_OF))
def test_after_a_cancel_every_end_is_accepted(outcome: str) -> None:
    given_call(REQUESTED, attempt_started(), CANCEL_ASKED).when(end(outcome)).then(attempt_ended(outcome))


def test_how_a_stream_ended_decides_its_outcome() -> None:
    assert outcomes.outcome_of_finish("stop") == outcomes.COMPLETE
    assert outcomes.outcome_of_finish("tool_calls") == outcomes.COMPLETE
    assert outcomes.outcome_of_finish("length") == outcomes.TRUNCATED
    assert outcomes.outcome_of_finish("content_filter") == outcomes.TRUNCATED
    assert outcomes.outcome_of_finish(None) == outcomes.INTERRUPTED


def test_no_events_make_no_call() -> None:
    assert ModelCall.from_events([]) is None
