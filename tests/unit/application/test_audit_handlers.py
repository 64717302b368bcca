"""The command that puts a reading on record: its trail by day, midnight, two readers at once, and no trace of nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.ports import Aggregate, AppendConflict, Companion, InstallationDefaults
from backend.domain import events as e
from backend.domain.audit_trail import AuditTrail, trail_id
from backend.domain.commands import RecordAuditRead
from backend.domain.errors import InvalidInput, UnknownConversation, UnknownModelCall
from backend.event_store.memory import InMemoryEventStore
from tests.support.facts import AUDITOR, CALL, CONVERSATION, CORRELATION, OWNER, STRANGER, CountedIds, stamper

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)


class Desk:
    """Somebody who looks at things, at moments of the test's choice."""

    def __init__(self, store: InMemoryEventStore | None = None) -> None:
        self.store = store or InMemoryEventStore()
        self.moment = NOON
        self.pauses: list[int] = []
        self.services = Services(
            self.store, self, CountedIds(), self._pause, InstallationDefaults("New", "", "m")
        )

    def _pause(self, attempt: int) -> None:
        self.pauses.append(attempt)

    def now(self) -> datetime:
        return self.moment

    def look(self, at: datetime = NOON, *, reader: UUID = AUDITOR, what: str = "prompt") -> bool:
        """Whether this look was recorded."""
        self.moment = at
        handling = Handling(self.services, f"user:{reader}", CORRELATION)
        body = handle(RecordAuditRead(reader, OWNER, what, CONVERSATION, CALL), handling).body
        assert body["position"] == str(self.store.end())
        recorded: bool = body["recorded"]
        return recorded

    def events(self) -> list[e.VerbatimEvent]:
        return [recorded.event for recorded in self.store.read_after(0, 1000)]


def test_the_first_look_of_a_day_opens_the_trail() -> None:
    desk = Desk()

    assert desk.look() is True

    opened, read = desk.events()
    assert isinstance(opened, e.AuditTrailOpened)
    assert (opened.owner_id, opened.day, opened.originator_id) == (
        OWNER,
        "2026-03-10",
        trail_id(OWNER, NOON.date()),
    )
    assert isinstance(read, e.AuditRead)
    assert (read.reader_id, read.conversation_id, read.call_id) == (AUDITOR, CONVERSATION, CALL)
    assert (read.originator_version, read.actor, read.timestamp) == (2, f"user:{AUDITOR}", NOON)


def test_a_reload_stores_nothing_and_a_later_look_does() -> None:
    desk = Desk()
    desk.look()

    assert desk.look(NOON + timedelta(minutes=9, seconds=59)) is False
    assert desk.look(NOON + timedelta(minutes=10)) is True
    assert desk.look(NOON + timedelta(minutes=11), what="reply") is False

    assert [type(event).__name__ for event in desk.events()] == ["AuditTrailOpened", "AuditRead", "AuditRead"]


def test_midnight_begins_a_new_trail_but_no_new_reading() -> None:
    desk = Desk()
    desk.look(MIDNIGHT - timedelta(minutes=4))

    assert desk.look(MIDNIGHT + timedelta(minutes=5)) is False
    assert len(desk.events()) == 2, "a trail is not opened for nothing"
    assert desk.look(MIDNIGHT + timedelta(minutes=6)) is True

    days = [event.day for event in desk.events() if isinstance(event, e.AuditTrailOpened)]
    assert days == ["2026-03-10", "2026-03-11"]


def test_days_are_counted_in_utc_whatever_the_clock_says() -> None:
    desk = Desk()
    desk.look(datetime(2026, 3, 10, 23, 30, tzinfo=ZoneInfo("America/New_York")))
    opened = desk.events()[0]
    assert isinstance(opened, e.AuditTrailOpened)
    assert opened.day == "2026-03-11"


def test_the_owner_leaves_no_trace_not_even_an_empty_trail() -> None:
    desk = Desk()
    assert desk.look(reader=OWNER) is False
    assert desk.events() == []


def test_what_cannot_be_read_is_refused_and_leaves_no_trace() -> None:
    desk = Desk()
    with pytest.raises(InvalidInput):
        desk.look(what="diary")
    assert desk.events() == []


class RivalFirst(InMemoryEventStore):
    """A store in which somebody else looks just before the first append."""

    rival: UUID | None = None

    def append(self, *aggregates: Aggregate, companions: tuple[Companion, ...] = ()) -> int:  # type: ignore[override]
        if self.rival is not None:
            rival, self.rival = self.rival, None
            Desk(self).look(reader=rival)
        return super().append(*aggregates, companions=companions)


def test_two_readers_at_once_are_both_recorded() -> None:
    store = RivalFirst()
    store.rival = STRANGER
    desk = Desk(store)

    assert desk.look() is True

    reads = [event for event in desk.events() if isinstance(event, e.AuditRead)]
    assert [read.reader_id for read in reads] == [STRANGER, AUDITOR]
    assert desk.pauses == [1]


def test_one_reader_twice_at_once_is_recorded_once() -> None:
    store = RivalFirst()
    store.rival = AUDITOR
    desk = Desk(store)

    assert desk.look() is False

    assert [type(event).__name__ for event in desk.events()] == ["AuditTrailOpened", "AuditRead"]


LOOKS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=60 * 60),  # seconds since the look before
        st.sampled_from([AUDITOR, STRANGER, OWNER]),
        st.sampled_from([(CONVERSATION, CALL), (CONVERSATION, None), (None, CALL), (None, None)]),
    ),
    max_size=60,
)


@given(looks=LOOKS)
@settings(deadline=None, max_examples=60)
def test_every_look_is_covered_by_a_record_and_no_two_records_tell_of_the_same_reading(
    looks: list[tuple[int, UUID, tuple[UUID | None, UUID | None]]],
) -> None:
    """A law, over nights too: whatever is looked at, by whom and when."""
    desk = Desk()
    desk.moment = MIDNIGHT - timedelta(minutes=30)
    made = []
    for pause, reader, (conversation, call) in looks:
        desk.moment += timedelta(seconds=pause)
        handling = Handling(desk.services, f"user:{reader}", CORRELATION)
        handle(RecordAuditRead(reader, OWNER, "prompt", conversation, call), handling)
        made.append((desk.moment, reader, call or conversation))

    records = [
        (event.timestamp, event.reader_id, event.call_id or event.conversation_id)
        for event in desk.events()
        if isinstance(event, e.AuditRead)
    ]

    assert all(reader != OWNER for _, reader, _ in records)
    for at, reader, thing in made:
        covering = [
            r for r in records if r[1:] == (reader, thing) and r[0] <= at < r[0] + timedelta(minutes=10)
        ]
        assert len(covering) == (0 if reader == OWNER else 1)
    opened = [event for event in desk.events() if isinstance(event, e.AuditTrailOpened)]
    assert {event.day for event in opened} == {at.date().isoformat() for at, _, _ in records}
    assert len(opened) == len({event.day for event in opened})


def test_a_trail_is_neither_a_conversation_nor_a_call() -> None:
    desk = Desk()
    desk.look()
    stream = trail_id(OWNER, NOON.date())
    with pytest.raises(UnknownConversation):
        desk.store.read_history(stream)
    with pytest.raises(UnknownModelCall):
        desk.store.read_call(stream)


def test_an_event_of_a_trail_that_exists_is_a_conflict_like_any_other() -> None:
    desk = Desk()
    desk.look()
    with pytest.raises(AppendConflict):
        desk.store.append(AuditTrail.begin(owner_id=OWNER, day=NOON.date(), stamp=stamper()))
