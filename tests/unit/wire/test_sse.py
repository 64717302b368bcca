"""Server-sent events by the specification, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.model_runner.sse import Comment, EventTooLong, OtherField, ServerSentEvent, SseItem, SseParser

STREAM = (
    "\ufeff: a comment\n"
    "\n"
    'data: {"text":"Grüße 👋"}\n'
    "\n"
    "event: custom\r\n"
    "data:no space\r\n"
    "data:  two spaces\r\n"
    "id: 7\r\n"
    "retry: 10\r\n"
    "\r\n"
    "data\r"
    "\r"
    ":\n"
    'error: {"code":500}\n'
    "data: last\n"
    "\n"
    "event: without data\n"
    "\n"
    "event:\n"
    "data: a name of nothing\n"
    "\n"
    "data: never finished"
).encode()

EXPECTED: list[SseItem] = [
    Comment("a comment"),
    ServerSentEvent('{"text":"Grüße 👋"}'),
    ServerSentEvent("no space\n two spaces", "custom"),
    ServerSentEvent(""),
    Comment(""),
    OtherField("error", '{"code":500}'),
    ServerSentEvent("last"),
    ServerSentEvent("a name of nothing"),
]


def pieces_of(stream: bytes, places: list[int]) -> list[bytes]:
    return [stream[start:end] for start, end in pairwise([0, *sorted(places), len(stream)])]


def read(*pieces: bytes) -> list[SseItem]:
    parser = SseParser()
    return [item for piece in pieces for item in parser.feed(piece)]


def test_a_whole_stream_is_read_by_the_specification() -> None:
    assert read(STREAM) == EXPECTED


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_it_does_not_matter_where_the_bytes_are_cut(places: list[int]) -> None:
    assert read(*pieces_of(STREAM, places)) == EXPECTED


def test_byte_by_byte_is_the_same() -> None:
    assert read(*(bytes([byte]) for byte in STREAM)) == EXPECTED


@given(
    st.text(alphabet=st.sampled_from("dataevnt:x \r\n\ufeffü👋"), max_size=60).map(str.encode)
    | st.binary(max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_any_bytes_cut_anywhere_give_what_they_give_at_once(stream: bytes, places: list[int]) -> None:
    assert read(*pieces_of(stream, [min(place, len(stream)) for place in places])) == read(stream)


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_characters="\r\n\x00", codec="utf-8"), max_size=20), min_size=1
    )
)
def test_the_lines_of_an_event_come_back_as_they_were_sent(lines: list[str]) -> None:
    sent = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert read(sent.encode()) == [ServerSentEvent("\n".join(lines))]


def test_a_cr_and_an_lf_in_two_reads_are_one_line_end() -> None:
    assert read(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [ServerSentEvent("a\nb")]


def test_only_the_first_character_can_be_a_byte_order_mark() -> None:
    assert read(b"\xef\xbb", b"\xbfdata: \xef\xbb\xbfx\n\n") == [ServerSentEvent("\ufeffx")]


def test_bytes_that_are_no_utf_8_do_not_stop_the_stream() -> None:
    assert read(b"data: a\xffb\n\n") == [ServerSentEvent("a\ufffdb")]


def test_a_line_without_an_end_is_refused() -> None:
    parser = SseParser(limit_characters=100)
    parser.feed(b"data: " + b"x" * 80)
    with pytest.raises(EventTooLong, match="more than 100 characters"):
        parser.feed(b"x" * 80)


@pytest.mark.parametrize("line", [b"data: 0123456789\n", b"data\n"])
def test_an_event_of_lines_without_an_end_is_refused(line: bytes) -> None:
    parser = SseParser(limit_characters=100)
    with pytest.raises(EventTooLong):
        parser.feed(line * 200)


def test_events_up_to_the_limit_pass_one_after_the_other() -> None:
    parser = SseParser(limit_characters=100)
    for _ in range(3):
        assert parser.feed(b"data: " + b"x" * 94 + b"\n\n") == [ServerSentEvent("x" * 94)]


def test_a_long_line_in_small_reads_is_joined_only_once() -> None:
    parser = SseParser()
    for _ in range(2_000):
        assert parser.feed(b"x" * 100) == []
    assert len(parser._pieces) == 2_000, "pieces are kept apart until the line ends"
