"""Signs what the log is now, and never anything that contradicts what was signed before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.audit.checkpoints import Checkpoint, open_checkpoint
from backend.audit.merkle import root
from backend.audit.notes import NoteError, Signer, Verifier
from backend.transparency.hashes import Connection, StoredHashes
from backend.transparency.sequencer import lock, size_of

_NEWEST = "SELECT id, size, note, signed_at FROM log_checkpoint ORDER BY id DESC LIMIT 1"
_ADD = "INSERT INTO log_checkpoint (size, note, signed_at) VALUES (%s, %s, %s) RETURNING id"


class LogContradicted(Exception):
    """The stored log no longer is what was signed; nothing more is signed until somebody has looked."""


@dataclass(frozen=True)
class LogKeys:
    """signer: signs from now on. retired: whose checkpoints still count, the newest first."""

    signer: Signer
    retired: Sequence[Verifier] = ()

    @property
    def origin(self) -> str:
        return self.signer.name

    @property
    def verifiers(self) -> list[Verifier]:
        return [self.signer.verifier, *self.retired]


@dataclass(frozen=True)
class SignedCheckpoint:
    """id: grows with time."""

    id: int
    size: int
    note: str
    signed_at: datetime


def newest(connection: Connection) -> SignedCheckpoint | None:
    row = connection.execute(_NEWEST).fetchone()
    return None if row is None else SignedCheckpoint(*row)


def sign(
    connection: Connection, keys: LogKeys, now: datetime, also: Sequence[Signer] = ()
) -> SignedCheckpoint | None:
    """The checkpoint of the log as it is; signed now, unless it was already. None while the log is empty.

    also: further keys that sign it, for a change of keys. Raises LogContradicted, LogIncomplete.
    """
    with connection.transaction():
        lock(connection)
        size, last, hashes = size_of(connection), newest(connection), StoredHashes(connection)
        if last is not None:
            signed = _opened(last, keys)
            if size < signed.size or root(signed.size, hashes.subtree) != signed.root:
                raise LogContradicted(
                    f"The checkpoint of {signed.size:,} events, signed at {last.signed_at.isoformat()}, is not the "
                    f"beginning of the log, which has {size:,} now. Nothing is signed. Run `make verify`."
                )
            if size == signed.size and not also and _is_by(last.note, keys):
                return last
        if size == 0:
            return None
        note = Checkpoint(keys.origin, size, root(size, hashes.subtree)).signed(keys.signer, *also)
        row = connection.execute(_ADD, (size, note, now)).fetchone()
        assert row is not None
        return SignedCheckpoint(row[0], size, note, now)


def _opened(last: SignedCheckpoint, keys: LogKeys) -> Checkpoint:
    try:
        return open_checkpoint(last.note, keys.verifiers)
    except NoteError as error:
        raise LogContradicted(
            f"The newest checkpoint cannot be relied on: {error} Nothing is signed. If the signing key was changed, "
            "list the one before it in AUDIT_RETIRED_KEYS; otherwise run `make verify`."
        ) from error


def _is_by(note: str, keys: LogKeys) -> bool:
    """Whether the key that signs now has signed it."""
    try:
        open_checkpoint(note, [keys.signer.verifier])
    except NoteError:
        return False
    return True
