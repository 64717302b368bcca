"""GGUF files small enough to write in a test: the beginning of one, as a real one begins."""

from __future__ import annotations

import struct
from pathlib import Path

_STRING, _ARRAY, _UINT32 = 8, 9, 4


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def string(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", _STRING) + text(value)


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", _UINT32, value)


def strings(key: str, *values: str) -> bytes:
    return text(key) + struct.pack("<IIQ", _ARRAY, _STRING, len(values)) + b"".join(map(text, values))


def numbers(key: str, *values: int) -> bytes:
    head = text(key) + struct.pack("<IIQ", _ARRAY, _UINT32, len(values))
    return head + b"".join(struct.pack("<I", value) for value in values)


def gguf(*keys: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(keys)) + b"".join(keys)


def model(context_tokens: int = 4096, architecture: str = "llama") -> bytes:
    return gguf(
        string("general.architecture", architecture),
        number(f"{architecture}.context_length", context_tokens),
    )


def put(folder: Path, name: str, content: bytes | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(model() if content is None else content)
    return path
