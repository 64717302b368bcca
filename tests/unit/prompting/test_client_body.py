"""Bodies of programs: read for what must be known, and passed on without a changed byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.prompt_request import CLIENT_BUILDER, PromptRequest
from backend.prompting.build import CannotRebuildPrompt
from backend.prompting.client_body import body_of_client, fields_of, prompt_of_client, with_model

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def fields(text: str) -> dict[str, Any]:
    return {name: value for name, value, _, _ in fields_of(text)}


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 1, 4]), st.booleans())
def test_the_fields_are_those_that_json_reads(
    body: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only)
    assert fields(text) == body == json.loads(text)


@given(st.dictionaries(st.text(), JSON), st.text(), st.text(), st.sampled_from([None, 2]))
def test_another_model_changes_nothing_else(
    body: dict[str, Any], named: str, model: str, indent: int | None
) -> None:
    text = json.dumps({**body, "model": named}, indent=indent)
    changed = with_model(text, model)
    assert json.loads(changed) == {**body, "model": model}
    if named == model:
        assert changed == text
    start = next(start for name, _, start, _ in fields_of(text) if name == "model")
    assert changed[:start] == text[:start]
    assert changed.removeprefix(text[:start]).endswith(
        text[next(end for name, _, _, end in fields_of(text) if name == "model") :]
    )


def test_only_the_outermost_model_is_changed() -> None:
    text = ' {"a" : {"model":"x"} ,"model"\t:"x", "messages":[{"model":"x"}]}\n'
    assert with_model(text, "y") == ' {"a" : {"model":"x"} ,"model"\t:"y", "messages":[{"model":"x"}]}\n'


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1} x', '{"a":NaN}',
        '{"a":-Infinity}', '{"a":1}{"b":2}', '{"a":01}', '{"a":"\n"}', '{,"a":1}',
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(fields_of(text))
    with pytest.raises(ValueError, match=r"."):
        json.loads(text, parse_constant=_refuse) if text not in {"[]", "null"} else _refuse(text)


def test_a_body_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="no field `model`"):
        with_model("{}", "m")


def test_the_messages_are_told_as_far_as_they_can_be_read() -> None:
    messages = [{"role": "user", "content": "Hi"}, 7, {"content": "nobody's"}]
    request = PromptRequest(
        None, 0, "m", {}, builder=CLIENT_BUILDER, raw_body=json.dumps({"model": "m", "messages": messages})
    )
    assert prompt_of_client(request).messages == ({"role": "user", "content": "Hi"},)


def test_a_body_that_was_changed_in_the_store_is_said_to_be() -> None:
    request = PromptRequest(None, 0, "m", {}, builder=CLIENT_BUILDER, raw_body="{}")
    with pytest.raises(CannotRebuildPrompt, match="The event was changed"):
        body_of_client(request)


def test_bodies_of_earlier_releases_are_sent_as_they_are() -> None:
    assert body_of_client(PromptRequest(None, 0, "m", {}, raw_body="anything")) == b"anything"


def _refuse(name: str) -> Any:
    raise ValueError(name)
