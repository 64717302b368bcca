"""How what was recorded is written down for others: one event per line, one call per row, and the files of a bundle.

Pure: events and hashes in, lines out, one at a time, so that an export of any size needs little memory. What a bundle
holds is checked by tools/verbatim_verify.py, which knows these formats from docs/audit-exports, not from this code.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

BUNDLE_FORMAT: Final = "verbatim-bundle/1"
FORMATS: Final = ("jsonl", "csv", "bundle")

CALL_COLUMNS: Final = (
    "id",
    "requested_at",
    "started_at",
    "ended_at",
    "owner_id",
    "conversation_id",
    "reply_id",
    "purpose",
    "source",
    "runner",
    "model",
    "response_model",
    "outcome",
    "finish_reason",
    "error_code",
    "prompt_tokens",
    "completion_tokens",
    "usage_source",
    "first_token_ms",
    "duration_ms",
    "chunk_count",
    "delivered_characters",
    "body_length",
    "body_sha256",
)
"""The columns of the CSV: about calls, never what was said in them."""

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA_BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """index: its place in the log. payload: the bytes as they are stored."""

    position: int
    index: int
    stream: str
    version: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ExportedStream:
    """versions: how many the export has, all from 1 on. running: a call that had not ended for good by then."""

    stream: str
    versions: int
    running: bool


@dataclass(frozen=True, slots=True)
class EarlierCheckpoint:
    """note: None where only somebody else has it, who named its size."""

    size: int
    note: str | None


class LogProofs(Protocol):
    """The log at one checkpoint."""

    @property
    def size(self) -> int: ...

    @property
    def checkpoint(self) -> str:
        """The signed note."""

    @property
    def verifier_keys(self) -> Sequence[str]:
        """Whose signatures count: of the key that signs now, then of those before it."""

    def earlier(self) -> Iterable[EarlierCheckpoint]:
        """Those from which the log is shown to have grown."""

    def inclusion(self, index: int) -> Sequence[bytes]: ...

    def consistency(self, old: int) -> Sequence[bytes]: ...


class ExportSource(Protocol):
    """What was picked, from one moment. Each question may be asked once, and is answered in the order of the log."""

    def events(self) -> Iterator[ExportedEvent]: ...

    def indexes(self) -> Iterator[int]:
        """Of the same events."""

    def streams(self) -> Iterator[ExportedStream]: ...


# ---- JSON Lines ----------------------------------------------------------------------------------


def event_line(event: ExportedEvent) -> bytes:
    """An event with its payload as a text, from which the stored bytes come back."""
    fields: dict[str, Any] = {
        "position": event.position,
        "index": event.index,
        "stream": event.stream,
        "version": event.version,
        "topic": event.topic,
    }
    try:
        fields["payload"] = event.payload.decode("utf-8")
    except UnicodeDecodeError:
        # Never written by us, but somebody may have changed the store, and an export shows what is there.
        fields["payload_base64"] = _base64(event.payload)
    return _line(fields)


def events_as_lines(source: ExportSource) -> Iterator[bytes]:
    return map(event_line, source.events())


# ---- CSV -----------------------------------------------------------------------------------------


def calls_as_csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A header and a row for each call. rows: with the keys of CALL_COLUMNS."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def written(cells: Sequence[Any]) -> bytes:
        writer.writerow(cells)
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        # A model's name may hold half of a character, which no file can.
        return text.encode("utf-8", "replace")

    yield written(CALL_COLUMNS)
    for row in rows:
        yield written([_cell(row[name]) for name in CALL_COLUMNS])


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_FORMULA_BEGINNINGS):
        return value
    return f"'{value}"


# ---- The bundle ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileDigest:
    sha256: str
    length: int


@dataclass(frozen=True)
class BundleFacts:
    """What the manifest says besides digests. created_at: RFC 3339. picked: the filters that chose the calls."""

    product: str
    created_at: str
    origin: str
    picked: Mapping[str, str]


def bundle_files(
    source: ExportSource, proofs: LogProofs, verifier: bytes
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files of a bundle in their order, but for the manifest. Take each file's pieces before the next file.

    verifier: the text of the offline verifier.
    """
    yield "README.txt", [README.encode()]
    yield "verbatim_verify.py", [verifier]
    yield "keys", [f"{key}\n".encode() for key in proofs.verifier_keys]
    yield "checkpoint", [proofs.checkpoint.encode()]
    yield "consistency.jsonl", (_consistency_line(each, proofs) for each in proofs.earlier())
    yield "streams.jsonl", map(_stream_line, source.streams())
    yield "events.jsonl", events_as_lines(source)
    yield "proofs.jsonl", (_proof_line(index, proofs.inclusion(index)) for index in source.indexes())


