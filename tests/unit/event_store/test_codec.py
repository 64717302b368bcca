"""Plain JSON in, typed values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest

from backend.domain.events import ConversationStarted, ForkOrigin, ModelCallRequested
from backend.domain.prompt_request import PromptRequest, Trimming
from backend.event_store.codec import UnreadableEvent, format_time, parse_time, revive, revivers_of, to_plain


@dataclass(frozen=True)
class Ambiguous:
    value: UUID | str


def test_equal_times_are_equal_texts_in_utc_with_microseconds() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert format_time(noon) == "2026-01-02T12:00:00.000000Z"
    assert format_time(noon.astimezone(timezone(timedelta(hours=5, minutes=30)))) == format_time(noon)
    assert parse_time(format_time(noon)) == noon


def test_nested_values_come_back_as_what_they_were() -> None:
    origin = ForkOrigin(uuid4(), 3, uuid4())
    assert revive(ConversationStarted, "forked_from", to_plain(origin)) == origin
    assert revive(ConversationStarted, "forked_from", None) is None
    request = PromptRequest(
        uuid4(),
        5,
        "m",
        {"seed": "1", "stop": ["a"]},
        trimming=Trimming("p", 1, uuid4(), 2, 3, 4),
        raw_body="{}",
    )
    assert revive(ModelCallRequested, "prompt_request", to_plain(request)) == request


@pytest.mark.parametrize("value", [1.5, object(), b"x", {1, 2}])
def test_what_is_no_text_number_id_or_time_cannot_be_stored(value: object) -> None:
    with pytest.raises(TypeError):
        to_plain(value)


def test_a_nested_value_with_a_missing_part_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent):
        revive(ConversationStarted, "forked_from", {"version": 1})


@pytest.mark.parametrize(
    ("owner", "name", "stored", "words"),
    [
        (ModelCallRequested, "body_length", "7", "body_length is '7', expected a whole number"),
        (ModelCallRequested, "body_length", True, "expected a whole number"),
        (ModelCallRequested, "body_sha256", None, "expected a text"),
        (ModelCallRequested, "runner", 7, "runner is 7, expected a text or nothing"),
        (PromptRequest, "params", [1], r"params is \[1\], expected an object"),
        (PromptRequest, "progress", 1, "expected true or false"),
    ],
)
def test_a_value_of_another_kind_is_unreadable(owner: type, name: str, stored: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        revive(owner, name, stored)


def test_an_unknown_field_is_named_also_inside_a_nested_value() -> None:
    with pytest.raises(
        UnreadableEvent, match="ConversationStarted has no field 'colour'; an upcaster is missing"
    ):
        revive(ConversationStarted, "colour", "red")
    with pytest.raises(UnreadableEvent, match="ForkOrigin has no field 'colour'"):
        revive(ConversationStarted, "forked_from", {"colour": "red"})


def test_a_field_of_two_types_is_refused_when_its_class_is_first_read() -> None:
    with pytest.raises(TypeError, match="ambiguous"):
        revivers_of(Ambiguous)
