"""Server-sent events by the specification, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.model_runner import sse
from backend.model_runner.sse import Comment, LineTooLong, ServerSentEvent, SseParser

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
    "unknown: field\n"
    "data: last\n"
    "\n"
    "data: never finished"
).encode()

EXPECTED = [
    Comment("a comment"),
    ServerSentEvent('{"text":"Grüße 👋"}'),
    ServerSentEvent("no space\n two spaces", "custom"),
    ServerSentEvent(""),
    Comment(""),
    ServerSentEvent("last"),
]


def test_a_whole_stream_is_read_by_the_specification() -> None:
    assert SseParser().feed(STREAM) == EXPECTED


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_it_does_not_matter_where_the_bytes_are_cut(places: list[int]) -> None:
    parser, found = SseParser(), []
    for start, end in pairwise([0, *sorted(places), len(STREAM)]):
        found += parser.feed(STREAM[start:end])
    assert found == EXPECTED


def test_byte_by_byte_is_the_same() -> None:
    parser = SseParser()
    assert [item for byte in STREAM for item in parser.feed(bytes([byte]))] == EXPECTED


def test_bytes_that_are_no_utf_8_do_not_stop_the_stream() -> None:
    assert SseParser().feed(b"data: a\xffb\n\n") == [ServerSentEvent("a\ufffdb")]


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LINE_LIMIT_CHARACTERS", 100)
    parser = SseParser()
    parser.feed(b"data: " + b"x" * 80)
    with pytest.raises(LineTooLong):
        parser.feed(b"x" * 80)