def manifest(
    facts: BundleFacts, proofs: LogProofs, digests: Mapping[str, FileDigest], lines: Mapping[str, int]
) -> bytes:
    """The manifest: digests, counts, and what was picked. lines: of each file."""
    described = {
        "format": BUNDLE_FORMAT,
        "product": facts.product,
        "created_at": facts.created_at,
        "origin": facts.origin,
        "log_size": proofs.size,
        "events": lines["events.jsonl"],
        "streams": lines["streams.jsonl"],
        "filter": dict(facts.picked),
        "files": {
            name: {"sha256": each.sha256, "bytes": each.length} for name, each in sorted(digests.items())
        },
    }
    return (json.dumps(described, ensure_ascii=False, indent=1) + "\n").encode()


def text_to_sign(origin: str, manifest_sha256: str) -> str:
    """What is signed for a manifest. It can be taken for no checkpoint, which has a size in its second line."""
    return f"{BUNDLE_FORMAT} of {origin}\nsha256 {manifest_sha256}\n"


def _consistency_line(earlier: EarlierCheckpoint, proofs: LogProofs) -> bytes:
    hashes = [_base64(each) for each in proofs.consistency(earlier.size)]
    return _line({"size": earlier.size, "note": earlier.note, "hashes": hashes})


def _proof_line(index: int, hashes: Sequence[bytes]) -> bytes:
    return _line({"index": index, "hashes": [_base64(each) for each in hashes]})


def _stream_line(stream: ExportedStream) -> bytes:
    fields: dict[str, Any] = {"stream": stream.stream, "versions": stream.versions}
    return _line({**fields, "running": True} if stream.running else fields)


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


README: Final = """\
An audit bundle of Verbatim
===========================

It holds model calls as they were recorded: every event of the calls, of the conversations they belong to, and of
those that these go on from; a proof for each event that it is in the operator's transparency log; and the log's
signed checkpoint. Nobody has to be trusted for it but whoever gave you the verifier key.

To check it you need Python 3.9 or newer:

    python -m pip install cryptography
    python verbatim_verify.py BUNDLE.zip --key VERIFIER_KEY

Take the verifier key from the operator by another way than this file (the file `keys` shows which to expect), and
better also the verifier: `verbatim_verify.py` in this bundle is a copy for convenience. If you have kept a checkpoint
of an earlier day, add `--checkpoint FILE`: it shows that nothing recorded until then was changed or removed since.

Exit status: 0 everything holds, 1 something does not (each problem has a line), 2 the bundle cannot be read.

Files
  manifest.json       what was picked, counts, and the SHA-256 of every file
  manifest.sig        the log's signature over the digest of manifest.json (C2SP signed-note)
  checkpoint          the log's size and root, signed (C2SP tlog-checkpoint)
  events.jsonl        one event per line, in the order of the log; payload: the stored bytes as text
  proofs.jsonl        for each event the hashes from its leaf to the root (RFC 6962)
  consistency.jsonl   earlier checkpoints, with the proof that the log has only grown since
  streams.jsonl       each stream, and how many versions it has
  keys                verifier keys, the one that signs now first
"""
