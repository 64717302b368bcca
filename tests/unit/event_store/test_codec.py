"""Values to plain JSON and back, by declared type; what does not fit is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from backend.event_store.codec import UnreadableEvent, format_time, parse_time, revive, revivers_of, to_plain

ID = UUID("0a000000-0000-4000-8000-000000000001")


@dataclass(frozen=True)
class Inner:
    name: str
    when: datetime


@dataclass(frozen=True)
class Outer:
    id: UUID
    other: UUID | None
    inner: Inner | None
    count: int
    texts: list[str]
    anything: Any


@dataclass(frozen=True)
class Ambiguous:
    value: UUID | str


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
OUTER = Outer(ID, None, Inner("x", MOMENT), 7, ["a"], [{"deep": [1, None, True]}])


def test_ids_and_times_are_plain_texts_and_absent_values_are_null() -> None:
    assert to_plain(OUTER) == {
        "id": str(ID),
        "other": None,
        "inner": {"name": "x", "when": "2026-01-02T03:04:05.000600Z"},
        "count": 7,
        "texts": ["a"],
        "anything": [{"deep": [1, None, True]}],
    }


def test_what_was_written_is_read_back_by_declared_type() -> None:
    plain = to_plain(OUTER)
    assert Outer(**{name: revive(Outer, name, value) for name, value in plain.items()}) == OUTER


def test_times_have_microseconds_and_are_in_utc() -> None:
    elsewhere = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(elsewhere) == "2026-01-02T03:04:05.000000Z"
    assert parse_time("2026-01-02T03:04:05.000600Z") == MOMENT


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}, object()])
def test_what_json_of_events_may_not_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=f"{type(value).__name__} cannot be stored in an event"):
        to_plain([value])


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(UnreadableEvent, match="Outer has no field 'colour'; an upcaster is missing"):
        revive(Outer, "colour", "red")
    with pytest.raises(UnreadableEvent, match="Inner has no field 'colour'"):
        revive(Outer, "inner", {"name": "x", "when": "2026-01-02T03:04:05Z", "colour": 1})


def test_a_missing_field_of_an_inner_value_is_named() -> None:
    with pytest.raises(UnreadableEvent, match="Inner cannot be read from"):
        revive(Outer, "inner", {"name": "x"})


def test_a_field_of_two_types_is_refused_when_its_class_is_first_read() -> None:
    with pytest.raises(TypeError, match="ambiguous"):
        revivers_of(Ambiguous)
