"""Checks on the values people send, and the limits they are held to.

Pure functions that return the value to store or raise an error naming the field.
Numbers of parameters become decimal strings here, so that stored bytes never depend on floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from backend.domain.errors import EmptyContent, InvalidInput, InvalidParameter, TextTooLong, UnstorableText

MESSAGE_LIMIT_BYTES = 256 * 1024
TITLE_LIMIT_BYTES = 1024
MODEL_NAME_LIMIT_BYTES = 512
LARGEST_EXACT_INTEGER = 2**53

ParamValue = str | list[str]
Params = dict[str, ParamValue]
"""Parameters as stored: numbers as decimal strings, `stop` as a list of texts."""

_DECIMAL_PARAMS: dict[str, tuple[Decimal, Decimal]] = {
    "temperature": (Decimal(0), Decimal(2)),
    "top_p": (Decimal(0), Decimal(1)),
    "min_p": (Decimal(0), Decimal(1)),
    "presence_penalty": (Decimal(-2), Decimal(2)),
    "frequency_penalty": (Decimal(-2), Decimal(2)),
}
_INTEGER_PARAMS: dict[str, tuple[int, int]] = {
    "max_tokens": (1, 1_000_000),
    "top_k": (0, 1_000_000),
    "seed": (-LARGEST_EXACT_INTEGER, LARGEST_EXACT_INTEGER),
}
DECIMAL_PARAMS = frozenset(_DECIMAL_PARAMS)
INTEGER_PARAMS = frozenset(_INTEGER_PARAMS)
STOP_LIMIT = 4
NUMBER_LENGTH = 64
_DECIMAL_TEXT = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def check_text(text: str, *, field: str, limit_bytes: int) -> str:
    """Return `text` unchanged, or raise for NUL, a lone surrogate or more than `limit_bytes` in UTF-8."""
    if "\x00" in text:
        raise UnstorableText(field, found="a NUL character")
    try:
        length = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UnstorableText(
            field, found=f"half of a character (a lone surrogate at place {error.start})"
        ) from None
    if length > limit_bytes:
        raise TextTooLong(field, limit_bytes=limit_bytes, found_bytes=length)
    return text


def check_content(content: str) -> str:
    """Return a message's text as it stands; whitespace alone is refused."""
    check_text(content, field="content", limit_bytes=MESSAGE_LIMIT_BYTES)
    if not content.strip():
        raise EmptyContent
    return content


def check_title(title: str) -> str:
    """Return the title without surrounding whitespace; one that is empty then is refused."""
    trimmed = check_text(title, field="title", limit_bytes=TITLE_LIMIT_BYTES).strip()
    if not trimmed:
        raise InvalidInput("The title is empty. Give the conversation a name.", field="title")
    return trimmed


def check_erasure(field: str, text: str) -> str:
    """Return who erases, or why, without surrounding whitespace; an empty text is refused, since it stays on record."""
    trimmed = check_text(text, field=field, limit_bytes=TITLE_LIMIT_BYTES).strip()
    if not trimmed:
        raise InvalidInput(f"{field} is empty. Say it in a few words; they stay on record.", field=field)
    return trimmed


def check_system_prompt(text: str) -> str:
    """Return the system prompt as it stands; it may be empty, which is sent as an empty system message."""
    return check_text(text, field="system_prompt", limit_bytes=MESSAGE_LIMIT_BYTES)


def check_model(model: str) -> str:
    """Return the model's name without surrounding whitespace; an empty one is refused."""
    trimmed = check_text(model, field="model", limit_bytes=MODEL_NAME_LIMIT_BYTES).strip()
    if not trimmed:
        raise InvalidInput(
            "The model's name is empty. Choose one of the models listed under /api/models/.", field="model"
        )
    return trimmed


def check_params(params: Mapping[str, object]) -> Params:
    """Return the parameters as stored. Accepts numbers or decimal strings; unknown names are refused."""
    stored: Params = {}
    for name, value in params.items():
        if name in _DECIMAL_PARAMS:
            stored[name] = _check_decimal(name, value)
        elif name in _INTEGER_PARAMS:
            stored[name] = _check_integer(name, value)
        elif name == "stop":
            stored[name] = _check_stop(value)
        else:
            known = ", ".join(sorted([*_DECIMAL_PARAMS, *_INTEGER_PARAMS, "stop"]))
            raise InvalidParameter(
                str(name)[:64], expected=f"one of the known parameters ({known})", found=str(name)[:64]
            )
    return stored


def _check_decimal(name: str, value: object) -> str:
    low, high = _DECIMAL_PARAMS[name]
    number = _number(value)
    if number is None or not low <= number <= high:
        raise InvalidParameter(name, expected=f"a number from {low} to {high}", found=value)
    text = format(number.normalize(), "f")
    if len(text) > 32:
        raise InvalidParameter(name, expected="a number of at most 32 characters", found=value)
    return "0" if text == "-0" else text


def _check_integer(name: str, value: object) -> str:
    low, high = _INTEGER_PARAMS[name]
    number = _number(value)
    if number is None or number != number.to_integral_value() or not low <= number <= high:
        raise InvalidParameter(name, expected=f"a whole number from {low} to {high}", found=value)
    return str(int(number))


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) >= 10**NUMBER_LENGTH:
        return None
    # Decimal() itself would also take underscores, surrounding spaces and the digits of other scripts.
    if isinstance(value, str) and (len(value) > NUMBER_LENGTH or not _DECIMAL_TEXT.fullmatch(value)):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < NUMBER_LENGTH else None


def _check_stop(value: object) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not 1 <= len(texts) <= STOP_LIMIT:
        raise InvalidParameter("stop", expected=f"a text or a list of one to {STOP_LIMIT} texts", found=value)
    for text in texts:
        if not isinstance(text, str) or not text:
            raise InvalidParameter("stop", expected="texts that are not empty", found=text)
        check_text(text, field="params.stop", limit_bytes=1024)
    return list(texts)
