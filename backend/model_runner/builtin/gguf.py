"""Reads the beginning of a GGUF file: enough to list a model before it is loaded.

Stops at the first key about the tokenizer, whose lists make up most of a header. Whether the weights are complete is
for llama.cpp to say.

Source: the GGUF specification (ggml-org/ggml, docs/gguf.md).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MAGIC: Final = b"GGUF"
LONGEST_TEXT_BYTES: Final = 1_000_000
MOST_KEYS: Final = 10_000

_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# What is not for chatting: image encoders and adapters, which belong to another file's model.
_OTHER_ARCHITECTURES: Final = ("clip",)
_OTHER_KINDS: Final = ("adapter", "mmproj", "imatrix", "vocab")


class NotAModel(Exception):
    """The file cannot hold a model; the text says what it is instead, without naming it."""


@dataclass(frozen=True)
class Header:
    """context_tokens: what the model was trained for, None where it is not told."""

    context_tokens: int | None = None
    is_companion: bool = False  # an image encoder or an adapter, of no use alone


def read_header(path: Path) -> Header:
    """What the header tells. Raises NotAModel, also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            found = _keys(file)
    except IsADirectoryError:
        raise NotAModel("it is a folder; expected a GGUF file") from None
    except OSError as error:
        raise NotAModel(f"it cannot be read: {error.strerror}") from None
    architecture = found.get("general.architecture")
    context = found.get(f"{architecture}.context_length")
    return Header(
        context_tokens=context if isinstance(context, int) and context > 0 else None,
        is_companion=architecture in _OTHER_ARCHITECTURES or found.get("general.type") in _OTHER_KINDS,
    )


def _keys(file: BinaryIO) -> dict[str, object]:
    """The keys before the tokenizer's, with their values; lists are left out."""
    magic = file.read(4)
    if magic != MAGIC:
        shown = ascii(magic.decode("latin-1"))
        what = "it is empty" if not magic else f"it begins with {shown}"
        raise NotAModel(f"it is not a GGUF file: {what}, expected {MAGIC.decode('ascii')!r}")
    version, _tensors, count = (int(_number(file, form)) for form in "IQQ")
    if version not in (2, 3):
        raise NotAModel(f"its GGUF version is {version}; expected 2 or 3")
    if count > MOST_KEYS:
        raise NotAModel(f"its header is damaged: it announces {count} keys")
    found: dict[str, object] = {}
    for _ in range(count):
        key = _text(file)
        if key.startswith("tokenizer."):
            break
        kind = int(_number(file, "I"))
        if kind == _ARRAY:
            _skip_list(file)
        else:
            found[key] = _text(file) if kind == _STRING else _number(file, _form(kind))
    return found


def _skip_list(file: BinaryIO) -> None:
    kind, length = int(_number(file, "I")), int(_number(file, "Q"))
    if kind == _STRING:
        for _ in range(length):
            _text(file)
    else:
        file.seek(length * struct.calcsize(_form(kind)), 1)


def _form(kind: int) -> str:
    if kind not in _NUMBERS:
        raise NotAModel(f"its header is damaged: there is no kind {kind} of values")
    return _NUMBERS[kind]


def _text(file: BinaryIO) -> str:
    length = int(_number(file, "Q"))
    if length > LONGEST_TEXT_BYTES:
        raise NotAModel(f"its header is damaged: it announces a text of {length} bytes")
    return _read(file, length).decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int | float:
    (value,) = struct.unpack(f"<{form}", _read(file, struct.calcsize(f"<{form}")))
    assert isinstance(value, int | float)
    return value


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise NotAModel("it ends in the middle of its header; copy or download it again")
    return data
