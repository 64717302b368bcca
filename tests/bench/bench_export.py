"""How fast 200,000 events are exported as a bundle and verified offline, and how much memory each of it needs.

Run by `make bench`. One conversation is told by the real handlers and copied under other ids; ids are not part of
what a model is sent, so that every copy's prompts are real ones. The floor, in the same run: compressing the same
lines without a database. EXPORT_BENCH=20000 takes fewer events.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
os.environ.update(
    DJANGO_SETTINGS_MODULE="backend.config.settings", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
)

import django  # noqa: E402

django.setup()

from backend.audit.export import (  # noqa: E402
    BundleFacts,
    FileDigest,
    bundle_files,
    events_as_lines,
    manifest,
    text_to_sign,
)
from backend.audit.notes import Signer, sign_note  # noqa: E402
from backend.bootstrap.audit_export import verifier  # noqa: E402
from backend.event_store.mapper import VerbatimMapper  # noqa: E402
from backend.transparency.exporting import ExportSnapshot, PickedCalls  # noqa: E402
from backend.transparency.packing import Files, packed  # noqa: E402
from backend.transparency.sequencer import sequence  # noqa: E402
from backend.transparency.signing import LogKeys, sign  # noqa: E402
from tests.integration.projections.talk import Talk  # noqa: E402
from tests.support.databases import running_test_server  # noqa: E402

EVENTS = int(os.environ.get("EXPORT_BENCH", "200000"))
TURNS = 10
WORDS = "Nobody reads what was said here, but it is about as long as what people say to models. " * 4
GOAL_MB = 64

_KEYS = LogKeys(Signer.make("example.com/bench"))
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CALLS = (
    "SELECT originator_id, (convert_from(state, 'UTF8')::json ->> 'conversation_id')::uuid,"
    " (convert_from(state, 'UTF8')::json ->> 'owner_id')::uuid, false FROM events WHERE topic = 'ModelCallRequested.v2'"
)


def fill(database_url: str) -> int:
    """Copies of one conversation until there are enough events; returns how many."""
    told = Talk()
    for number in range(TURNS):
        told.say(f"Question {number}: {WORDS}")
        told.reply(f"Answer {number}: {WORDS}")
    mapper = VerbatimMapper()
    rows = [mapper.to_stored_event(each.event) for each in told.store.read_after(0, told.store.end())]
    # A title is still being written at its end, which would be a running call in every copy.
    ended = {row.originator_id for row in rows if row.topic.startswith("ModelCallCompleted")} | {told.id}
    texts = [
        (str(row.originator_id), row.originator_version, row.topic, row.state.decode())
        for row in rows
        if row.originator_id in ended
    ]
    count = 0
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        while count < EVENTS:
            ids: dict[str, str] = {}

            def renamed(text: str, ids: dict[str, str] = ids) -> str:
                return _UUID.sub(lambda found: ids.setdefault(found[0], str(uuid4())), text)

            columns = "(originator_id, originator_version, topic, state)"
            with cursor.copy(f"COPY events {columns} FROM STDIN") as copy:
                for stream, version, topic, text in texts:
                    copy.write_row((UUID(renamed(stream)), version, topic, renamed(text).encode()))
            count += len(texts)
    return count


def export(database_url: str, path: Path) -> None:
    now = datetime.now(UTC)
    with (
        ExportSnapshot.open(database_url, _KEYS, PickedCalls(_CALLS, ())) as snapshot,
        path.open("wb") as file,
    ):
        facts = BundleFacts("Verbatim", now.strftime("%Y-%m-%dT%H:%M:%SZ"), snapshot.origin, {})

        def closing(digests: Mapping[str, FileDigest], lines: Mapping[str, int]) -> Files:
            text = manifest(facts, snapshot, digests, lines)
            signed = sign_note(
                text_to_sign(snapshot.origin, hashlib.sha256(text).hexdigest()), [_KEYS.signer]
            )
            return [("manifest.json", [text]), ("manifest.sig", [signed.encode()])]

        for piece in packed(bundle_files(snapshot, snapshot, verifier()), closing, now):
            file.write(piece)


def main() -> None:
    with running_test_server() as server, server.fresh() as url, tempfile.TemporaryDirectory() as folder:
        count = fill(url)
        with psycopg.connect(url, autocommit=True) as connection:
            sequence(connection)
            sign(connection, _KEYS, datetime.now(UTC))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        path = Path(folder) / "bundle.zip"
        began = time.perf_counter()
        export(url, path)
        took = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        print(
            f"{count:,} events as a bundle: {took:.1f} s, {count / took:,.0f} events/s, {path.stat().st_size / 2**20:.1f} MB"
        )
        print(
            f"memory that the export added: {grown:.0f} MB (goal: at most {GOAL_MB} MB, whatever the number of events)"
        )
        floor(url)
        verify(path, count)
    if grown > GOAL_MB:
        sys.exit("The export needs more memory than it may.")


def floor(database_url: str) -> None:
    """Reading the events and compressing their lines, without proofs."""
    began = time.perf_counter()
    compressor, count = zlib.compressobj(6), 0
    with ExportSnapshot.open(database_url, _KEYS, PickedCalls(_CALLS, ())) as snapshot:
        for line in events_as_lines(snapshot):
            compressor.compress(line)
            count += 1
    took = time.perf_counter() - began
    print(f"the same without proofs: {took:.1f} s, {count / took:,.0f} events/s")


def verify(path: Path, count: int) -> None:
    program, key = REPOSITORY / "tools" / "verbatim_verify.py", str(_KEYS.signer.verifier)
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(program), str(path), "--key", key])
    # Of this process alone, unlike what getrusage tells of children.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    print(
        f"verified offline: {took:.1f} s, {count / took:,.0f} events/s, at most {usage.ru_maxrss / 1024:.0f} MB"
    )
    if process.returncode != 0:
        sys.exit(f"The verifier ended with status {process.returncode}.")


if __name__ == "__main__":
    main()
