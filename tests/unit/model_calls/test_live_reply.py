"""What a stream amounts to in the end: outcome, kept text, and words for a person."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    RunnerFailure,
    StillThere,
    ToolCallFragment,
    Usage,
)
from backend.model_calls import live_reply as endings
from backend.model_calls.live_reply import LiveReply, storable

KEPT = "The text up to there is kept."


def _reply(*events: object) -> LiveReply:
    reply = LiveReply()
    for event in events:
        reply.take_in(event)  # type: ignore[arg-type]
    return reply


@given(st.text(st.characters()))
def test_storable_text_can_be_stored_and_sound_text_is_left_alone(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\x00" not in stored
    if "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text):
        assert stored == text


def test_two_halves_side_by_side_become_their_character() -> None:
    assert storable("\ud83d\udc4b") == "👋"
    assert storable("a\ud83d") == "a\ufffd"


def test_a_character_split_over_two_deltas_stays_whole_in_text_reasoning_and_tool_calls() -> None:
    reply = LiveReply()
    shown = [reply.take_in(Delta(*pair)) for pair in (("a\ud83d", "\ud83e"), ("", "\udd14!"), ("\udc4b", ""))]
    assert shown == [Delta("a", ""), Delta("", "🤔!"), Delta("👋", "")]
    assert ("".join(reply.text), "".join(reply.reasoning)) == ("a👋", "🤔!")
    calls = _reply(
        ToolCallFragment(0, "id", "f\ud83d", "\ud83d"), ToolCallFragment(0, None, "\udc4b", "\udc4b")
    )
    assert calls.tool_calls[0]["function"] == {"name": "f👋", "arguments": "👋"}


def test_half_a_character_that_stays_alone_is_replaced_in_the_middle_and_left_out_at_the_end() -> None:
    reply = _reply(Delta("a\ud83d"), Delta("b\udc4b"), Delta("c\ud83d"))
    assert "".join(reply.text) == "a\ufffdb\ufffdc"
    assert reply.characters == 5


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), st.lists(st.integers(0, 80))
)
def test_text_cut_anywhere_between_its_utf_16_halves_comes_back_as_it_was(
    text: str, places: list[int]
) -> None:
    units = text.encode("utf-16-le")
    ends = sorted({0, len(units), *(2 * place for place in places if 2 * place < len(units))})
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(ends)]
    reply = _reply(*map(Delta, pieces))
    assert "".join(reply.text) == text


def test_signs_of_life_are_no_words() -> None:
    reply = _reply(StillThere(), ResponseIdentity("id"), Usage(1, None))
    assert not reply.had_token
    assert reply.usage == Usage(1, None)


def test_identity_is_taken_from_the_first_chunk_that_tells() -> None:
    reply = _reply(
        ResponseIdentity("one"), ResponseIdentity("two", "model"), ResponseIdentity(None, "other", "fp")
    )
    assert reply.identity == ResponseIdentity("one", "model", "fp")


def test_fragments_of_tool_calls_are_joined_by_their_index() -> None:
    reply = _reply(
        ToolCallFragment(0, "id", "loo"),
        ToolCallFragment(0, None, "kup", "{"),
        ToolCallFragment(0, arguments="}"),
    )
    assert reply.tool_calls == (
        {"id": "id", "type": "function", "function": {"name": "lookup", "arguments": "{}"}},
    )
    assert reply.had_token


@pytest.mark.parametrize(
    ("code", "events", "outcome"),
    [
        ("stream_cut", [Delta("a")], "interrupted"),
        ("stream_silent", [Delta("", "thinking")], "interrupted"),
        ("stream_cut", [ToolCallFragment(0)], "interrupted"),
        ("stream_cut", [], "failed"),
        ("stream_cut", [Delta("a"), Finished("stop")], "complete"),
        ("stream_silent", [Delta("a"), Finished("length")], "truncated"),
        ("runner_error", [Delta("a"), Finished("stop")], "failed"),
        ("runner_error", [Delta("a")], "failed"),
        ("runner_unreachable", [], "failed"),
    ],
)
def test_what_had_come_decides_what_a_failure_means(code: str, events: list[object], outcome: str) -> None:
    assert endings.ending_of_failure(_reply(*events), RunnerFailure(code, "It broke.")).outcome == outcome


def test_text_is_said_to_be_kept_only_where_there_is_any() -> None:
    failure = RunnerFailure("stream_cut", "The connection broke.")
    with_text = endings.ending_of_failure(_reply(Delta("a")), failure)
    without = endings.ending_of_failure(_reply(), failure)
    assert with_text.reply_error is not None
    assert with_text.reply_error.message == f"The connection broke. {KEPT}"
    assert without.reply_error is not None
    assert without.reply_error.message == "The connection broke."
    assert endings.interrupted_by_stop(_reply()).reply_error is not None


@pytest.mark.parametrize(
    ("said", "stored"),
    [("It said: out of memory", "It said: out of memory."), ("Why?", "Why?"), ("So…", "So…")],
)
def test_a_runners_own_words_end_before_it_is_said_that_the_text_is_kept(said: str, stored: str) -> None:
    for reply, kept in ((_reply(Delta("a")), f" {KEPT}"), (_reply(), "")):
        ending = endings.ending_of_failure(reply, RunnerFailure("runner_error", said))
        assert ending.reply_error is not None
        assert ending.reply_error.message == stored + kept


def test_a_truncated_reply_is_no_error_of_the_call() -> None:
    ending = endings.ending_of_stream(_reply(Delta("a"), Finished("length")))
    assert ending.reply_error is not None
    assert ending.reply_error.message.endswith(KEPT)
    assert ending.call_error is None


def test_an_empty_reply_that_was_finished_is_complete() -> None:
    assert endings.ending_of_stream(_reply(Finished("stop"))).outcome == "complete"
