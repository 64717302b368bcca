"""Questions to the log: is this event in it, and did one state of it grow out of another?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg

from backend.audit.checkpoints import LogProof, check_proof
from backend.audit.leaves import leaf_data
from backend.audit.merkle import ProofFailed, consistency_proof, inclusion_proof
from backend.audit.notes import NoteError, Signer
from backend.transparency.hashes import Connection, StoredHashes
from backend.transparency.outlets import Delivery, deliveries
from backend.transparency.sequencer import sequence, size_of
from backend.transparency.signing import LogContradicted, LogKeys, SignedCheckpoint, newest, sign

_EVENT = "SELECT originator_id::text, originator_version, topic, coalesce(state, '') FROM events WHERE notification_id = %s"
_INDEX = "SELECT index FROM log_leaf WHERE position = %s"
_EARLIER = "SELECT id, size, note, signed_at FROM log_checkpoint WHERE id < %s ORDER BY id"
_BEHIND = (
    "SELECT count(*) FROM events WHERE notification_id >"
    " coalesce((SELECT position FROM log_leaf ORDER BY index DESC LIMIT 1), 0)"
)


class NotInLog(Exception):
    """No event with this position is in the log."""


@dataclass(frozen=True)
class LogState:
    """size: leaves. events_behind: events recorded that have no leaf yet."""

    origin: str
    verifier_key: str
    size: int
    checkpoint: SignedCheckpoint | None
    events_behind: int


class LogReader:
    """Many proofs at one checkpoint, for exports. connection: in a transaction that sees one state of the database."""

    def __init__(self, connection: Connection, keys: LogKeys, signed: SignedCheckpoint) -> None:
        self._connection = connection
        self._hashes = StoredHashes(connection)
        self._signed = signed
        self.verifier_keys = [str(verifier) for verifier in keys.verifiers]

    @property
    def size(self) -> int:
        return self._signed.size

    @property
    def checkpoint(self) -> str:
        """The signed note."""
        return self._signed.note

    def index_of(self, position: int) -> int | None:
        """The index of the event at this position; None where the checkpoint does not cover it."""
        row = self._connection.execute(_INDEX, (position,)).fetchone()
        return int(row[0]) if row is not None and row[0] < self.size else None

    def inclusion(self, index: int) -> list[bytes]:
        return inclusion_proof(index, self.size, self._hashes.subtree)

    def consistency(self, old: int) -> list[bytes]:
        """What shows that the checkpoint's log begins with the log of `old` events."""
        return consistency_proof(old, self.size, self._hashes.subtree)

    def earlier_checkpoints(self) -> Iterator[SignedCheckpoint]:
        """Those signed before this one, the oldest first."""
        for row in self._connection.execute(_EARLIER, (self._signed.id,)):
            yield SignedCheckpoint(*row)


class TransparencyLog:
    """The log of one installation. Safe to share between threads: each question has a connection of its own.

    now: the time to sign with.
    """

    def __init__(self, database_url: str, keys: LogKeys, now: Callable[[], datetime]) -> None:
        self._database_url = database_url
        self._keys = keys
        self._now = now

    @property
    def keys(self) -> LogKeys:
        return self._keys

    def checkpoint(self, also: Sequence[Signer] = ()) -> SignedCheckpoint | None:
        """Bring the log up to date and sign it. None where there is no event at all. also: see `sign`."""
        with self._connection() as connection:
            sequence(connection)
            return sign(connection, self._keys, self._now(), also)

    def prove(self, position: int) -> str:
        """A proof (C2SP tlog-proof) that the event at this position is in the log. Raises NotInLog.

        By the newest checkpoint that covers it; where there is none yet, one is signed. Raises LogContradicted where
        the event, the log or the checkpoint is not as it was: no proof is handed out that does not hold.
        """
        with self._connection() as connection:
            index = self._index(connection, position)
            signed = newest(connection)
            if index is None or signed is None or signed.size <= index:
                sequence(connection)
                signed = sign(connection, self._keys, self._now())
                index = self._index(connection, position)
            if index is None or signed is None:
                raise NotInLog(f"No event has position {position}.")
            with connection.transaction():
                hashes = inclusion_proof(index, signed.size, StoredHashes(connection).subtree)
                event = connection.execute(_EVENT, (position,)).fetchone()
            if event is None:
                raise NotInLog(f"No event has position {position}.")
            stream, version, topic, state = event
            proof = LogProof(index, hashes, signed.note).text()
            try:
                check_proof(proof, leaf_data(stream, version, topic, bytes(state)), self._keys.verifiers)
            except (NoteError, ProofFailed) as error:
                raise LogContradicted(
                    f"The event at position {position} cannot be proven: {error} Run `make verify` to see what was changed."
                ) from error
            return proof

    def state(self) -> LogState:
        with self._connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            behind = connection.execute(_BEHIND).fetchone()
            assert behind is not None
            return LogState(
                origin=self._keys.origin,
                verifier_key=str(self._keys.signer.verifier),
                size=size_of(connection),
                checkpoint=newest(connection),
                events_behind=int(behind[0]),
            )

    def deliveries(self) -> list[Delivery]:
        """How far the places that checkpoints are handed to have got."""
        with self._connection() as connection:
            return deliveries(connection)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """What shows that the log of `new` events begins with the log of `old` ones. Raises ValueError, LogIncomplete."""
        with self._connection() as connection, connection.transaction():
            return consistency_proof(old, new, StoredHashes(connection).subtree)

    @staticmethod
    def _index(connection: Connection, position: int) -> int | None:
        row = connection.execute(_INDEX, (position,)).fetchone()
        return None if row is None else int(row[0])

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            yield connection
