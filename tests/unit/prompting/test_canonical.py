"""Our canonical JSON is RFC 8785, byte for byte: the library `rfc8785` is the oracle."""

from __future__ import annotations

import hashlib
import math
import sys
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.prompting.canonical import canonical_bytes, sha256_hex

# Every text that has a UTF-8 form: astral characters and control characters, but no lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.sampled_from(
    [
        "",
        "\u20ac",
        "\r",
        "דּ",
        "1",
        "😀",
        "\u0080",
        "ö",
        "\uffff",
        "\U00010000",
        "\ue000",
        "\x7f",
        "\u2028",
        '"\\/',
    ]
)
# The oracle refuses 2**53 itself, which is exact too and has a test of its own below.
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS | AWKWARD,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS | AWKWARD, inner, max_size=6),
    max_leaves=30,
)


def oracle(value: Any) -> bytes:
    return bytes(rfc8785.dumps(value))


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_json_value_has_the_bytes_of_rfc_8785(value: Any) -> None:
    assert canonical_bytes(value) == oracle(value)


@settings(max_examples=1000, deadline=None)
@given(FLOATS)
@example(-0.0)
@example(5e-324)
@example(sys.float_info.max)
@example(1e21)
@example(1e20)
@example(123456789012345680000.0)
@example(1e-6)
@example(1e-7)
@example(0.1 + 0.2)
@example(333333333.33333329)
@example(9007199254740993.0)
def test_any_float_has_the_shortest_form_of_ecmascript(number: float) -> None:
    assert canonical_bytes(number) == oracle(number)
    assert float(canonical_bytes(number)) == number


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(TEXTS | AWKWARD, st.integers(0, 9), max_size=12))
@example({"\U00010000": 1, "\uffff": 2, "\ue000": 3})
def test_keys_are_in_the_order_of_utf_16(value: dict[str, int]) -> None:
    assert canonical_bytes(value) == oracle(value)


def test_every_control_character_is_escaped_as_the_standard_says() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028\u2029'
    assert canonical_bytes(text) == oracle(text)
    assert rb"\b\t\n\u000b\f\r" in canonical_bytes(text)


def test_the_example_of_the_standard() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\x0f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        canonical_bytes(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_tuples_are_lists_and_empty_things_stay_empty() -> None:
    assert canonical_bytes((1, (), [], {}, "")) == b'[1,[],[],{},""]'


def test_whole_numbers_are_exact_up_to_two_to_the_53() -> None:
    assert canonical_bytes([2**53, -(2**53)]) == b"[9007199254740992,-9007199254740992]"
    for number in (2**53 + 1, -(2**53) - 1, 10**400):
        with pytest.raises(ValueError, match=r"2\*\*53"):
            canonical_bytes({"a": [number]})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="has no JSON form"):
        canonical_bytes([number])


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(ValueError, match=f"{type(value).__name__} has no JSON form"):
        canonical_bytes({"a": value})


def test_keys_that_are_not_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="keys must be texts"):
        canonical_bytes({1: "a"})


@pytest.mark.parametrize("value", ["\ud83d", {"\ude00": 1}, ["a", "x\udfff"]])
def test_lone_surrogates_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        canonical_bytes(value)


def test_the_digest_is_sha_256_in_lower_case_hex() -> None:
    assert sha256_hex(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert len(sha256_hex(b"")) == 64
