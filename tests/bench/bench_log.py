"""How fast the event store is held against its transparency log, how large a proof is, and how soon events are logged.

Run by `make bench`. 200,000 events of ordinary size in one database. The floor, in the same run: the SHA-256 of the
same payloads alone. LOG_BENCH=20000 takes fewer events.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.audit.checkpoints import open_checkpoint
from backend.audit.log_check import LogCheck, SignedRoot
from backend.audit.notes import Signer
from backend.transparency.hashes import STEP
from backend.transparency.log import TransparencyLog
from backend.transparency.reading import Snapshot
from backend.transparency.sequencer import sequence
from backend.transparency.signing import LogKeys, sign
from tests.support.databases import running_test_server

EVENTS = int(os.environ.get("LOG_BENCH", "200000"))
PER_STREAM = 50
PAYLOAD = (
    b'{"at":"2026-03-04T12:00:00.000000Z","event_id":"%d","content":"'
    + b"Some words of a message. " * 20
    + b'"}'
)
# As long as an origin may be.
KEYS = LogKeys(Signer("bench.example.com/verbatim-log", bytes(32)))
_COPY = "COPY events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"


def fill(connection: psycopg.Connection[tuple[int]]) -> None:
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["uuid", "int8", "text", "bytea"])
        for number in range(EVENTS):
            if number % PER_STREAM == 0:
                stream = uuid4()
            copy.write_row((stream, number % PER_STREAM + 1, "UserMessageSent.v1", PAYLOAD % number))


def row(name: str, value: str, goal: str = "") -> None:
    print(f"{name:<58} {value:>18}   {goal}".rstrip())


def main() -> int:
    with running_test_server() as server, server.fresh() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection)
            began = time.perf_counter()
            for number in range(EVENTS):
                hashlib.sha256(PAYLOAD % number).digest()
            floor = EVENTS / (time.perf_counter() - began)
            began = time.perf_counter()
            sequence(connection)
            sequenced = EVENTS / (time.perf_counter() - began)
            signed = sign(connection, KEYS, datetime.now(UTC))
            assert signed is not None
            [(log_bytes, event_bytes)] = connection.execute(
                "SELECT pg_total_relation_size('log_leaf') + pg_total_relation_size('log_subtree'),"
                " pg_total_relation_size('events')"
            ).fetchall()
            [(first,)] = connection.execute("SELECT min(notification_id) FROM events").fetchall()
        began = time.perf_counter()
        with Snapshot.open(url) as snapshot:
            check = LogCheck(
                [SignedRoot(open_checkpoint(signed.note, KEYS.verifiers), "the checkpoint")],
                snapshot.subtrees(),
                STEP,
            )
            problems = list(check.run(snapshot.events(), snapshot.leaves()))
        verified = EVENTS / (time.perf_counter() - began)
        assert problems == []
        assert check.size == EVENTS
        log = TransparencyLog(url, KEYS, lambda: datetime.now(UTC))
        took, sizes = [], []
        for number in range(0, EVENTS, EVENTS // 50):
            began = time.perf_counter()
            sizes.append(len(log.prove(first + number).encode()))
            took.append((time.perf_counter() - began) * 1000)
    print(f"{EVENTS:,} events of {len(PAYLOAD)} bytes")
    row("SHA-256 of the payloads alone (floor)", f"{floor:,.0f} events/s")
    row("verify log", f"{verified:,.0f} events/s", "goal >= 50,000")
    row("events getting their leaves, all at once", f"{sequenced:,.0f} events/s")
    row("a proof, largest of 50", f"{max(sizes):,} bytes", "goal <= 1,024 at 100,000 events")
    row("a proof, time", f"p50 {statistics.median(took):.1f} ms")
    row("the log's tables beside the events'", f"{log_bytes / event_bytes:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
