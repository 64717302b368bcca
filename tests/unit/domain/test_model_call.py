"""Every started attempt has exactly one end, every call exactly one final one."""

from __future__ import annotations

import pytest

from backend.domain.errors import AttemptRefused
from backend.domain.events import CallError
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.prompt_request import PromptRequest
from tests.support.builders import OWNER, Stamps, finished, make_id, names_of


def requested() -> ModelCall:
    call = ModelCall.request(
        call_id=make_id("call"),
        owner_id=OWNER,
        conversation_id=make_id("conversation"),
        reply_id=make_id("reply"),
        purpose="reply",
        source="browser",
        prompt_request=PromptRequest(make_id("message"), 5, "a-model", {}),
        body_sha256="0" * 64,
        body_length=10,
        stamp=Stamps(),
    )
    call.collect_events()
    return call


def start(call: ModelCall) -> int:
    return call.start_attempt(runner="r", runner_version=None, worker="w", stamp=Stamps())


@pytest.mark.parametrize(
    ("outcome", "finish_reason", "event", "recorded"),
    [
        ("complete", "stop", "ModelCallCompleted", "complete"),
        ("complete", "tool_calls", "ModelCallCompleted", "complete"),
        ("truncated", "length", "ModelCallCompleted", "truncated"),
        ("truncated", "content_filter", "ModelCallCompleted", "truncated"),
        ("failed", None, "ModelCallFailed", "failed"),
        ("cancelled", None, "ModelCallCancelled", "cancelled"),
        ("interrupted", None, "ModelCallInterrupted", "interrupted"),
    ],
)
def test_each_outcome_has_its_event_and_is_final(
    outcome: str, finish_reason: str | None, event: str, recorded: str
) -> None:
    call = requested()
    attempt = start(call)
    call.end_attempt(finished(attempt, outcome=outcome, finish_reason=finish_reason), Stamps())
    assert names_of(call.collect_events()) == ["ModelCallStarted", event]
    assert call.outcome == recorded
    with pytest.raises(AttemptRefused):
        call.end_attempt(finished(attempt), Stamps())
    with pytest.raises(AttemptRefused):
        start(call)
    assert call.collect_events() == []


def test_a_failed_attempt_that_is_not_final_can_be_followed_by_another() -> None:
    call = requested()
    failed = finished(start(call), outcome="failed", final=False, error=CallError("x", "y", 503))
    call.end_attempt(failed, Stamps())
    assert not call.is_final
    assert start(call) == 2
    call.end_attempt(finished(2), Stamps())
    assert call.outcome == "complete"


def test_two_attempts_cannot_be_open_at_once() -> None:
    call = requested()
    start(call)
    with pytest.raises(AttemptRefused):
        start(call)


@pytest.mark.parametrize("attempt", [0, 2])
def test_only_the_open_attempt_can_end(attempt: int) -> None:
    call = requested()
    start(call)
    with pytest.raises(AttemptRefused):
        call.end_attempt(finished(attempt), Stamps())


def test_a_call_can_end_before_any_attempt_began() -> None:
    call = requested()
    call.end_attempt(AttemptResult(attempt=0, outcome="cancelled"), Stamps())
    assert call.outcome == "cancelled"


def test_without_an_attempt_an_end_must_be_final() -> None:
    call = requested()
    with pytest.raises(AttemptRefused):
        call.end_attempt(AttemptResult(attempt=0, outcome="failed", final=False), Stamps())


def test_cancel_is_asked_for_once_and_never_too_late() -> None:
    call = requested()
    assert call.request_cancel(by="user:x", stamp=Stamps())
    assert not call.request_cancel(by="user:x", stamp=Stamps())
    call.end_attempt(AttemptResult(attempt=0, outcome="cancelled"), Stamps())
    assert not call.request_cancel(by="user:x", stamp=Stamps())
    assert names_of(call.collect_events()) == ["ModelCallCancelRequested", "ModelCallCancelled"]


def test_a_call_that_was_asked_to_stop_may_still_complete() -> None:
    call = requested()
    attempt = start(call)
    call.request_cancel(by="user:x", stamp=Stamps())
    call.end_attempt(finished(attempt), Stamps())
    assert call.outcome == "complete"
