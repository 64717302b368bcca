"""Cursors survive the way to the browser and back, and frames are what EventSource expects."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api import live_frames
from backend.api.live_frames import CALLS_IN_CURSOR, LARGEST_POSITION, Cursor, MalformedCursor

_cursors = st.builds(
    Cursor,
    st.integers(0, LARGEST_POSITION),
    st.dictionaries(st.uuids(), st.integers(-1, 999_999_999), max_size=CALLS_IN_CURSOR),
)


@given(_cursors)
def test_a_cursor_is_the_same_after_the_way_to_the_browser_and_back(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text(max_size=80))
def test_any_text_is_a_cursor_or_is_refused(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except MalformedCursor:
        return
    assert 0 <= cursor.position <= LARGEST_POSITION


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "9223372036854775808", "1;", "1;x:0", "١", "1 ", "1;" + "a" * 40]
)
def test_a_text_that_no_server_gave_out_is_refused(text: str) -> None:
    with pytest.raises(MalformedCursor):
        Cursor.parse(text)


def test_a_cursor_keeps_the_calls_that_were_followed_last() -> None:
    calls = {UUID(int=number): number for number in range(CALLS_IN_CURSOR + 5)}

    seen = Cursor.parse(str(Cursor(1, calls))).seen

    assert list(seen.values()) == list(range(5, CALLS_IN_CURSOR + 5))


@given(st.text())
def test_a_frame_is_one_event_whatever_its_text(text: str) -> None:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        return  # no stored text holds half a character
    frame = live_frames.with_id(live_frames.frame_body("chunk", {"text": text}), Cursor(7))

    lines = frame.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert lines[0] == "event: chunk"
    assert lines[1].startswith("data: ")
    assert json.loads(lines[1].removeprefix("data: ")) == {"text": text}
    assert lines[2:] == ["id: 7", "", ""]


@pytest.mark.parametrize(
    ("kind", "final", "state"),
    [
        ("model_call_requested", True, "requested"),
        ("model_call_started", True, "started"),
        ("model_call_failed", False, "retrying"),
        ("model_call_failed", True, "finished"),
        ("model_call_completed", True, "finished"),
        ("model_call_cancel_requested", True, None),
        ("reply_recorded", True, None),
    ],
)
def test_a_calls_state_follows_from_what_happened(kind: str, final: bool, state: str | None) -> None:
    assert live_frames.call_state(kind, final=final) == state
