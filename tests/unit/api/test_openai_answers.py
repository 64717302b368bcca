"""Answers that we write ourselves, and how a call's end is told as an error."""

from __future__ import annotations

import json

import pytest

from backend.api.openai import answers
from backend.api.openai.errors import error_of_ending
from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    RunnerFailure,
    ToolCallFragment,
    Usage,
)
from backend.model_calls import live_reply as endings
from backend.model_calls.live_reply import Ending, LiveReply

NAMES: answers.Names = {"call_id": "c1", "model": "m", "created": 7}


def reply_of(*events: object) -> LiveReply:
    reply = LiveReply()
    for event in events:
        reply.take_in(event)  # type: ignore[arg-type]  # events of all kinds
    return reply


def test_an_event_of_several_lines_stays_one() -> None:
    assert answers.as_event('{"a":1}') == b'data: {"a":1}\n\n'
    assert answers.as_event('{\n"a":1}') == b'data: {\ndata: "a":1}\n\n'


def test_a_whole_answer_is_told_from_a_piece() -> None:
    assert answers.is_completion('{"choices":[{"message":{"content":"Hi"}}]}')
    for data in ('{"choices":[{"delta":{}}]}', '{"choices":[]}', "[]", "no JSON", '{"choices":null}'):
        assert not answers.is_completion(data)


def test_a_whole_answer_from_a_stream() -> None:
    reply = reply_of(
        ResponseIdentity("id-1", "served", "fp"),
        Delta("Hel", "think"),
        Delta("lo"),
        Finished("stop"),
        Usage(3, 2, {"prompt_tokens_details": {"cached_tokens": 1}}),
    )
    body = json.loads(answers.completion_of(reply, **NAMES))
    assert (body["id"], body["model"], body["object"], body["created"]) == (
        "id-1",
        "served",
        "chat.completion",
        7,
    )
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello", "reasoning_content": "think"}
    assert choice["finish_reason"] == "stop"
    assert body["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1},
    }


def test_a_piece_with_all_of_a_reply() -> None:
    reply = reply_of(ToolCallFragment(0, "c1", "f", "{}"), Finished("tool_calls"))
    data = json.loads(answers.chunk_of(reply, **NAMES).removeprefix(b"data: "))
    (choice,) = data["choices"]
    assert data["object"] == "chat.completion.chunk"
    assert choice["delta"]["content"] is None
    assert choice["delta"]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": 0}
    ]


@pytest.mark.parametrize(
    ("code", "http_status", "status", "told"),
    [
        ("context_overflow", 400, 400, "context_length_exceeded"),
        ("model_not_found", 404, 404, "model_not_found"),
        ("runner_refused", 400, 400, "runner_refused"),
        ("runner_refused", 422, 422, "runner_refused"),
        ("runner_refused", 401, 502, "runner_refused"),
        ("runner_busy", 429, 429, "rate_limit_exceeded"),
        ("runner_unreachable", None, 503, "runner_unreachable"),
        ("runner_loading", 503, 503, "runner_loading"),
        ("runner_error", 500, 502, "runner_error"),
        ("bad_response", None, 502, "bad_response"),
        ("first_token_timeout", None, 504, "first_token_timeout"),
        ("stream_cut", None, 502, "stream_cut"),
    ],
)
def test_a_failure_has_the_status_that_clients_expect(
    code: str, http_status: int | None, status: int, told: str
) -> None:
    failure = RunnerFailure(code, "It went wrong.", http_status=http_status)
    error = error_of_ending(endings.ending_of_failure(LiveReply(), failure), had_token=False)
    assert error is not None
    assert (error.status, error.code) == (status, told)
    assert error.message.startswith("It went wrong.")


def test_a_call_that_was_cancelled_is_not_asked_again() -> None:
    error = error_of_ending(endings.CANCELLED, had_token=True)
    assert error is not None
    assert (error.status, error.code, error.headers["X-Should-Retry"]) == (400, "call_cancelled", "false")


@pytest.mark.parametrize("outcome", ["complete", "truncated"])
def test_an_end_as_the_runner_meant_it_is_no_error(outcome: str) -> None:
    assert error_of_ending(Ending(outcome), had_token=True) is None
