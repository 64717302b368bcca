"""Bodies that programs wrote: sent as they came, except that a model's name may have to be another one.

Nothing is decoded and written again, so spaces, the order of fields and fields that nobody here knows stay as they
are. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]  # reads one JSON text; the stubs leave it out
from typing import Any, Final, NoReturn, cast

from backend.domain.prompt_request import CLIENT_BUILDER, PromptRequest
from backend.prompting.build import CannotRebuildPrompt, Prompt, PromptMessage
from backend.prompting.canonical import sha256_hex

_SPACE: Final = re.compile(r"[ \t\n\r]*")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def fields_of(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """The fields of a JSON object in order: name, value, and where the value begins and ends in the text.

    Raises ValueError where the text is no JSON object. The same name may come more than once.
    """
    place = _after_space(text, 0)
    if text[place : place + 1] != "{":
        raise ValueError("it is not a JSON object")
    place = _after_space(text, place + 1)
    if text[place : place + 1] == "}":
        _nothing_follows(text, place + 1)
        return
    while True:
        if text[place : place + 1] != '"':
            raise ValueError(f"a field's name is expected at character {place}")
        name, place = scanstring(text, place + 1)
        place = _after_space(text, place)
        if text[place : place + 1] != ":":
            raise ValueError(f"a colon is expected at character {place}")
        start = _after_space(text, place + 1)
        value, end = _DECODER.raw_decode(text, start)
        yield name, value, start, end
        place = _after_space(text, end)
        if text[place : place + 1] == "}":
            _nothing_follows(text, place + 1)
            return
        if text[place : place + 1] != ",":
            raise ValueError(f"a comma or the object's end is expected at character {place}")
        place = _after_space(text, place + 1)


def with_model(text: str, model: str) -> str:
    """The body with another value of `model`; everything else stays as it is. Raises ValueError."""
    for name, value, start, end in fields_of(text):
        if name == "model":
            return (
                text if value == model else text[:start] + json.dumps(model, ensure_ascii=False) + text[end:]
            )
    raise ValueError("it has no field `model`")


def body_of_client(request: PromptRequest) -> bytes:
    """The exact bytes that were sent for a program's call. Raises CannotRebuildPrompt."""
    raw_body = request.raw_body
    assert raw_body is not None, "only calls of programs keep what they came with"
    try:
        if request.builder != CLIENT_BUILDER:
            return raw_body.encode("utf-8")
        return with_model(raw_body, request.model).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise CannotRebuildPrompt(
            f"The stored copy of the client's request cannot be read: {error}. The event was changed; check the store."
        ) from None


def prompt_of_client(request: PromptRequest) -> Prompt:
    """As body_of_client, with the messages in it as far as they can be read."""
    body = body_of_client(request)
    return Prompt(messages=_messages(body), body=body, body_sha256=sha256_hex(body))


def _messages(body: bytes) -> tuple[PromptMessage, ...]:
    try:
        found = json.loads(body)
    except ValueError:
        return ()
    messages = found.get("messages") if isinstance(found, dict) else None
    return tuple(
        cast(PromptMessage, message)
        for message in messages or ()
        if isinstance(message, dict) and "role" in message
    )


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None, "no space at all is a match too"
    return found.end()


def _nothing_follows(text: str, place: int) -> None:
    if _after_space(text, place) != len(text):
        raise ValueError(f"something follows the object's end at character {place}")
