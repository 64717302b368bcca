"""The key that signs checkpoints: from the settings, or made once and kept in DATA_DIR.

The file's first line is the key; below it stand the verifier keys of those that signed before, the newest first.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backend.audit.checkpoints import LONGEST_ORIGIN
from backend.audit.notes import NoteError, Signer, Verifier
from backend.transparency.signing import LogKeys

KEY_FILE: Final = "audit_signing_key"


class KeyProblem(Exception):
    """The signing key cannot be read or kept. Its text is never shown."""


def configured_keys(signing_key: str, retired_keys: Sequence[str], data_dir: Path) -> LogKeys:
    """The key of AUDIT_SIGNING_KEY, or the one in DATA_DIR, made on first use. Raises KeyProblem.

    Safe when several processes start at once: the first key to be there is everybody's.
    """
    try:
        retired = [Verifier.parse(text) for text in retired_keys]
    except NoteError as error:
        raise KeyProblem(f"AUDIT_RETIRED_KEYS: {error}") from error
    if signing_key:
        try:
            return LogKeys(_checked(Signer.parse(signing_key)), retired)
        except NoteError as error:
            raise KeyProblem(f"AUDIT_SIGNING_KEY: {error}") from error
    path = data_dir / KEY_FILE
    if not path.exists():
        # An origin that no other installation has, and that fits into small proofs.
        _put(path, [Signer.make(f"verbatim.local/{secrets.token_hex(4)}").secret_text()], replace=False)
    kept = read_key_file(path)
    return LogKeys(kept.signer, [*kept.retired, *retired])


def read_key_file(path: Path) -> LogKeys:
    """Raises KeyProblem."""
    try:
        first, *below = path.read_text(encoding="ascii").split()
        return LogKeys(_checked(Signer.parse(first)), [Verifier.parse(text) for text in below])
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise KeyProblem(
            f"The signing key in {path} cannot be read: {reason} Put back the file from a backup; without it, "
            "checkpoints signed so far can only be checked with the verifier keys that were handed out."
        ) from error


def replace_key_file(path: Path, keys: LogKeys) -> None:
    """Keep these keys from now on. Raises KeyProblem."""
    _put(path, [keys.signer.secret_text(), *(str(verifier) for verifier in keys.retired)], replace=True)


def _checked(signer: Signer) -> Signer:
    if len(signer.name) > LONGEST_ORIGIN:
        raise NoteError(
            f"The key's name {signer.name!r} is longer than {LONGEST_ORIGIN} characters. Choose a shorter one."
        )
    return signer


def _put(path: Path, lines: Sequence[str], *, replace: bool) -> None:
    """Written in full under another name first: a reader never sees half a key."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                with contextlib.suppress(FileExistsError):  # another process's key is as good as ours
                    os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise KeyProblem(
            f"The signing key cannot be kept in {path}: {error.strerror}. Set DATA_DIR to a folder that you may write to."
        ) from error
