"""Frames fit into notifications, whatever the text, and joined they are what was given."""

from __future__ import annotations

import json
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from backend.model_calls.frames import (
    PAYLOAD_LIMIT_BYTES,
    Chunk,
    chunk_frame,
    payloads,
    prefill_frame,
    split_texts,
    started_frame,
)

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.builds(
        lambda piece, count: piece * count,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.integers(0, 4_000),
    ),
)


@given(text=TEXTS, reasoning=TEXTS)
def test_pieces_fit_and_joined_are_the_whole(text: str, reasoning: str) -> None:
    pieces = split_texts(text, reasoning)
    assert "".join(piece for piece, _ in pieces) == text
    assert "".join(piece for _, piece in pieces) == reasoning
    chunks = [Chunk(uuid4(), uuid4(), 10**9, 1, *piece) for piece in pieces]
    told = list(payloads(chunk_frame(chunk) for chunk in chunks))
    assert all(len(payload.encode()) <= PAYLOAD_LIMIT_BYTES for payload in told)
    frames = [frame for payload in told for frame in json.loads(payload)]
    assert [(frame.get("t", ""), frame.get("g", "")) for frame in frames] == pieces


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), max_size=300))
def test_many_frames_share_payloads_in_their_order(texts: list[str]) -> None:
    call_id, reply_id = uuid4(), uuid4()
    frames = [chunk_frame(Chunk(call_id, reply_id, seq, 1, text, "")) for seq, text in enumerate(texts)]
    told = list(payloads(frames))
    assert [frame for payload in told for frame in json.loads(payload)] == frames
    assert all(len(payload.encode()) <= PAYLOAD_LIMIT_BYTES for payload in told)


def test_empty_texts_are_left_out_of_a_frame() -> None:
    call_id = uuid4()
    assert chunk_frame(Chunk(call_id, None, 3, 1, "a", "")) == {
        "c": str(call_id),
        "r": None,
        "s": 3,
        "t": "a",
    }
    assert chunk_frame(Chunk(call_id, None, 4, 1, "", "b")) == {
        "c": str(call_id),
        "r": None,
        "s": 4,
        "g": "b",
    }
    owner_id = uuid4()
    assert started_frame(call_id, None, None, owner_id) == {
        "c": str(call_id),
        "r": None,
        "state": "started",
        "v": None,
        "o": str(owner_id),
    }
    assert prefill_frame(call_id, None, 256, 1000) == {
        "c": str(call_id),
        "r": None,
        "state": "prefill",
        "p": [256, 1000],
    }
