"""What is read from a program's body, and how it is refused where it does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.api.openai.errors import OpenAIError
from backend.api.openai.reading import ChatRequest, read_request
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
        (b'{"model":"m","messages":' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, words: str) -> None:
    error = refused(body)
    assert error.status == 400
    assert words in str(error)
