"""Bundles of events in memory, for tests of exports and of the offline verifier; and bundles that somebody altered.

The log here is written anew from RFC 6962, leaf by leaf, so that neither side of a test checks itself.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from backend.application.ports import RecordedEvent
from backend.audit.export import (
    BundleFacts,
    EarlierCheckpoint,
    ExportedEvent,
    ExportedStream,
    FileDigest,
    bundle_files,
    manifest,
    text_to_sign,
)
from backend.audit.notes import Signer, sign_note
from backend.domain.events import VerbatimEvent
from backend.event_store.mapper import VerbatimMapper
from backend.transparency.packing import Files, packed
from tools import verbatim_verify

SIGNER = Signer("example.com/log", bytes(range(32)))
SOMEBODY_ELSE = Signer("example.com/log", bytes(range(1, 33)))
KEY = str(SIGNER.verifier)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf_of(event: ExportedEvent) -> bytes:
    """The leaf's hash as the contract words it."""
    erased = event.payload.startswith(b'{"erased":')
    digest = (
        json.loads(event.payload)["erased"]["sha256"] if erased else hashlib.sha256(event.payload).hexdigest()
    )
    data = {"sha256": digest, "stream": event.stream, "topic": event.topic, "version": event.version}
    return sha256(b"\x00" + json.dumps(data, sort_keys=True, separators=(",", ":")).encode())


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    half = _half(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:half]) + tree_hash(leaves[half:]))


