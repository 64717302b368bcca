"""Writes what was recorded to a file: lines of events, a table of calls, or a bundle that proves itself.

For whoever runs the installation and can read its database anyway; nobody is told.
"""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from backend import bootstrap
from backend.audit.checkpoints import open_checkpoint
from backend.audit.export import FORMATS
from backend.audit.notes import NoteError
from backend.bootstrap import audit_export
from backend.bootstrap.transparency import log_keys
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.transparency.exporting import NothingToExport
from backend.transparency.hashes import LogIncomplete
from backend.transparency.keys import KeyProblem
from backend.transparency.signing import LogContradicted
from projections.model_calls import queries as model_calls


def _moment(text: str) -> datetime:
    """A time as RFC 3339 writes it; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_FILTERS: Final[dict[str, tuple[str, Callable[[str], Any], str]]] = {
    "owner": ("owner_id", UUID, "calls of this person (ID)"),
    "conversation": ("conversation_id", UUID, "calls of this conversation (ID)"),
    "call": ("id", UUID, "this call (ID)"),
    "model": ("model", str, "calls of this model"),
    "purpose": ("purpose", str, "reply, title, replay or external"),
    "source": ("source", str, "browser, api or openai"),
    "outcome": ("outcome", str, "pending, complete, truncated, cancelled, interrupted or failed"),
    "created_after": (
        "requested_at__gt",
        _moment,
        "calls asked for later than this (RFC 3339)",
    ),
    "created_before": (
        "requested_at__lt",
        _moment,
        "calls asked for earlier than this (RFC 3339)",
    ),
}
"""Option: the lookup in the call list, how its value is read, and what it says."""


class Command(BaseCommand):
    help = (
        "Export model calls with all that is needed to rebuild what they sent. jsonl: events, one a line, byte for "
        "byte. csv: a table of calls, without what was said. bundle: a ZIP for the offline verifier."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMATS, required=True)
        parser.add_argument("--output", type=Path, required=True, metavar="FILE")
        for name, (_, kind, text) in _FILTERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
        parser.add_argument(
            "--kept-checkpoint",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a checkpoint kept earlier, out of which the bundle shall show that the log grew",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        draft = output.with_name(f".{output.name}.{os.getpid()}.part")
        meter = Meter(options["format"], sys.stderr, unit="records")
        try:
            with plain_database_errors():
                # Written beside it first: a file of that name is whole, or the one that was there before.
                with draft.open("xb") as file:
                    for piece in self._pieces(options, meter):
                        file.write(piece)
                draft.replace(output)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        except (NothingToExport, KeyProblem, LogIncomplete, LogContradicted, NoteError) as error:
            raise CommandError(str(error)) from error
        finally:
            meter.close()
            draft.unlink(missing_ok=True)
        self.stdout.write(
            f"{output}: {output.stat().st_size:,} bytes, {meter.seconds:.1f} s. {self._summary}"
        )
        if options["format"] == "bundle":
            check = shlex.join(
                [
                    *(_from_here(Path(sys.executable)), _from_here(audit_export.VERIFIER), str(output)),
                    *(part for key in log_keys().verifiers for part in ("--key", str(key))),
                ]
            )
            self.stdout.write(f"Check it with: {check}")
            self.stdout.write(
                "Or anywhere else, with that one file and the key line: docs/exports.md tells how."
            )

    def _pieces(self, options: dict[str, Any], meter: Meter) -> Iterator[bytes]:
        calls, picked = _picked(options)
        done = total = 0

        def each() -> None:
            nonlocal done
            done += 1
            meter.show(min(1.0, done / max(total, 1)), done)

        if options["format"] == "csv":
            total = calls.count()
            self._summary = f"{total:,} calls."
            yield from audit_export.csv(calls, each=each)
            return
        kept_sizes = [_size_of(path) for path in options["kept_checkpoint"]]
        with audit_export.open_export(calls, kept_sizes=kept_sizes, each=each) as snapshot:
            events = snapshot.count_events()
            self._summary = f"{events:,} events of {snapshot.count_calls():,} calls and their conversations."
            if options["format"] == "jsonl":
                total = events
                yield from audit_export.jsonl(snapshot)
            else:
                total = 2 * events  # a proof each
                yield from audit_export.bundle(snapshot, picked=picked, at=bootstrap.SystemClock().now())


def _picked(options: dict[str, Any]) -> tuple[QuerySet[Any], dict[str, str]]:
    """The calls wanted, and by which filters."""
    given = {name: options[name] for name in _FILTERS if options[name] is not None}
    calls = model_calls.list_model_calls(owner_id=None).filter(
        **{_FILTERS[name][0]: value for name, value in given.items()}
    )
    return calls, {name: str(value) for name, value in given.items()}


def _from_here(path: Path) -> str:
    """As short as it can be given to a shell in this folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _size_of(path: Path) -> int:
    """Of a checkpoint that somebody kept. Raises OSError, NoteError."""
    return open_checkpoint(path.read_text(encoding="utf-8"), log_keys().verifiers).size
