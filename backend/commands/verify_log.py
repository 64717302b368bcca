"""`manage.py verify log`: the event store against its transparency log, and both against what was signed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from django.core.management.base import CommandError

from backend import bootstrap
from backend.audit.checkpoints import open_checkpoint
from backend.audit.log_check import LogCheck, SignedRoot, streams_out_of_order
from backend.audit.notes import NoteError, Verifier, split_notes
from backend.bootstrap.transparency import log_keys
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.commands.printable import printable
from backend.transparency.hashes import STEP
from backend.transparency.keys import KeyProblem
from backend.transparency.reading import Snapshot

_EXPLAINS_GAPS: Final = {"changed", "missing", "moved", "inserted"}
"""Events that were named already are why their streams are not as they were."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="log: checkpoints that were kept elsewhere; they must fit too (may be given several times)",
    )
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VERIFIER_KEY",
        help="log: trust these keys only (by default those of this installation)",
    )


def verify_log(options: dict[str, Any], stdout: Any, stderr: TextIO) -> bool:
    """Write a line for each problem and a summary. Returns whether everything holds. Raises CommandError."""
    verifiers = _verifiers(options["key"])
    kept = list(_kept(options["checkpoint"], verifiers))
    problems: Counter[str] = Counter()
    with plain_database_errors(), Snapshot.open(bootstrap.database_url()) as snapshot:
        signed, unsigned = list(kept), []
        for number, size, note in snapshot.checkpoints():
            try:
                checkpoint = open_checkpoint(note, verifiers)
            except NoteError as error:
                unsigned.append(f"checkpoint: Checkpoint {number} cannot be relied on. {error}")
                continue
            signed.append(SignedRoot(checkpoint, f"checkpoint {number}"))
            if size != checkpoint.size:
                unsigned.append(
                    f"checkpoint: Checkpoint {number} is stored as one of {size:,} events, but was signed over "
                    f"{checkpoint.size:,}."
                )
        total = snapshot.count_events()
        meter = Meter("log", stderr, unit="events")
        check = LogCheck(
            signed,
            snapshot.subtrees(),
            STEP,
            lambda events: meter.show(min(1.0, events / max(total, 1)), events),
        )
        try:
            for line in unsigned:
                problems["checkpoint"] += 1
                meter.interrupt()
                stdout.write(printable(line))
            for problem in check.run(snapshot.events(), snapshot.leaves()):
                problems[problem.kind] += 1
                meter.interrupt()
                stdout.write(printable(str(problem)))
            if not problems.keys() & _EXPLAINS_GAPS:
                for problem in streams_out_of_order(snapshot.broken_streams()):
                    problems[problem.kind] += 1
                    meter.interrupt()
                    stdout.write(printable(str(problem)))
        finally:
            meter.close()
    stdout.write(_summary(check, total, len(kept), problems, meter.seconds))
    return not problems


def _summary(check: LogCheck, total: int, kept: int, problems: Counter[str], seconds: float) -> str:
    parts = [f"{check.size:,} leaves", f"{check.checkpoints:,} checkpoints hold"]
    if kept:
        parts.append(f"{kept:,} of them kept elsewhere were looked at")
    if check.erased:
        parts.append(f"{check.erased:,} erased")
    if check.behind:
        parts.append(f"{check.behind:,} not in the log yet")
    if check.unsigned:
        parts.append(f"{check.unsigned:,} not signed yet")
    parts += [f"{count:,} {kind}" for kind, count in sorted(problems.items())]
    if not problems:
        parts.append("nothing was changed")
    return (
        f"{total:,} events: {', '.join(parts)}. {seconds:.1f} s, {total / max(seconds, 0.001):,.0f} events/s."
    )


def _verifiers(given: Sequence[str]) -> list[Verifier]:
    try:
        return [Verifier.parse(text) for text in given] or log_keys().verifiers
    except (NoteError, KeyProblem) as error:
        raise CommandError(str(error)) from error


def _kept(files: Sequence[Path], verifiers: Sequence[Verifier]) -> Iterator[SignedRoot]:
    for file in files:
        try:
            notes = split_notes(file.read_text(encoding="utf-8"))
            if not notes:
                raise NoteError("There is no checkpoint in it.")
            for number, note in enumerate(notes, start=1):
                yield SignedRoot(open_checkpoint(note, verifiers), f"checkpoint {number} of {file}")
        except (OSError, UnicodeDecodeError, NoteError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandError(f"The kept checkpoints in {file} cannot be used: {reason}") from error