def path_to(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    half = _half(len(leaves))
    if index < half:
        return [*path_to(index, leaves[:half]), tree_hash(leaves[half:])]
    return [*path_to(index - half, leaves[half:]), tree_hash(leaves[:half])]


def grown_from(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    half = _half(len(leaves))
    if old <= half:
        return [*grown_from(old, leaves[:half], whole), tree_hash(leaves[half:])]
    return [*grown_from(old - half, leaves[half:], False), tree_hash(leaves[:half])]


def _half(size: int) -> int:
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def checkpoint_of(leaves: Sequence[bytes], signer: Signer = SIGNER) -> str:
    root = base64.b64encode(tree_hash(leaves)).decode()
    return sign_note(f"{signer.name}\n{len(leaves)}\n{root}\n", [signer])


@dataclass
class Log:
    """Implements backend.audit.export.LogProofs and ExportSource. picked: indexes; None for all events."""

    all_events: Sequence[ExportedEvent]
    picked: Sequence[int] | None = None
    earlier_sizes: Sequence[int] = ()
    running: frozenset[str] = frozenset()
    signer: Signer = SIGNER
    leaves: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = [leaf_of(event) for event in self.all_events]

    @property
    def size(self) -> int:
        return len(self.leaves)

    @property
    def checkpoint(self) -> str:
        return checkpoint_of(self.leaves, self.signer)

    @property
    def verifier_keys(self) -> list[str]:
        return [str(self.signer.verifier)]

    def earlier(self) -> Iterator[EarlierCheckpoint]:
        for size in self.earlier_sizes:
            yield EarlierCheckpoint(size, checkpoint_of(self.leaves[:size], self.signer))

    def inclusion(self, index: int) -> list[bytes]:
        return path_to(index, self.leaves)

    def consistency(self, old: int) -> list[bytes]:
        return grown_from(old, self.leaves)

    def events(self) -> Iterator[ExportedEvent]:
        for event in self.all_events:
            if self.picked is None or event.index in self.picked:
                yield event

    def indexes(self) -> Iterator[int]:
        return (event.index for event in self.events())

    def streams(self) -> Iterator[ExportedStream]:
        counts: dict[str, int] = {}
        for event in self.events():
            counts[event.stream] = counts.get(event.stream, 0) + 1
        for stream, versions in counts.items():
            yield ExportedStream(stream, versions, stream in self.running)


def bundle_of(log: Log) -> bytes:
    facts = BundleFacts("Verbatim test", "2026-03-04T12:00:00Z", log.signer.name, {})

    def closing(digests: Mapping[str, FileDigest], lines: Mapping[str, int]) -> Files:
        text = manifest(facts, log, digests, lines)
        return [("manifest.json", [text]), ("manifest.sig", [signature_of(text, log.signer)])]

    return b"".join(packed(bundle_files(log, log, b"# a verifier\n"), closing, NOON))


def signature_of(manifest_text: bytes, signer: Signer = SIGNER) -> bytes:
    digest = hashlib.sha256(manifest_text).hexdigest()
    return sign_note(text_to_sign(signer.name, digest), [signer]).encode()


def exported(
    events: Sequence[VerbatimEvent], *, first_position: int = 10, step: int = 3
) -> list[ExportedEvent]:
    """Events as an export has them, in this order. Positions have gaps, as they may."""
    mapper = VerbatimMapper()
    rows = [mapper.to_stored_event(event) for event in events]
    return [
        ExportedEvent(
            first_position + step * index,
            index,
            str(row.originator_id),
            row.originator_version,
            row.topic,
            row.state,
        )
        for index, row in enumerate(rows)
    ]


def recorded(events: Sequence[RecordedEvent]) -> list[ExportedEvent]:
    """What a store holds, in its order, as an export of all of it has it."""
    stored = exported([each.event for each in events])
    return [replace(event, position=each.position) for event, each in zip(stored, events, strict=True)]


# ---- altering ------------------------------------------------------------------------------------

Files_ = dict[str, bytes]


def unpacked(bundle: bytes) -> Files_:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files: Mapping[str, bytes]) -> bytes:
    packed_again = io.BytesIO()
    with zipfile.ZipFile(packed_again, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed_again.getvalue()


def altered(bundle: bytes, name: str, change: Callable[[list[Any]], Any]) -> bytes:
    """The bundle with the lines of a file, as JSON, changed in place; everything else as it was."""
    files = unpacked(bundle)
    lines = [json.loads(line) for line in files[name].splitlines()]
    change(lines)
    files[name] = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    return repacked(files)


def covered_up(bundle: bytes, signer: Signer | None = None) -> bytes:
    """The bundle with a manifest and streams.jsonl that fit it again. signer: whoever signs that; None: nobody."""
    files = unpacked(bundle)
    events = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    last: dict[str, int] = {}
    for event in events:
        last[event["stream"]] = max(event["version"], last.get(event["stream"], 0))
    files["streams.jsonl"] = b"".join(
        json.dumps({"stream": stream, "versions": versions}).encode() + b"\n"
        for stream, versions in last.items()
    )
    described = json.loads(files["manifest.json"])
    described.update(events=len(events), streams=len(last))
    for name, entry in described["files"].items():
        entry.update(sha256=hashlib.sha256(files[name]).hexdigest(), bytes=len(files[name]))
    files["manifest.json"] = json.dumps(described).encode()
    if signer is not None:
        files["manifest.sig"] = signature_of(files["manifest.json"], signer)
    return repacked(files)


# ---- verifying -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verified:
    """How the offline verifier ended. lines: what it printed."""

    status: int
    lines: list[str]
    errors: str

    @property
    def problems(self) -> list[str]:
        """Everything before the summary; all, where the bundle was not read to its end."""
        summary = (place for place, line in enumerate(self.lines) if " against the log of " in line)
        return self.lines[: next(summary, None)]


def verify(
    bundle: bytes, folder: Path, *, keys: Sequence[str] = (KEY,), kept: Mapping[str, str] | None = None
) -> Verified:
    """Run the offline verifier on a bundle, in this process. kept: checkpoints by name."""
    path = folder / "bundle.zip"
    path.write_bytes(bundle)
    arguments = [str(path)]
    for key in keys:
        arguments += ["--key", key]
    for name, note in (kept or {}).items():
        (folder / name).write_text(note, encoding="utf-8")
        arguments += ["--checkpoint", str(folder / name)]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = verbatim_verify.main(arguments)
    return Verified(status, out.getvalue().splitlines(), err.getvalue())


def uuid(number: int) -> UUID:
    return UUID(int=number)
