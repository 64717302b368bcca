"""What is told on the channel `call_chunks`, in payloads small enough for the database. Pure.

A payload is a JSON list of frames: a chunk {"c": call, "r": reply, "s": seq, "t": text, "g": reasoning}
without its empty texts, or a state {"c": call, "r": reply, "state": "started", "v": conversation, "o": owner}.
"r" is null for a call that writes no reply, "v" for one without a conversation. How far a runner has come with
reading the prompt is told as {"c": call, "r": reply, "state": "prefill", "p": [tokens done, tokens in all]}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NotRequired, TypedDict
from uuid import UUID

CHUNK_CHANNEL = "call_chunks"
PAYLOAD_LIMIT_BYTES = 7_900  # PostgreSQL refuses 8,000, and the whole flush with it
_TEXT_LIMIT_BYTES = 7_600  # leaves room for the ids and the seq of one frame


@dataclass(frozen=True)
class Chunk:
    """A piece of a reply as it is stored and told: seq counts from 0 within the call."""

    call_id: UUID
    reply_id: UUID | None
    seq: int
    attempt: int
    text: str
    reasoning: str


class Frame(TypedDict):
    c: str
    r: str | None
    s: NotRequired[int]
    t: NotRequired[str]
    g: NotRequired[str]
    state: NotRequired[str]
    v: NotRequired[str | None]
    o: NotRequired[str]
    p: NotRequired[list[int]]


def chunk_frame(chunk: Chunk) -> Frame:
    frame: Frame = {"c": str(chunk.call_id), "r": _text(chunk.reply_id), "s": chunk.seq}
    if chunk.text:
        frame["t"] = chunk.text
    if chunk.reasoning:
        frame["g"] = chunk.reasoning
    return frame


def started_frame(
    call_id: UUID, reply_id: UUID | None, conversation_id: UUID | None, owner_id: UUID
) -> Frame:
    """Names whose call it is and where, so that a stream can follow it before any read model knows of it."""
    return {
        "c": str(call_id),
        "r": _text(reply_id),
        "state": "started",
        "v": _text(conversation_id),
        "o": str(owner_id),
    }


def prefill_frame(call_id: UUID, reply_id: UUID | None, processed: int, total: int) -> Frame:
    return {"c": str(call_id), "r": _text(reply_id), "state": "prefill", "p": [processed, total]}


def payloads(frames: Iterable[Frame]) -> Iterator[str]:
    """Join frames into as few payloads as fit, in their order."""
    parts: list[str] = []
    size = 2
    for frame in frames:
        part = _json(frame)
        part_size = len(part.encode()) + 1
        if parts and size + part_size > PAYLOAD_LIMIT_BYTES:
            yield f"[{','.join(parts)}]"
            parts, size = [], 2
        parts.append(part)
        size += part_size
    if parts:
        yield f"[{','.join(parts)}]"


def split_texts(text: str, reasoning: str) -> list[tuple[str, str]]:
    """Pairs of (text, reasoning) that each fit into one payload; joined, they are what was given."""
    if _size(text) + _size(reasoning) <= _TEXT_LIMIT_BYTES:
        return [(text, reasoning)]
    return [*(("", piece) for piece in _pieces(reasoning)), *((piece, "") for piece in _pieces(text))]


def _pieces(text: str) -> list[str]:
    if not text:
        return []
    if _size(text) <= _TEXT_LIMIT_BYTES:
        return [text]
    middle = len(text) // 2
    return [*_pieces(text[:middle]), *_pieces(text[middle:])]


def _size(text: str) -> int:
    return len(_json(text).encode())


def _json(value: Frame | str) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
