"""What is read from a program's body, and how it is refused where it does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.api.openai.errors import OpenAIError
from backend.api.openai.reading import DEEPEST, MOST_MESSAGES, ChatRequest, read_request
from backend.domain.imported import OutsideMessage
from tests.support.programs import system, user


def read(**fields: Any) -> ChatRequest:
    return read_request(json.dumps({"model": "m", "messages": [user("Hi")], **fields}).encode())


def refused(body: bytes) -> OpenAIError:
    with pytest.raises(OpenAIError) as caught:
        read_request(body)
    assert set(caught.value.body["error"]) == {"message", "type", "param", "code"}
    assert caught.value.type == "invalid_request_error"
    return caught.value


def refused_fields(**fields: Any) -> OpenAIError:
    return refused(json.dumps({"model": "m", "messages": [user("Hi")], **fields}).encode())


def test_a_plain_request() -> None:
    request = read(stream=True, temperature=0.5, max_completion_tokens=9, stop="x", top_k=-7, unknown=[1.5])
    assert request.model == "m"
    assert request.stream
    assert request.messages == (OutsideMessage("user", "Hi"),)
    assert request.params == {"temperature": "0.5", "max_tokens": "9", "stop": ["x"]}


def test_instructions_before_the_first_message_are_the_system_prompt() -> None:
    parts = [{"type": "text", "text": "Two."}]
    request = read(
        messages=[system("One."), {"role": "developer", "content": parts}, user("Hi"), system("Three.")]
    )
    assert request.system_prompt == "One.\n\nTwo."
    assert [message.role for message in request.messages] == ["user", "system"]


def test_instructions_alone_are_messages() -> None:
    request = read(messages=[system("One.")])
    assert (request.system_prompt, [message.role for message in request.messages]) == ("", ["system"])


def test_a_reply_that_says_nothing_is_no_message() -> None:
    request = read(messages=[user("One"), {"role": "assistant", "content": ""}, user("Two")])
    assert [message.content for message in request.messages] == ["One", "Two"]


def test_only_beginnings_with_a_reply_can_be_known() -> None:
    request = read(messages=[user("One"), {"role": "assistant", "content": "1"}, user("Two")])
    assert [count for _, count in request.beginnings()] == [2, 3]
    assert read().beginnings() == []


def test_numbers_within_parts_are_kept_as_texts() -> None:
    request = read(messages=[user([{"type": "video", "fps": 0.5, "frames": 3}])])
    assert request.messages[0].content == [{"type": "video", "fps": "0.5", "frames": 3}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"model": "m" * 600}, "model"),
        ({"model": "a\0b"}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [user("Hi"), user(7)]}, "messages[1].content"),
        ({"messages": [user("a\0b")]}, "messages[0]"),
        ({"messages": [user("\ud800")]}, "messages[0]"),
        ({"messages": [user([{"type": "text", "text": "\udfff"}])]}, "messages[0]"),
        ({"stream": "yes"}, "stream"),
        ({"n": 2}, "n"),
    ],
)
def test_a_field_that_does_not_fit_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused_fields(**fields)
    assert (error.status, error.param) == (400, param)
    assert error.body_bytes.decode("utf-8")


def nested(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("field", ["content", "name", "tool_call_id", "tool_calls"])
@pytest.mark.parametrize("levels", [DEEPEST + 1, 400])
def test_a_message_that_is_nested_too_deeply_is_named(field: str, levels: int) -> None:
    value = [nested(levels - 2)] if field != "name" else nested(levels)
    error = refused_fields(messages=[user("Hi"), {"role": "user", "content": "", field: value}])
    assert (error.status, error.param) == (400, "messages[1]")
    assert "nested more than 64 levels deep" in str(error)


def test_a_message_may_be_nested_as_deeply_as_said() -> None:
    deep = [nested(DEEPEST - 2)]
    assert read(messages=[user(deep)]).messages[0].content == deep


def test_a_list_of_very_many_messages_is_refused() -> None:
    error = refused_fields(messages=[user("Hi")] * (MOST_MESSAGES + 1))
    assert (error.status, error.param) == (400, "messages")
    assert "10,001 entries; the limit is 10,000" in str(error)
    assert len(read(messages=[user("Hi")] * MOST_MESSAGES).messages) == MOST_MESSAGES


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b'{"model":"m"', "not valid JSON"),
        (b'{"model":"m","messages":[],"temperature":NaN}', "not a JSON number"),
        (b'{"model":"a","model":"b","messages":[]}', "stands twice"),
        (b'{"messages":' + b"[" * 100_000, "nested too deeply"),
        (
            b'{"model":"m","messages":[],"tools":' + b"[" * 600 + b"]" * 600 + b"}",
            "more than 500 levels deep",
        ),
        (b'{"model":"m","messages":' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, words: str) -> None:
    error = refused(body)
    assert error.status == 400
    assert words in str(error)
