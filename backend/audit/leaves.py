"""What of an event goes into the transparency log: its place and the digest of its payload.

The payload itself stays out of the leaf, so that it can be erased where the law asks for it and the log still holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import Final
from uuid import UUID

_ERASED: Final = re.compile(rb'\{"erased":\{"sha256":"([0-9a-f]{64})"\}\}')

_sha256 = hashlib.sha256


def leaf_data(stream: UUID | str, version: int, topic: str, payload: bytes) -> bytes:
    """The bytes of an event's leaf: RFC 8785 JSON of sha256, stream, topic and version.

    payload: as it is stored. stream: a UUID, or its text in lower case with hyphens. topic: as it was stored.
    """
    digest = payload_sha256(payload)
    return (
        f'{{"sha256":"{digest}","stream":"{stream}","topic":{_quoted(topic)},"version":{version}}}'.encode()
    )


def payload_sha256(payload: bytes) -> str:
    """The digest of a payload; of an erased one, the digest of what it was."""
    return erased_sha256(payload) or _sha256(payload).hexdigest()


def erased_sha256(payload: bytes) -> str | None:
    """The digest of the original, if this is what stands in place of an erased payload."""
    found = _ERASED.fullmatch(payload) if payload.startswith(b'{"erased":') else None
    return None if found is None else found[1].decode("ascii")


def erased_payload(payload: bytes) -> bytes:
    """What stands in place of this payload once it is erased. Erasing twice changes nothing."""
    return f'{{"erased":{{"sha256":"{payload_sha256(payload)}"}}}}'.encode("ascii")


@lru_cache(maxsize=1024)
def _quoted(topic: str) -> str:
    return json.dumps(topic, ensure_ascii=False)
