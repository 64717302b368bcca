"""What a program asks for, read from its body without changing a byte of it. Pure.

Only what must be understood is looked at: which model, which messages, whether to stream. All other fields, also ones
that nobody here knows, go to the runner as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.api.openai.errors import OpenAIError, invalid
from backend.domain.errors import DomainError
from backend.domain.imported import ROLES, OutsideMessage, imported_content, text_of_imported
from backend.domain.message_tree import ASSISTANT, SYSTEM
from backend.domain.values import DECIMAL_PARAMS, INTEGER_PARAMS, Params, check_model, check_params
from backend.prompting.chains import START, link
from backend.prompting.client_body import fields_of

BODY_LIMIT_BYTES: Final = 8 * 1024 * 1024
MOST_MESSAGES: Final = 10_000
"""Each message of a call that joins nothing becomes an event of its own, all of them in one commit."""
DEEPEST: Final = 64
"""Levels of lists and objects in one message. Those that clients send have about five."""
DEEPEST_BODY: Final = 500
"""What is barely read when it comes might not be read by those who verify it later."""
_KEPT_AS: Final = {"max_completion_tokens": "max_tokens"}


@dataclass(frozen=True)
class ChatRequest:
    """raw: the body as it came. messages: without the system prompt that may begin them.

    params: as far as we know them, for reading. stream: the answer is wanted piece by piece.
    """

    raw: str
    model: str
    messages: tuple[OutsideMessage, ...]
    system_prompt: str
    params: Params
    stream: bool

    def beginnings(self) -> list[tuple[bytes, int]]:
        """The digest of each beginning of the messages that holds a reply, and how many messages it takes in."""
        chain, found, has_reply = START, [], False
        for count, message in enumerate(self.messages, start=1):
            chain = link(chain, message.role, message.content)
            has_reply = has_reply or message.role == ASSISTANT
            if has_reply:
                found.append((chain, count))
        return found


def read_request(body: bytes) -> ChatRequest:
    """Raises OpenAIError."""
    try:
        raw = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(
            f"The body is not UTF-8: byte {error.start} fits no character. Send JSON in UTF-8."
        ) from None
    fields = _fields(raw)
    if _is_deeper(fields, DEEPEST_BODY):
        raise invalid(f"The body is nested more than {DEEPEST_BODY} levels deep. Send a flatter JSON object.")
    model = _model(fields)
    if fields.get("n") not in (None, 1):
        raise invalid(
            f"n is {_shown(fields['n'])}; each call keeps one reply. Send n = 1, or ask several times.",
            param="n",
        )
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid(f"stream is {_shown(stream)}; expected true or false.", param="stream")
    messages, system_prompt = _messages(fields)
    return ChatRequest(raw, model, messages, system_prompt, _params(fields), bool(stream))


def _fields(raw: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        for name, value, _, _ in fields_of(raw):
            if name in fields:
                raise invalid(
                    f"The field {name[:100]!r} stands twice in the body. Which one counts differs from runner to runner; "
                    "send it once.",
                    param=name[:100],
                )
            fields[name] = value
    except RecursionError:
        raise invalid("The body is nested too deeply. Send a flatter JSON object.") from None
    except ValueError as error:
        raise invalid(f"The body is not valid JSON: {error}. Send one JSON object.") from None
    return fields


def _model(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    if not isinstance(model, str):
        raise invalid(
            f"model is {_shown(model)}; expected the id of a model, as GET /v1/models lists them.",
            param="model",
        )
    try:
        return check_model(model)
    except DomainError as error:
        raise invalid(str(error), param="model") from None


def _messages(fields: Mapping[str, Any]) -> tuple[tuple[OutsideMessage, ...], str]:
    listed = fields.get("messages")
    if not isinstance(listed, list) or not listed:
        raise invalid(
            f"messages is {_shown(listed)}; expected a list with at least one message.", param="messages"
        )
    if len(listed) > MOST_MESSAGES:
        raise invalid(
            f"messages has {len(listed):,} entries; the limit is {MOST_MESSAGES:,}. Leave earlier messages out.",
            param="messages",
        )
    messages = [_message(message, place) for place, message in enumerate(listed)]
    begun = next((place for place, message in enumerate(messages) if message.role != SYSTEM), None)
    if begun is None:
        return tuple(messages), ""
    system_prompt = "\n\n".join(text_of_imported(message.content) for message in messages[:begun])
    # A reply that came to nothing says nothing, and is not kept as a message.
    said = [message for message in messages[begun:] if message.role != ASSISTANT or message.content]
    return tuple(said or messages[begun:]), system_prompt


def _message(message: Any, place: int) -> OutsideMessage:
    name = f"messages[{place}]"
    if not isinstance(message, Mapping):
        raise invalid(f"{name} is {_shown(message)}; expected an object with role and content.", param=name)
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise invalid(
            f"{name}.role is {_shown(role)}; expected one of {', '.join(ROLES)}.", param=f"{name}.role"
        )
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        raise invalid(
            f"{name}.content is {_shown(content)}; expected a text or a list of parts.",
            param=f"{name}.content",
        )
    if _is_deeper(message, DEEPEST):
        raise invalid(
            f"{name} is nested more than {DEEPEST} levels deep, which cannot be kept. Send a flatter one.",
            param=name,
        )
    kept = imported_content({**message, "role": ROLES[role]})
    _check_texts(kept, name)
    return OutsideMessage(ROLES[role], kept)


def _is_deeper(value: Any, levels: int) -> bool:
    inside = [value]
    for _ in range(levels):
        inside = [inner for each in inside for inner in _parts_of(each)]
    return any(isinstance(each, list | dict) for each in inside)


def _parts_of(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_texts(content: Any, name: str) -> None:
    """What cannot be kept cannot be accounted for, so it is not sent either."""
    for text in _texts(content):
        if "\x00" in text:
            raise invalid(f"{name} holds a NUL character, which cannot be kept. Remove it.", param=name)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise invalid(
                f"{name} holds half of a character (a lone surrogate), which cannot be kept. Remove it.",
                param=name,
            ) from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _params(fields: Mapping[str, Any]) -> Params:
    """Those that the ledger can show. What is not understood is in the body all the same."""
    found: Params = {}
    for name, value in fields.items():
        known = _KEPT_AS.get(name, name)
        if value is None or known not in DECIMAL_PARAMS | INTEGER_PARAMS | {"stop"}:
            continue
        try:
            found |= check_params({known: value})
        except DomainError:
            continue
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:80]}…"


def too_large(found_bytes: int) -> OpenAIError:
    return invalid(
        f"The body has {'more than ' if found_bytes > BODY_LIMIT_BYTES * 2 else ''}{found_bytes:,} bytes; the limit is "
        f"{BODY_LIMIT_BYTES:,} bytes (8 MB). Leave earlier messages or attachments out.",
        code="request_too_large",
        status=413,
    )
