"""What began and did not end, ended twice, or came from nowhere is found; what is under way is counted apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.audit.coverage import CoverageCheck, CoverageProblem
from backend.audit.leaves import erased_payload
from backend.audit.log_check import EventRow

Told = tuple[str, dict[str, Any]]

CALL, TALK, REPLY = "call-1", "talk-1", "reply-1"
REQUESTED: Told = ("ModelCallRequested.v2", {})
REPLIED: list[Told] = [
    ("ReplyRequested.v2", {"reply_id": REPLY, "call_id": CALL}),
    ("ReplyRecorded.v1", {"reply_id": REPLY, "call_id": CALL}),
]


def started(attempt: int) -> Told:
    return ("ModelCallStarted.v1", {"attempt": attempt})


def ended(kind: str, attempt: int, *, final: bool = True) -> Told:
    return (f"ModelCall{kind}.v1", {"attempt": attempt, "final": final})


def stream(stream_id: str, *told: Told) -> list[EventRow]:
    return [
        EventRow(100 + version, stream_id, version, topic, json.dumps(payload).encode())
        for version, (topic, payload) in enumerate(told, start=1)
    ]


def check(
    *streams: list[EventRow], queued: tuple[str, ...] = ()
) -> tuple[CoverageCheck, list[CoverageProblem]]:
    found = CoverageCheck(queued)
    return found, list(found.run(streams))


@pytest.mark.parametrize(
    "told",
    [
        [started(1), ended("Completed", 1)],
        [started(1), ended("Failed", 1, final=False), started(2), ended("Completed", 2)],
        [ended("Cancelled", 0)],
        [ended("Failed", 0)],
        [started(1), ("ModelCallCancelRequested.v1", {"by": "x"}), ended("Cancelled", 1)],
        [started(1), ended("Interrupted", 1)],
    ],
)
def test_what_ended_once_is_in_order(told: list[Told]) -> None:
    told = [each for each in told if "CancelRequested" not in each[0]]  # it is not asked for
    found, problems = check(stream(CALL, REQUESTED, *told), stream(TALK, *REPLIED))
    assert problems == []
    assert (found.calls, found.replies, found.running) == (1, 1, 0)
    assert sum(found.ends.values()) == sum(1 for topic, _ in told if not topic.startswith("ModelCallStarted"))


@pytest.mark.parametrize(
    "told",
    [
        [],
        [started(1)],
        [started(1), ended("Failed", 1, final=False)],
        [started(1), ended("Failed", 1, final=False), started(2)],
    ],
)
def test_what_is_under_way_is_counted_apart_and_what_nobody_carries_out_is_named(told: list[Told]) -> None:
    streams = stream(CALL, REQUESTED, *told), stream(TALK, REPLIED[0])
    found, problems = check(*streams, queued=(CALL,))
    assert problems == []
    assert found.running == 1
    _, problems = check(*streams)
    assert {"call", "reply"} <= {problem.kind for problem in problems}
    assert all(CALL in problem.detail for problem in problems)


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        (
            [started(1), ended("Failed", 1, final=False), started(2), ended("Failed", 2), started(3)],
            "call",
            "after the final end",
        ),
        ([started(1), ended("Completed", 1), ended("Completed", 1)], "attempt", "ended 2 times"),
        (
            [started(1), started(2), ended("Completed", 2)],
            "attempt",
            "Attempt 1 of call call-1 was started, but never ended",
        ),
        ([ended("Completed", 1)], "attempt", "never started"),
        ([started(2), ended("Completed", 2)], "attempt", "started its attempts as [2]"),
        ([started(1), ended("Completed", 1, final=False)], "call", "no final end"),
    ],
)
def test_whatever_else_is_named(told: list[Told], kind: str, said: str) -> None:
    _, problems = check(stream(CALL, REQUESTED, *told), stream(TALK, *REPLIED))
    assert any(problem.kind == kind and said in problem.detail for problem in problems), problems


def test_a_call_without_its_request_is_named() -> None:
    _, problems = check(stream(CALL, started(1), ended("Completed", 1)))
    assert "not with its request" in problems[0].detail


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([*REPLIED, REPLIED[1]], "once more"),
        ([REPLIED[1]], "nobody requested"),
        ([REPLIED[0]], "never recorded"),
    ],
)
def test_replies_are_recorded_once(told: list[Told], said: str) -> None:
    _, problems = check(stream(TALK, *told))
    assert [problem.kind for problem in problems] == ["reply"]
    assert said in problems[0].detail


def erased(events: list[EventRow]) -> list[EventRow]:
    return [event._replace(payload=erased_payload(event.payload)) for event in events]


def test_of_what_was_erased_the_kinds_still_have_to_fit() -> None:
    call = stream(CALL, REQUESTED, started(1), ended("Completed", 1))
    found, problems = check(erased(call), erased(stream(TALK, *REPLIED)))
    assert problems == []
    assert (found.calls, found.attempts, found.replies, found.erased) == (1, 1, 1, 1)
    _, problems = check(erased(call[:-1]), erased(stream(TALK, REPLIED[0])))
    assert {problem.kind for problem in problems} == {"call", "reply"}


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"[]", b"null", b"\xff", b"{}", b'{"attempt":"1"}', b'{"attempt":[]}', b"[" * 100_000],
)
def test_an_event_that_cannot_be_read_is_named_and_the_others_are_looked_at(payload: bytes) -> None:
    events = stream(CALL, REQUESTED, started(1), ended("Completed", 1))
    other = stream("call-2", REQUESTED, started(1))
    for place in (1, 2):
        changed = [*events]
        changed[place] = changed[place]._replace(payload=payload)
        _, problems = check(changed, other)
        assert problems[0].kind == "event"
        assert f" at position {events[place].position} " in problems[0].detail
        assert any("call-2" in problem.detail for problem in problems)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"reply_id":[],"call_id":"x"}', b'{"reply_id":"x"}']
)
def test_a_reply_that_cannot_be_read_is_named(place: int, payload: bytes) -> None:
    events = stream(TALK, *REPLIED)
    events[place] = events[place]._replace(payload=payload)
    _, problems = check(events)
    assert problems[0].kind == "event"
    assert f" at position {events[place].position} " in problems[0].detail
