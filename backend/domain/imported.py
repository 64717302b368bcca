"""Messages that a program outside wrote: one form for what it may send, so that equal ones are told to be equal.

A message is a text, or a list of parts: those of its content as the client sent them, and one more for each other
field that belongs to it, such as {"type": "tool_calls", "tool_calls": [...]}. Pure; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.message_tree import ASSISTANT, SYSTEM, TOOL, USER

ROLES: Final[Mapping[str, str]] = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "assistant": ASSISTANT,
    "tool": TOOL,
    "function": TOOL,
}
"""The roles that clients use, and what each is kept as."""

_OTHER_FIELDS: Final = ("name", "tool_call_id")
# What clients add to a reply when they send it back says nothing about which reply it is.
_TEXT_PARTS: Final = frozenset({"text", "refusal", "input_text", "output_text"})

ImportedContent = str | list[Any]


@dataclass(frozen=True)
class OutsideMessage:
    """A message of a client's list. role: as it is kept."""

    role: str
    content: ImportedContent


def imported_content(message: Mapping[str, Any]) -> ImportedContent:
    """What is kept of a client's message besides its role.

    A reply of ours that a client sends back gives the same as `reply_content` gave when it was recorded.
    """
    parts = _parts(message.get("content"))
    calls = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        parts.append({"type": "tool_calls", "tool_calls": [_tool_call(call) for call in calls]})
    if message.get("role") != ASSISTANT:
        for name in _OTHER_FIELDS:
            if message.get(name):
                parts.append({"type": name, name: _without_floats(message[name])})
    return _plainest(parts)


def reply_content(text: str, tool_calls: Sequence[Any]) -> ImportedContent:
    """What a recorded reply looks like when a client sends it back."""
    return imported_content({"role": ASSISTANT, "content": text, "tool_calls": list(tool_calls)})


def text_of_imported(content: ImportedContent) -> str:
    """The words of a message, for people and for prompts; what is no text is named in brackets."""
    if isinstance(content, str):
        return content
    return "\n\n".join(text for part in content if (text := _words(part)))


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return [_without_floats(part) for part in content]
    return [{"type": "text", "text": content}] if isinstance(content, str) and content else []


def _plainest(parts: list[Any]) -> ImportedContent:
    if not parts:
        return ""
    only = parts[0]
    is_text = len(parts) == 1 and isinstance(only, dict) and only.keys() == {"type", "text"}
    if is_text and only["type"] == "text" and isinstance(only["text"], str):
        return str(only["text"])
    return parts


def _tool_call(call: Any) -> Any:
    """Without what only the stream needed, such as the index of a fragment."""
    if not isinstance(call, Mapping):
        return _without_floats(call)
    function = call.get("function")
    named = function if isinstance(function, Mapping) else {}
    return {
        "id": call.get("id"),
        "type": call.get("type") or "function",
        "function": {"name": named.get("name") or "", "arguments": named.get("arguments") or ""},
    }


def _words(part: Any) -> str:
    if not isinstance(part, Mapping):
        return ""
    kind = str(part.get("type") or "part")
    if kind in _TEXT_PARTS:
        text = part.get("text") or part.get("refusal")
        return text if isinstance(text, str) else ""
    # These belong to the message and are no words of it.
    return "" if kind in {"tool_calls", *_OTHER_FIELDS} else f"[{kind}]"


def _without_floats(value: Any) -> Any:
    """Events hold no floats; in a part of a message a number's text says the same."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [_without_floats(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _without_floats(item) for key, item in value.items()}
    return value
