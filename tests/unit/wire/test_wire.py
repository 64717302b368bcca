"""OpenAI's JSON as real runners speak it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (
            choice(message={"content": "All at once"}, finish_reason="stop"),
            [Delta("All at once"), Finished("stop")],
        ),
        (choice(delta=None, finish_reason=None), []),
        ({"choices": []}, []),
        ({"choices": None, "usage": None}, []),
        ({}, []),
        ("", []),
        ("  ", []),
        ({"id": "x", "model": "m", "system_fingerprint": "f"}, [ResponseIdentity("x", "m", "f")]),
        ({"id": "", "model": 5}, []),
        (
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
            [Usage(3, 4, {"prompt_tokens": 3, "completion_tokens": 4})],
        ),
        (
            {"usage": {"prompt_tokens": -1, "completion_tokens": True}},
            [Usage(None, None, {"prompt_tokens": -1, "completion_tokens": True})],
        ),
        (
            choice(
                delta={"tool_calls": [{"index": 1, "id": "c", "function": {"name": "f", "arguments": "{"}}]}
            ),
            [ToolCallFragment(1, "c", "f", "{")],
        ),
        (
            choice(delta={"tool_calls": [{"function": {"arguments": "}"}}]}),
            [ToolCallFragment(0, None, None, "}")],
        ),
        (
            choice(delta={"tool_calls": [{"index": True}, {"index": -1}, 5]}),
            [ToolCallFragment(0), ToolCallFragment(1)],
        ),
        (choice(delta={"tool_calls": {"index": 0}}), []),
        (
            choice(delta={"content": [{"type": "text", "text": "in "}, {"text": "parts"}, 5]}),
            [Delta("in parts")],
        ),
        (choice(delta={"refusal": "I will not."}), [Delta("I will not.")]),
        (choice(delta={"content": 5, "reasoning": {}}, finish_reason=5), []),
        (choice(delta="text"), []),
        ({"choices": [5, "x"]}, []),
        ({"choices": [{"index": 1, "delta": {"content": "another"}}]}, []),
        ({"choices": [{"index": 1, "delta": {"content": "b"}}, {"delta": {"content": "a"}}]}, [Delta("a")]),
        ({"error": None, "choices": [{"delta": {"content": "Hi"}}]}, [Delta("Hi")]),
        ({"error": {}, "choices": [{"delta": {"content": "Hi"}}]}, [Delta("Hi")]),
        ({"message": "a note", "choices": [{"delta": {"content": "Hi"}}]}, [Delta("Hi")]),
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


def test_text_that_comes_with_an_error_is_given_before_it() -> None:
    found: list[RunnerEvent] = []
    chunk = {"error": {"message": "x"}, "choices": [{"delta": {"content": "last"}, "finish_reason": "error"}]}
    with pytest.raises(RunnerFailure, match=r"The model runner at host:1 .* It said: x"):
        found.extend(wire.events_of_data(json.dumps(chunk), "host:1"))
    # list.extend keeps what it had taken when the generator raised.
    assert found == [Delta("last")]


DEEP = "[" * 100_000


@pytest.mark.parametrize("data", ["nonsense", "[1]", '"text"', "5", DEEP, '{"a": ' + "1" * 5_000 + "}"])
def test_what_is_no_chunk_is_a_bad_response(data: str) -> None:
    with pytest.raises(RunnerFailure) as failure:
        read(data)
    assert failure.value.code == "bad_response"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (
            {"data": [{"id": "a"}, {"id": "b", "max_model_len": 4096}]},
            (RunnerModel("a"), RunnerModel("b", 4096)),
        ),
        ({"data": [{"id": "a", "meta": {"n_ctx_train": 2048}}, {"no": "id"}, 5]}, (RunnerModel("a", 2048),)),
        ({"data": [{"id": "ai/smollm2:135M-Q4"}]}, (RunnerModel("ai/smollm2:135M-Q4", None, True),)),
        ({"data": []}, ()),
        ({"data": None}, ()),
        ({"data": [{"id": "a", "context_length": 0, "max_context_length": 4096}]}, (RunnerModel("a", 4096),)),
        (
            {"data": [{"id": "a", "max_context_length": 32768, "loaded_context_length": 4096}]},
            (RunnerModel("a", 4096),),
        ),
        ({"data": [{"id": "a", "meta": {"n_ctx": 8192, "n_ctx_train": 2048}}]}, (RunnerModel("a", 8192),)),
        (
            {"data": [{"id": "a", "meta": 5}, {"id": "a", "context_window": 1}, {"id": ""}]},
            (RunnerModel("a"),),
        ),
        (
            {"data": [{"id": "HuggingFaceTB/SmolLM2-135M-Instruct"}, {"id": "smollm2-1.7b"}]},
            (RunnerModel("HuggingFaceTB/SmolLM2-135M-Instruct", None, True), RunnerModel("smollm2-1.7b")),
        ),
    ],
)
def test_a_listing_is_read_in_every_shape(body: Any, models: tuple[RunnerModel, ...]) -> None:
    assert wire.models_of_listing(json.dumps(body).encode()) == models


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":5}', b"<html>", b"\xff", DEEP.encode()])
def test_what_is_no_listing_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(RunnerFailure) as failure:
        wire.models_of_listing(body)
    assert failure.value.code == "bad_response"


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (b'{"default_generation_settings":{"n_ctx":8192}}', 8192),
        (b"{}", None),
        (b"nonsense", None),
        (b"[]", None),
    ],
)
def test_the_context_of_a_slot_is_read_from_props(body: bytes, size: int | None) -> None:
    assert wire.context_of_props(body) == size


def test_a_context_that_is_known_better_replaces_the_listed_one_alone() -> None:
    model = RunnerModel("a", 2048, True)
    assert wire.with_context(model, 8192) == RunnerModel("a", 8192, True)
    assert wire.with_context(model, None) == model


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"build_info":"b9000-abc"}', "b9000-abc"),
        (b'{"version":"0.12.3"}', "0.12.3"),
        (b'{"version":5}', None),
        (b'["1"]', None),
        (b"", None),
        (b"1.2.3", None),
    ],
)
def test_a_version_is_read_where_it_is_told(body: bytes, version: str | None) -> None:
    assert wire.version_in(body) == version


_names = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "index",
        "tool_calls",
        "function",
        "usage",
        "error",
        "id",
        "message",
        "data",
        "meta",
    ]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=20,
)


@given(_json)
def test_no_json_whatever_makes_the_reader_fail_in_another_way(value: Any) -> None:
    text = json.dumps(value)
    codes = [
        code_of(lambda: list(wire.events_of_data(text))),
        code_of(lambda: wire.models_of_listing(text.encode())),
    ]
    assert set(codes) <= {None, "runner_error", "bad_response", "context_overflow", "runner_loading"}


def code_of(reader: Callable[[], object]) -> str | None:
    try:
        reader()
    except RunnerFailure as failure:
        return failure.code
    return None
