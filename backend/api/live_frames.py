"""What goes over the live stream, byte for byte: cursors and Server-Sent Events. Pure.

A cursor says what a client has seen: all changes up to a position of the store, and of each reply in
the making the last chunk. Written `<position>` or `<position>;<call id>:<seq>,<call id>:<seq>`; seq -1
stands for a call of which no chunk was seen yet. To clients it is opaque.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

LARGEST_POSITION: Final = 2**63 - 1
RETRY_MS: Final = 1000
CALLS_IN_CURSOR: Final = 32

_CURSOR = re.compile(r"(\d{1,19})(?:;([0-9a-f:,-]+))?", re.ASCII)
_CALL = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(-1|\d{1,9})", re.ASCII)

RESET: Final = b"event: reset\ndata: {}\n\n"

_STATE_OF_KIND: Final = {
    "model_call_requested": "requested",
    "model_call_started": "started",
    "model_call_completed": "finished",
    "model_call_failed": "finished",
    "model_call_cancelled": "finished",
    "model_call_interrupted": "finished",
}


class MalformedCursor(ValueError):
    """The text is no cursor that this server ever gave out."""


@dataclass(frozen=True)
class Cursor:
    """seen: of each call whose chunks a client follows, the last seq it got, or -1."""

    position: int
    seen: Mapping[UUID, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises MalformedCursor."""
        match = _CURSOR.fullmatch(text)
        if match is None or int(match[1]) > LARGEST_POSITION:
            raise MalformedCursor(text[:100])
        seen: dict[UUID, int] = {}
        for part in match[2].split(",") if match[2] else ():
            call = _CALL.fullmatch(part)
            if call is None or len(seen) >= CALLS_IN_CURSOR:
                raise MalformedCursor(text[:100])
            seen[UUID(call[1])] = int(call[2])
        return cls(int(match[1]), seen)

    def __str__(self) -> str:
        if not self.seen:
            return str(self.position)
        newest = list(self.seen.items())[-CALLS_IN_CURSOR:]
        return f"{self.position};{','.join(f'{call_id}:{seq}' for call_id, seq in newest)}"


def call_state(kind: str, *, final: bool) -> str | None:
    """The state that a change of this kind puts a call into, or None where it is not about one."""
    state = _STATE_OF_KIND.get(kind)
    return "retrying" if state == "finished" and not final else state


def is_about_call(kind: str) -> bool:
    """Whether this kind of change belongs to a model call rather than to a conversation."""
    return kind.startswith("model_call_")


def frame_body(event: str, data: Mapping[str, Any]) -> bytes:
    """An event without its id, which differs from client to client; end it with `with_id`."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # A carriage return or newline inside the data would end the line; JSON escapes both.
    return f"event: {event}\ndata: {text}\n".encode()


def with_id(body: bytes, cursor: Cursor) -> bytes:
    return body + f"id: {cursor}\n\n".encode()


def opening(cursor: Cursor) -> bytes:
    """The first bytes of a stream: how soon to come back after a cut, and from where."""
    return f"retry: {RETRY_MS}\n\n".encode() + ping(cursor)


def ping(cursor: Cursor) -> bytes:
    """A sign of life that also moves the client's cursor on, so that it does not grow old in silence."""
    return with_id(frame_body("ping", {}), cursor)


def reset(cursor: Cursor) -> bytes:
    """Fetch everything again; what happens from the cursor on will be told."""
    return with_id(frame_body("reset", {}), cursor)


def chunk(call_id: UUID, reply_id: UUID | None, *, seq: int, text: str, reasoning: str) -> bytes:
    data: dict[str, Any] = {
        "call_id": str(call_id),
        "reply_id": None if reply_id is None else str(reply_id),
        "seq": seq,
        "text": text,
    }
    if reasoning:
        data["reasoning"] = reasoning
    return frame_body("chunk", data)
