"""RFC 8785 canonical JSON and its digest: the one way in which prompts become bytes.

Written out here, and checked against the library `rfc8785` in the tests, because a prompt of a long
conversation is built several times in a turn and this is several times faster.
"""

from __future__ import annotations

import hashlib
import math
from json.encoder import encode_basestring
from typing import Any

from backend.domain.values import LARGEST_EXACT_INTEGER


def canonical_bytes(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value made of dict, list, tuple, str, int, float, bool and None.

    Raises ValueError for integers beyond 2**53, NaN, infinities, lone surrogates and keys that are not text.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode("utf-8")


def sha256_hex(data: bytes) -> str:
    """The digest in the form it is recorded in: 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def _write(value: Any, put: Any) -> None:
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, int):
        if abs(value) > LARGEST_EXACT_INTEGER:
            raise ValueError(f"The integer {value} is beyond 2**53 and has no exact JSON form.")
        put(str(value))
    elif isinstance(value, float):
        put(_number(value))
    elif isinstance(value, dict):
        _write_object(value, put)
    elif isinstance(value, list | tuple):
        separator = "["
        for item in value:
            put(separator)
            _write(item, put)
            separator = ","
        put("]" if value else "[]")
    else:
        raise ValueError(f"{type(value).__name__} has no JSON form.")


def _write_object(value: dict[Any, Any], put: Any) -> None:
    if not all(isinstance(key, str) for key in value):
        raise ValueError("An object's keys must be texts.")
    separator = "{"
    # RFC 8785 orders keys by UTF-16 code units, which differs from code points beyond U+FFFF.
    for key in sorted(value, key=lambda text: text.encode("utf-16-be", "surrogatepass")):
        put(separator)
        put(encode_basestring(key))
        put(":")
        _write(value[key], put)
        separator = ","
    put("}" if value else "{}")


def _number(value: float) -> str:
    """ECMAScript's shortest form: Python gives the same digits, in another notation."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form.")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent_text = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = whole + fraction
    point = len(whole) + int(exponent_text or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    if len(digits) <= point <= 21:
        body = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        body = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        exponent = point - 1
        head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        body = f"{head}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
    return sign + body
