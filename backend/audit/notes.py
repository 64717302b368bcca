"""Signed notes (C2SP signed-note): a text, and Ed25519 signatures by named keys below it.

Keys are written as the Go tools write them: verifier keys `name+hash+base64`, signing keys
`PRIVATE+KEY+name+hash+base64`, so that other people's verifiers can check what is signed here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_SIGNATURE_LINE: Final = "\N{EM DASH} "
_MOST_SIGNATURES: Final = 100
_NEW_KEY: Final = "Make a key with `manage.py rotate_log_key`."


class NoteError(ValueError):
    """A note, a key or a signature is not what it should be."""


@dataclass(frozen=True)
class Verifier:
    """The public half of a key: whose signature it knows."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell which key signed."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read `name+hash+base64`. Raises NoteError."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteError(f"{text[:80]!r} is not a verifier key; expected name+hash+base64.")
        name, key_id, material = parts
        _check_name(name)
        key = _key_material(material, "verifier key")
        found = cls(name, key)
        if found.key_id.hex() != key_id.lower():
            raise NoteError(
                f"The verifier key of {name} names the hash {key_id}, but its own is {found.key_id.hex()}."
            )
        return found

    def check(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A key that signs. Its seed is a secret: it is shown nowhere."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def make(cls, name: str) -> Signer:
        """A new key of this name."""
        _check_name(name)
        return cls(name, secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read `PRIVATE+KEY+name+hash+base64`. Raises NoteError, which never shows the key."""
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteError(f"This is not a signing key; expected PRIVATE+KEY+name+hash+base64. {_NEW_KEY}")
        name, key_id, material = parts[2:]
        _check_name(name)
        found = cls(name, _key_material(material, "signing key", _NEW_KEY))
        if found.verifier.key_id.hex() != key_id.lower():
            raise NoteError(f"The signing key of {name} does not fit the hash that it names. {_NEW_KEY}")
        return found

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self._key().public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """The key to keep, as `parse` reads it."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{_base64(_ED25519 + self.seed)}"

    def sign(self, text: str) -> bytes:
        return self._key().sign(text.encode())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The note of a text that ends with a line break."""
    if not text.endswith("\n") or not signers:
        raise NoteError("A note is a text that ends with a line break, and has a signature at least.")
    lines = [
        f"{_SIGNATURE_LINE}{signer.name} {_base64(signer.verifier.key_id + signer.sign(text))}\n"
        for signer in signers
    ]
    return f"{text}\n{''.join(lines)}"


def split_notes(text: str) -> list[str]:
    """The notes of a text that has several, each followed by a blank line, as they are handed out. Raises NoteError."""
    notes: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if not line and lines and lines[-1].startswith(_SIGNATURE_LINE):
            notes.append("\n".join(lines) + "\n")
            lines = []
        elif line or lines:
            lines.append(line)
    if lines:
        if not lines[-1].startswith(_SIGNATURE_LINE):
            raise NoteError("The last note is cut off: it does not end with a signature.")
        notes.append("\n".join(lines) + "\n")
    return notes


def open_note(note: str, verifiers: Sequence[Verifier]) -> tuple[str, list[Verifier]]:
    """The signed text, and whose signatures were found good. Raises NoteError where one of them is wrong, or none is there."""
    text, separator, below = note.rpartition("\n\n")
    if not separator or not below.endswith("\n"):
        raise NoteError("This is not a signed note: no text with signature lines below it.")
    text += "\n"
    if any(character < " " and character != "\n" for character in note):
        raise NoteError("This is not a signed note: it holds control characters.")
    lines = below[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise NoteError(f"The note has more than {_MOST_SIGNATURES} signatures.")
    good: list[Verifier] = []
    for line in lines:
        name, key_id, signature = _signature(line)
        for verifier in verifiers:
            if (verifier.name, verifier.key_id) != (name, key_id):
                continue
            if not verifier.check(text, signature):
                raise NoteError(f"The signature of {name} ({key_id.hex()}) does not fit the note.")
            if verifier not in good:
                good.append(verifier)
    if not good:
        known = ", ".join(f"{each.name} ({each.key_id.hex()})" for each in verifiers) or "no key at all"
        raise NoteError(f"Nobody who is known signed the note. Known: {known}.")
    return text, good


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE_LINE).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not line.startswith(_SIGNATURE_LINE) or not name or len(raw) < 5:
        raise NoteError(f"{line[:80]!r} is not a signature line.")
    return name, raw[:4], raw[4:]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteError(f"{name!r} cannot be a key's name: it must not be empty or hold spaces or a plus.")


def _key_material(encoded: str, what: str, next_step: str = "") -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 33 or raw[:1] != _ED25519:
        raise NoteError(f"The {what} is not one for Ed25519. {next_step}".strip())
    return raw[1:]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
