"""Checkpoints (C2SP tlog-checkpoint) and proofs that an event is in the log (C2SP tlog-proof), as texts.

Both can be checked by anybody's tools; the text is all that is signed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit.merkle import check_inclusion, leaf_hash
from backend.audit.notes import NoteError, Signer, Verifier, open_note, sign_note

LONGEST_ORIGIN: Final = 30
"""Characters; with them a proof at 100,000 events stays below 1 KB."""
_PROOF: Final = "c2sp.org/tlog-proof@v1"
_HASH_BYTES: Final = 32


@dataclass(frozen=True)
class Checkpoint:
    """What a log says about itself: so many leaves, and this root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    def signed(self, *signers: Signer) -> str:
        return sign_note(self.text(), signers)


@dataclass(frozen=True)
class LogProof:
    """That the leaf `index` is in the tree of a signed checkpoint."""

    index: int
    hashes: Sequence[bytes]
    checkpoint: str

    def text(self) -> str:
        lines = [_PROOF, f"index {self.index}", *(_base64(each) for each in self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def open_checkpoint(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint in a note that one of these keys signed for its own origin. Raises NoteError."""
    text, signed_by = open_note(note, verifiers)
    found = parse_checkpoint(text)
    if not any(verifier.name == found.origin for verifier in signed_by):
        raise NoteError(f"The checkpoint is of {found.origin}, but signed by {signed_by[0].name}.")
    return found


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text, without its signatures. Raises NoteError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteError("This is not a checkpoint: expected origin, size and root, a line each.")
    return Checkpoint(lines[0], _number(lines[1], "size"), _hash(lines[2], "root"))


def parse_proof(text: str) -> LogProof:
    """Read a proof's text. Raises NoteError."""
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != _PROOF or not separator:
        raise NoteError(f"This is not a proof: it does not begin with {_PROOF}, or has no checkpoint.")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    if not rest or not rest[0].startswith("index "):
        raise NoteError("The proof does not say the index of its event.")
    index = _number(rest[0].removeprefix("index "), "index")
    return LogProof(index, [_hash(line, "proof's hash") for line in rest[1:]], checkpoint)


def check_proof(text: str, leaf: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint that this proof shows a leaf's data to be in. Raises NoteError, ProofFailed."""
    proof = parse_proof(text)
    checkpoint = open_checkpoint(proof.checkpoint, verifiers)
    check_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def _number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0") or len(text) > 18:
        raise NoteError(f"{text[:40]!r} is not a {what}.")
    return int(text)


def _hash(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _HASH_BYTES or _base64(raw) != text:
        raise NoteError(f"{text[:80]!r} is not a {what}.")
    return raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
