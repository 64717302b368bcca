"""Everything that can be done to the store or its log by SQL is found, and named by its position."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from backend.audit.checkpoints import Checkpoint
from backend.audit.leaves import erased_payload, leaf_data
from backend.audit.log_check import EventRow, LeafRow, LogCheck, LogProblem, SignedRoot
from backend.audit.merkle import Growing, leaf_hash

STEP = 2  # subtrees of four leaves are stored, so that a few events make some
EVENTS = 23
STREAMS = [str(UUID(int=number + 1)) for number in range(3)]


class Stored:
    """A store and its log, as honest parts wrote them; tests then change them."""

    def __init__(self) -> None:
        self.events = [
            EventRow(
                10 + 2 * number, STREAMS[number % 3], number // 3 + 1, "Said.v1", b'{"text":"%d"}' % number
            )
            for number in range(EVENTS)
        ]
        self.leaves: list[LeafRow] = []
        self.subtrees: dict[tuple[int, int], bytes] = {}
        self.signed: list[SignedRoot] = []
        self.log()

    def log(self) -> None:
        """Write the log anew, over the events as they are."""

        def keep(level: int, index: int, found: bytes) -> None:
            if level % STEP == 0:
                self.subtrees[level, index] = found

        tree = Growing(completed=keep)
        self.leaves, self.signed = [], []
        self.subtrees.clear()
        for event in self.events:
            found = leaf_hash(leaf_data(event.stream, event.version, event.topic, event.payload))
            self.leaves.append(LeafRow(tree.size, event.position, found))
            tree.add(found)
            if tree.size % 10 == 0:
                self.sign(tree, f"checkpoint {tree.size // 10}")

    def sign(self, tree: Growing, where: str) -> None:
        self.signed.append(SignedRoot(Checkpoint("example.com/log", tree.size, tree.root()), where))

    def check(self) -> tuple[LogCheck, list[LogProblem]]:
        check = LogCheck(self.signed, self.subtrees, STEP)
        return check, list(check.run(self.events, self.leaves))

    def problems(self) -> list[tuple[str, str]]:
        return [(problem.kind, problem.detail) for problem in self.check()[1]]

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.problems()}


@pytest.fixture
def stored() -> Stored:
    return Stored()


def test_an_honest_log_holds(stored: Stored) -> None:
    check, problems = stored.check()
    assert problems == []
    assert (check.size, check.behind, check.erased, check.checkpoints) == (EVENTS, 0, 0, 2)


def test_nothing_at_all_holds() -> None:
    check = LogCheck([], {}, STEP)
    assert list(check.run([], [])) == []
    assert check.size == 0


def test_events_that_have_no_leaf_yet_are_counted(stored: Stored) -> None:
    stored.leaves = stored.leaves[:20]
    stored.subtrees = {key: found for key, found in stored.subtrees.items() if (key[1] + 1) << key[0] <= 20}
    check, problems = stored.check()
    assert problems == []
    assert (check.size, check.behind) == (20, 3)


@pytest.mark.parametrize("at", range(EVENTS))
def test_a_changed_event_is_named(stored: Stored, at: int) -> None:
    event = stored.events[at]
    changes: list[Callable[[EventRow], EventRow]] = [
        lambda row: row._replace(payload=row.payload[:-1] + bytes([row.payload[-1] ^ 1])),
        lambda row: row._replace(topic="Said.v2"),
        lambda row: row._replace(version=row.version + 1),
        lambda row: row._replace(stream=str(UUID(int=9))),
    ]
    for change in changes:
        stored.events[at] = change(event)
        [(kind, detail)] = stored.problems()
        assert kind == "changed"
        assert f"position {event.position} " in detail


@pytest.mark.parametrize("at", range(EVENTS))
def test_a_deleted_event_is_named(stored: Stored, at: int) -> None:
    gone = stored.events.pop(at)
    assert stored.problems() == [("missing", f"The event at position {gone.position} (leaf {at}) is gone.")]


def test_a_deleted_event_whose_leaf_went_too_is_found(stored: Stored) -> None:
    stored.events.pop(5)
    stored.leaves.pop(5)
    problems = stored.problems()
    assert ("leaf", "Expected leaf 5 of the log, found leaf 6 (position 22).") in problems
    assert {"leaf", "subtree", "checkpoint"} <= {kind for kind, _ in problems}


def test_two_events_that_changed_places_are_named_with_both(stored: Stored) -> None:
    one, other = stored.events[4], stored.events[9]
    stored.events[4], stored.events[9] = (
        other._replace(position=one.position),
        one._replace(position=other.position),
    )
    problems = stored.problems()
    assert [kind for kind, _ in problems] == ["moved", "moved"]
    assert f"position {one.position} " in problems[0][1]
    assert f"recorded at position {other.position}." in problems[0][1]


def test_an_event_that_was_moved_to_a_free_position_is_found(stored: Stored) -> None:
    event = stored.events.pop(4)
    stored.events.insert(7, event._replace(position=stored.events[6].position + 1))
    problems = stored.problems()
    assert {kind for kind, _ in problems} == {"missing", "inserted"}


def test_an_inserted_event_is_named(stored: Stored) -> None:
    stored.events.insert(7, EventRow(23, STREAMS[0], 99, "Said.v1", b"{}"))
    [(kind, detail)] = stored.problems()
    assert kind == "inserted"
    assert "position 23 " in detail


@pytest.mark.parametrize("at", range(EVENTS))
def test_an_event_changed_together_with_its_leaf_is_found(stored: Stored, at: int) -> None:
    event = stored.events[at]._replace(payload=b"{}")
    stored.events[at] = event
    found = leaf_hash(leaf_data(event.stream, event.version, event.topic, event.payload))
    stored.leaves[at] = stored.leaves[at]._replace(hash=found)
    problems = stored.problems()
    if at < 20:
        assert {kind for kind, _ in problems} == {"subtree", "checkpoint"}
        begin = at // 4 * 4
        assert any(f"over leaves {begin} to {begin + 3} " in detail for _, detail in problems)
    else:
        # What no checkpoint and no subtree covers yet cannot be told from what was recorded.
        assert problems == []


def test_a_log_that_was_written_anew_contradicts_what_was_signed(stored: Stored) -> None:
    kept = stored.signed
    stored.events[3] = stored.events[3]._replace(payload=b"{}")
    stored.log()
    stored.signed = kept
    problems = stored.problems()
    assert [kind for kind, _ in problems] == ["checkpoint", "checkpoint"]
    assert "signed in checkpoint 1" in problems[0][1]


def test_a_truncated_log_is_found_by_a_checkpoint_kept_elsewhere(stored: Stored) -> None:
    kept = stored.signed
    stored.events = stored.events[:15]
    stored.log()
    assert stored.problems() == []
    stored.signed = kept
    assert stored.problems() == [
        ("truncated", "checkpoint 2 was signed over 20 events, but the log has 15: the last ones are gone.")
    ]


def test_subtrees_that_are_missing_or_too_many_are_found(stored: Stored) -> None:
    gone = stored.subtrees.pop((2, 1))
    assert stored.kinds() == {"subtree"}
    stored.subtrees[2, 1] = gone
    stored.subtrees[4, 7] = gone
    assert stored.kinds() == {"subtree"}


@pytest.mark.parametrize(
    "change",
    [
        lambda leaves: leaves.insert(3, leaves[2]),
        lambda leaves: leaves.__setitem__(slice(4, 6), [leaves[5], leaves[4]]),
        lambda leaves: leaves.__setitem__(4, leaves[4]._replace(leaf_index=40)),
        lambda leaves: leaves.__setitem__(4, leaves[4]._replace(hash=bytes(32))),
        lambda leaves: leaves.__setitem__(4, leaves[4]._replace(position=9)),
        lambda leaves: leaves.pop(0),
    ],
)
def test_leaves_that_were_changed_are_found(
    stored: Stored, change: Callable[[list[LeafRow]], object]
) -> None:
    change(stored.leaves)
    assert stored.kinds()


def test_an_erased_event_holds_where_its_erasure_is_recorded(stored: Stored) -> None:
    payload = json.dumps({"by": "a", "calls": [{"call_id": STREAMS[1]}]}).encode()
    stored.events.append(EventRow(1000, STREAMS[0], 9, "ConversationErased.v1", payload))
    stored.log()
    for at, event in enumerate(stored.events[:-1]):
        if event.stream in STREAMS[:2]:
            stored.events[at] = event._replace(payload=erased_payload(event.payload))
    check, problems = stored.check()
    assert problems == []
    assert check.erased == 16
    at = next(at for at, event in enumerate(stored.events) if event.stream == STREAMS[2])
    stored.events[at] = stored.events[at]._replace(payload=erased_payload(stored.events[at].payload))
    [(kind, detail)] = stored.problems()
    assert kind == "erased"
    assert f"position {stored.events[at].position} " in detail


def test_an_erased_event_of_another_digest_is_changed(stored: Stored) -> None:
    stored.events[2] = stored.events[2]._replace(payload=erased_payload(b"something else"))
    assert stored.kinds() == {"changed", "erased"}


def test_progress_is_told() -> None:
    told: list[int] = []
    events = [EventRow(number + 1, STREAMS[0], number + 1, "Said.v1", b"{}") for number in range(2500)]
    check = replace(LogCheck([], {}, STEP), progress=told.append)
    assert list(check.run(events, [])) == []
    assert told == [1000, 2000]
    assert check.behind == 2500
