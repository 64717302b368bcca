"""What people may send, up to the exact edge: texts, titles, models, parameters."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import partial

import pytest

from backend.domain.errors import EmptyContent, InvalidInput, InvalidParameter, TextTooLong, UnstorableText
from backend.domain.values import (
    LARGEST_EXACT_INTEGER,
    MESSAGE_LIMIT_BYTES,
    MODEL_NAME_LIMIT_BYTES,
    TITLE_LIMIT_BYTES,
    check_content,
    check_model,
    check_params,
    check_system_prompt,
    check_title,
)
from tests.support.given import refusal_of

LONE_HIGH, LONE_LOW = "\ud83d", "\ude00"


@pytest.mark.parametrize(
    "text", ["a", "  padded \n", "0", "\u200b", "שלום", "😀", "\x01\x1f\x7f", "\ufeffx", "\u2028.", "e\u0301"]
)
def test_a_message_is_kept_exactly_as_it_was_written(text: str) -> None:
    assert check_content(text) == text


@pytest.mark.parametrize("text", ["", " ", "\n\t\r ", "\u00a0\u2003\u3000"])
def test_a_message_of_nothing_but_white_space_is_refused(text: str) -> None:
    assert refusal_of(lambda: check_content(text), EmptyContent, field="content").code == "content_empty"


@pytest.mark.parametrize("unit", ["a", "é", "€", "😀"])
def test_a_message_may_have_256_kb_in_utf_8_and_not_one_byte_more(unit: str) -> None:
    assert MESSAGE_LIMIT_BYTES == 262_144
    count, rest = divmod(MESSAGE_LIMIT_BYTES, len(unit.encode()))
    text = unit * count + "x" * rest
    assert check_content(text) == text
    refusal = refusal_of(lambda: check_content(text + "x"), TextTooLong, field="content")
    assert "262,145" in str(refusal)
    assert "262,144" in str(refusal)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "a" * 1000 + "\x00"])
def test_a_nul_is_refused(text: str) -> None:
    assert "NUL" in str(refusal_of(lambda: check_content(text), UnstorableText, field="content"))


@pytest.mark.parametrize("text", [LONE_HIGH, LONE_LOW, f"ab{LONE_HIGH}", LONE_LOW + LONE_HIGH])
def test_half_of_a_character_is_refused(text: str) -> None:
    assert "surrogate" in str(refusal_of(lambda: check_content(text), UnstorableText, field="content"))


def test_a_system_prompt_may_be_empty_and_has_the_same_limits() -> None:
    assert check_system_prompt("") == ""
    assert check_system_prompt(" \n") == " \n"
    refusal_of(lambda: check_system_prompt("x\x00"), UnstorableText, field="system_prompt")
    refusal_of(
        lambda: check_system_prompt("x" * (MESSAGE_LIMIT_BYTES + 1)), TextTooLong, field="system_prompt"
    )


def test_a_title_loses_the_white_space_around_it_and_may_not_be_empty() -> None:
    assert check_title("  Tea at five ") == "Tea at five"
    for text in ("", "  \n"):
        refusal_of(partial(check_title, text), InvalidInput, field="title")
    assert len(check_title("t" * TITLE_LIMIT_BYTES)) == TITLE_LIMIT_BYTES
    refusal_of(lambda: check_title("t" * (TITLE_LIMIT_BYTES + 1)), TextTooLong, field="title")
    refusal_of(lambda: check_title(LONE_HIGH), UnstorableText, field="title")


def test_a_model_has_a_name() -> None:
    assert check_model(" smol ") == "smol"
    refusal_of(lambda: check_model(" "), InvalidInput, field="model")
    refusal_of(lambda: check_model("m" * (MODEL_NAME_LIMIT_BYTES + 1)), TextTooLong, field="model")


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("temperature", 0, "0"),
        ("temperature", -0.0, "0"),
        ("temperature", "-0", "0"),
        ("temperature", 2, "2"),
        ("temperature", 0.7, "0.7"),
        ("temperature", "0.70", "0.7"),
        ("temperature", "7e-1", "0.7"),
        ("temperature", Decimal("1.10"), "1.1"),
        ("temperature", 1e-7, "0.0000001"),
        ("top_p", 1.0, "1"),
        ("min_p", "0.05", "0.05"),
        ("presence_penalty", -2, "-2"),
        ("frequency_penalty", 2.0, "2"),
        ("max_tokens", 1, "1"),
        ("max_tokens", 1_000_000, "1000000"),
        ("max_tokens", 16.0, "16"),
        ("max_tokens", "1e3", "1000"),
        ("top_k", 0, "0"),
        ("seed", LARGEST_EXACT_INTEGER, "9007199254740992"),
        ("seed", -LARGEST_EXACT_INTEGER, "-9007199254740992"),
        ("seed", "+7", "7"),
    ],
)
def test_a_number_is_stored_as_one_decimal_text(name: str, value: object, stored: str) -> None:
    assert check_params({name: value}) == {name: stored}
    assert check_params({name: stored}) == {name: stored}, "what is stored is accepted again, unchanged"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.001),
        ("temperature", 2.001),
        ("temperature", "2.00000000000000000000000000000000000001"),
        ("top_p", -0.1),
        ("top_p", 1.1),
        ("min_p", 2),
        ("presence_penalty", -2.1),
        ("frequency_penalty", 2.1),
        ("max_tokens", 0),
        ("max_tokens", 1_000_001),
        ("max_tokens", 1.5),
        ("top_k", -1),
        ("seed", LARGEST_EXACT_INTEGER + 1),
        ("seed", -LARGEST_EXACT_INTEGER - 1),
    ],
)
def test_a_number_out_of_range_is_refused(name: str, value: object) -> None:
    refusal = refusal_of(lambda: check_params({name: value}), InvalidParameter, field=f"params.{name}")
    assert refusal.code == "parameter_invalid"


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "seed"])
@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        "NaN",
        "Infinity",
        "sNaN",
        True,
        False,
        None,
        "",
        "one",
        "0x1",
        "1_0",
        " 1",
        "1\n",
        "١",
        "1,5",
        [],
        [1],
        {},
        b"1",
        10**5000,
        -(10**64),
        "1" * 65,
        "1e400",
        "1e-400",
        "1e99999999999999999999",
        Decimal("NaN"),
        1e300,
    ],
    ids=lambda value: "a huge number" if isinstance(value, int) and abs(value) > 10**20 else None,
)
def test_what_is_not_a_number_in_reach_is_refused(name: str, value: object) -> None:
    refusal = refusal_of(lambda: check_params({name: value}), InvalidParameter, field=f"params.{name}")
    assert len(str(refusal)) < 400


def test_a_decimal_longer_than_32_characters_is_refused() -> None:
    assert check_params({"top_p": "0." + "1" * 28}) == {"top_p": "0." + "1" * 28}
    refusal_of(lambda: check_params({"top_p": "1e-40"}), InvalidParameter, field="params.top_p")


@pytest.mark.parametrize(
    ("value", "stored"),
    [("END", ["END"]), (["a", "b"], ["a", "b"]), (("\n",), ["\n"]), (["x"] * 4, ["x"] * 4)],
)
def test_stop_is_stored_as_a_list_of_texts(value: object, stored: list[str]) -> None:
    assert check_params({"stop": value}) == {"stop": stored}


@pytest.mark.parametrize("value", [[], "", [""], ["x"] * 5, [1], 7, None, {"a": 1}, [None], [10**5000]])
def test_a_stop_that_is_not_one_to_four_texts_is_refused(value: object) -> None:
    refusal_of(lambda: check_params({"stop": value}), InvalidParameter, field="params.stop")


def test_a_stop_text_is_a_text_that_can_be_stored() -> None:
    refusal_of(lambda: check_params({"stop": ["\x00"]}), UnstorableText, field="params.stop")
    refusal_of(lambda: check_params({"stop": [LONE_LOW]}), UnstorableText, field="params.stop")
    refusal_of(lambda: check_params({"stop": ["x" * 1025]}), TextTooLong, field="params.stop")


def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named() -> None:
    refusal = refusal_of(lambda: check_params({"n": 2}), InvalidParameter, field="params.n")
    assert "temperature" in str(refusal)
    assert "seed" in str(refusal)


def test_one_bad_parameter_refuses_all() -> None:
    refusal_of(lambda: check_params({"seed": 1, "top_p": 7}), InvalidParameter, field="params.top_p")
    assert check_params({}) == {}
