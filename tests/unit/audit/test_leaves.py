"""What of an event goes into the log: the same bytes for everybody, whether its payload is still there or erased."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from backend.audit.leaves import erased_payload, erased_sha256, leaf_data, payload_sha256

STREAM = UUID("c0000000-0000-4000-8000-00000000cafe")


@given(st.uuids(), st.integers(1, 2**40), st.text(st.characters(codec="utf-8")), st.binary())
def test_a_leaf_is_canonical_json(stream: UUID, version: int, topic: str, payload: bytes) -> None:
    value: dict[str, str | int] = {
        "stream": str(stream),
        "version": version,
        "topic": topic,
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    assert leaf_data(stream, version, topic, payload) == rfc8785.dumps(value)
    assert leaf_data(str(stream), version, topic, payload) == rfc8785.dumps(value)


@given(st.binary())
def test_erasing_a_payload_leaves_the_leaf_as_it_was(payload: bytes) -> None:
    erased = erased_payload(payload)
    assert erased_sha256(erased) == hashlib.sha256(payload).hexdigest()
    assert leaf_data(STREAM, 3, "T.v1", erased) == leaf_data(STREAM, 3, "T.v1", payload)
    assert erased_payload(erased) == erased


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"erased":{"sha256":"00"}}',
        b'{"erased":{"sha256":"' + b"0" * 64 + b'"}} ',
        b'{"erased":{"sha256":"' + b"G" * 64 + b'"}}',
        b'{"content":"{\\"erased\\":{}}"}',
    ],
)
def test_nothing_else_counts_as_erased(payload: bytes) -> None:
    assert erased_sha256(payload) is None
    assert payload_sha256(payload) == hashlib.sha256(payload).hexdigest()
