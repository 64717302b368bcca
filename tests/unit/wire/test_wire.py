"""OpenAI's JSON as real runners speak it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.application.runner_port import (
    Delta,
    Finished,
    ResponseIdentity,
    RunnerEvent,
    RunnerFailure,
    RunnerModel,
    ToolCallFragment,
    Usage,
)
from backend.model_runner import wire


def read(value: Any) -> list[RunnerEvent]:
    return list(wire.events_of_data(value if isinstance(value, str) else json.dumps(value)))


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


@pytest.mark.parametrize(
    ("chunk", "events"),
    [
        (choice(delta={"content": "Hi"}), [Delta("Hi")]),
        (choice(delta={"role": "assistant", "content": None}, finish_reason=None), []),
        (choice(delta={"role": "assistant", "content": ""}), []),
        (choice(delta={"reasoning_content": "Hm"}), [Delta("", "Hm")]),
        (choice(delta={"reasoning": "Hm", "content": None}), [Delta("", "Hm")]),
        (choice(delta={}, finish_reason="stop"), [Finished("stop")]),
        (choice(delta={"content": "!"}, finish_reason="length"), [Delta("!"), Finished("length")]),
        (choice(message={"content": "All at once"}, finish_reason="stop"), [Delta("All at once"), Finished("stop")]),
        (choice(delta=None, finish_reason=None), []),
        ({"choices": []}, []),
        ({"choices": None, "usage": None}, []),
        ({}, []),
        ("", []),
        ("  ", []),
        ({"id": "x", "model": "m", "system_fingerprint": "f"}, [ResponseIdentity("x", "m", "f")]),
        ({"id": "", "model": 5}, []),
        ({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
         [Usage(3, 4, {"prompt_tokens": 3, "completion_tokens": 4})]),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": True}},
         [Usage(None, None, {"prompt_tokens": -1, "completion_tokens": True})]),
        (choice(delta={"tool_calls": [{"index": 1, "id": "c", "function": {"name": "f", "arguments": "{"}}]}),
         [ToolCallFragment(1, "c", "f", "{")]),
        (choice(delta={"tool_calls": [{"function": {"arguments": "}"}}]}), [ToolCallFragment(0, None, None, "}")]),
    ],
)
def test_a_chunk_says_what_it_says(chunk: Any, events: list[RunnerEvent]) -> None:
    assert read(chunk) == events


@pytest.mark.parametrize(
    "chunk",
    [
        {"error": {"message": "cuda died", "type": "server_error"}},
        {"error": "cuda died"},
        {"object": "error", "message": "cuda died", "code": 500},
        {"message": "cuda died", "code": 500, "type": "x"},
        {"detail": "cuda died"},
        {"choices": [], "error": {"message": "cuda died"}},
    ],
)
def test_an_error_inside_a_stream_is_a_failure_in_every_shape(chunk: dict[str, Any]) -> None:
    with pytest.raises(RunnerFailure, match="cuda died") as failure:
        read(chunk)
    assert failure.value.code == "runner_error"
    assert not failure.value.safe_to_retry


@pytest.mark.parametrize("data", ["nonsense", "[1]", '"text"', "5"])
def test_what_is_no_chunk_is_a_bad_response(data: str) -> None:
    with pytest.raises(RunnerFailure) as failure:
        read(data)
    assert failure.value.code == "bad_response"


@pytest.mark.parametrize(
    ("status", "body", "code", "words", "retry"),
    [
        (503, '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}', "runner_loading", "loading", True),
        (503, "", "runner_error", "HTTP 503", False),
        (500, "backend died", "runner_error", "backend died", False),
        (502, "", "runner_error", "HTTP 502", False),
        (404, "no such model", "model_not_found", "no such model", False),
        (401, '{"error":{"message":"bad key"}}', "runner_refused", "MODEL_RUNNER_API_KEY", False),
        (429, '{"detail":"slow down"}', "runner_busy", "slow down", True),
        (400, '{"message":"bad","code":400}', "runner_refused", "bad", False),
        (400, "<html>proxy</html>", "runner_refused", "proxy", False),
        (400, "{}", "runner_refused", "HTTP 400", False),
        (400, '{"error":{"type":"exceed_context_size_error","message":"m","n_prompt_tokens":9000,"n_ctx":8192}}',
         "context_overflow", "808 too many", False),
        (400, '{"error":{"message":"This model\'s maximum context length is 4096 tokens."}}',
         "context_overflow", "maximum context length is 4096", False),
    ],
)
def test_an_error_answer_is_classified_and_explained(
    status: int, body: str, code: str, words: str, retry: bool
) -> None:
    failure = wire.failure_of_response(status, body.encode(), "localhost:1")
    assert (failure.code, failure.safe_to_retry, failure.http_status) == (code, retry, status)
    assert words in failure.message


def test_an_overflow_keeps_its_numbers() -> None:
    body = b'{"error":{"type":"exceed_context_size_error","message":"m","n_prompt_tokens":9000,"n_ctx":8192}}'
    assert wire.failure_of_response(400, body, "x").details == {"n_prompt_tokens": 9000, "n_ctx": 8192}


def test_a_very_long_error_text_is_shortened() -> None:
    assert len(wire.failure_of_response(500, b"x" * 10_000, "x").message) < 1000


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"data": [{"id": "a"}, {"id": "b", "max_model_len": 4096}]}, (RunnerModel("a"), RunnerModel("b", 4096))),
        ({"data": [{"id": "a", "meta": {"n_ctx_train": 2048}}, {"no": "id"}, 5]}, (RunnerModel("a", 2048),)),
        ({"data": [{"id": "ai/smollm2:135M-Q4"}]}, (RunnerModel("ai/smollm2:135M-Q4", None, True),)),
        ({"data": []}, ()),
    ],
)
def test_a_listing_is_read_in_every_shape(body: Any, models: tuple[RunnerModel, ...]) -> None:
    assert wire.models_of_listing(json.dumps(body).encode()) == models


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":5}', b"<html>"])
def test_what_is_no_listing_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(RunnerFailure) as failure:
        wire.models_of_listing(body)
    assert failure.value.code == "bad_response"


@pytest.mark.parametrize(
    ("body", "size"),
    [(b'{"default_generation_settings":{"n_ctx":8192}}', 8192), (b"{}", None), (b"nonsense", None), (b"[]", None)],
)
def test_the_context_of_a_slot_is_read_from_props(body: bytes, size: int | None) -> None:
    assert wire.context_of_props(body) == size
