"""Readings through the audit: each is recorded once, whoever looks, and the same within ten minutes is the same one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

import pytest

from backend.domain import events as e
from backend.domain.audit_trail import WAYS_IN, WHAT_IS_READ, AuditTrail, trail_id
from backend.domain.envelope import Envelope, Stamp
from backend.domain.errors import InvalidInput
from tests.support.facts import AUDITOR, BEGINNING, CALL, CONVERSATION, OWNER, STRANGER, Fact, fact, stamper
from tests.support.given import given_trail

OPENED = fact(e.AuditTrailOpened, owner_id=OWNER, day="2026-01-02")
OTHER = UUID("ca000000-0000-4000-8000-000000000002")


def read(
    *, reader: UUID = AUDITOR, conversation: UUID | None = CONVERSATION, call: UUID | None = CALL, what: str
) -> Fact:
    return fact(e.AuditRead, reader_id=reader, conversation_id=conversation, call_id=call, what=what)


def looking(
    *,
    after: timedelta = timedelta(seconds=30),
    reader: UUID = AUDITOR,
    conversation: UUID | None = CONVERSATION,
    call: UUID | None = CALL,
    what: str = "prompt",
    day_before: AuditTrail | None = None,
) -> Callable[[AuditTrail, Stamp], bool]:
    """Somebody looks so long after the trail began."""

    def look(trail: AuditTrail, stamp: Stamp) -> bool:
        def later() -> Envelope:
            envelope = stamp()
            return Envelope(
                envelope.event_id, BEGINNING + after, f"user:{reader}", envelope.correlation_id, None
            )

        return trail.record_read(
            reader_id=reader,
            conversation_id=conversation,
            call_id=call,
            what=what,
            day_before=day_before,
            stamp=later,
        )

    return look


@pytest.mark.parametrize("what", WHAT_IS_READ)
def test_the_first_look_is_recorded(what: str) -> None:
    happened = given_trail(OPENED).when(looking(what=what))
    happened.then(read(what=what))
    assert happened.answer is True


def test_looking_again_within_ten_minutes_is_the_same_reading() -> None:
    given = given_trail(OPENED, read(what="prompt"))
    first_at = given.past[-1].timestamp - BEGINNING
    almost = first_at + timedelta(minutes=10) - timedelta(microseconds=1)

    happened = given.when(looking(after=almost))

    happened.then_nothing()
    assert happened.answer is False
    given.when(looking(after=first_at + timedelta(minutes=10))).then(read(what="prompt"))


def test_another_part_of_the_same_call_belongs_to_the_same_reading() -> None:
    given_trail(OPENED, read(what="prompt")).when(looking(what="reply")).then_nothing()


def test_ten_minutes_are_counted_from_what_was_recorded_not_from_the_last_look() -> None:
    """Whoever never stops looking is recorded every ten minutes."""
    given = given_trail(OPENED, read(what="prompt"))
    given.when(looking(after=timedelta(minutes=9))).then_nothing()
    given.when(looking(after=timedelta(minutes=11))).then(read(what="prompt"))


@pytest.mark.parametrize(
    "look",
    [
        looking(call=OTHER),
        looking(reader=STRANGER),
        looking(call=None, what="events"),
        looking(call=None, conversation=OTHER, what="events"),
        looking(call=None, conversation=None, what="export"),
    ],
    ids=["another call", "another reader", "the conversation", "another conversation", "everything"],
)
def test_another_reader_or_another_thing_is_another_reading(
    look: Callable[[AuditTrail, Stamp], bool],
) -> None:
    assert given_trail(OPENED, read(what="prompt")).when(look).answer is True


def test_a_call_outside_any_conversation_is_told_apart_by_its_id() -> None:
    given = given_trail(OPENED, read(conversation=None, what="raw"))
    given.when(looking(conversation=None, what="raw")).then_nothing()
    given.when(looking(conversation=None, call=OTHER, what="raw")).then(
        read(conversation=None, call=OTHER, what="raw")
    )


def test_the_owners_own_look_is_no_reading() -> None:
    happened = given_trail(OPENED).when(looking(reader=OWNER))
    happened.then_nothing()
    assert happened.answer is False


def test_a_reading_that_began_before_midnight_goes_on_after_it() -> None:
    yesterday = given_trail(OPENED, read(what="prompt")).aggregate
    given = given_trail(OPENED)
    given.when(looking(after=timedelta(minutes=9), day_before=yesterday)).then_nothing()
    given.when(looking(after=timedelta(minutes=11), day_before=yesterday)).then(read(what="prompt"))
    given.when(looking(after=timedelta(minutes=9), call=OTHER, day_before=yesterday)).then(
        read(call=OTHER, what="prompt")
    )


def test_a_clock_that_was_set_back_does_not_hide_later_readings() -> None:
    given = given_trail(OPENED, read(what="prompt"))
    given.when(looking(after=-timedelta(minutes=5))).then_nothing()
    given.when(looking(after=-timedelta(minutes=11))).then(read(what="prompt"))


def test_something_that_nobody_can_read_is_refused() -> None:
    refusal = given_trail(OPENED).when(looking(what="mind")).then_refused(InvalidInput, field="what")
    assert "prompt, reply, raw, events, export" in str(refusal)


def test_a_trail_is_one_persons_on_one_day() -> None:
    day = date(2026, 1, 2)
    trail = AuditTrail.begin(owner_id=OWNER, day=day, stamp=stamper())
    assert (trail.id, trail.owner_id, trail.day) == (trail_id(OWNER, day), OWNER, "2026-01-02")
    others = {trail_id(STRANGER, day), trail_id(OWNER, date(2026, 1, 3)), OWNER}
    assert trail.id not in others
    assert len(others) == 3


def test_a_copy_goes_on_by_itself() -> None:
    trail = given_trail(OPENED).aggregate
    twin = trail.copy()
    looking()(twin, stamper())
    assert (twin.version, trail.version) == (2, 1)
    assert trail.last_recorded == {}
    assert trail.pending_events == []


@pytest.mark.parametrize("what", WAYS_IN)
def test_a_way_into_the_account_is_told_each_time_and_hides_no_reading(what: str) -> None:
    opened = read(conversation=None, call=None, what=what)
    given_trail(OPENED, opened).when(looking(conversation=None, call=None, what=what)).then(opened)
    taken = read(conversation=None, call=None, what="export")
    given_trail(OPENED, opened).when(looking(conversation=None, call=None, what="export")).then(taken)
