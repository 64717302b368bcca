"""Rebuilds read models from the events, showing how far it has come."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.commands.plain_errors import plain_database_errors
from backend.event_store.codec import UnreadableEvent
from projections.batches import PoisonEvent
from projections.projector import Projector
from projections.rebuild import Progress, RebuildRunning, rebuild
from projections.registry import PROJECTORS, UnknownReadModel, projector_named, read_model_names

_BAR_WIDTH = 30
_LINE_EVERY_S = 5.0
_GOES_ON = "The projection worker finishes the rebuild; or start it again."


class Command(BaseCommand):
    help = (
        "Empty a read model's tables and fill them again from all events. Its queries answer 503 meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help=f"one of: {', '.join(read_model_names())}")
        parser.add_argument("--all", action="store_true", help="every read model, one after the other")

    def handle(self, *args: Any, **options: Any) -> None:
        for projector in _chosen(options["name"], everything=options["all"]):
            meter = Meter(projector.name, sys.stderr)
            try:
                with plain_database_errors(advice=_GOES_ON):
                    done = rebuild(projector, database_url=bootstrap.database_url(), report=meter.show)
            except KeyboardInterrupt:
                meter.close()
                raise CommandError(
                    f"{projector.name} is rebuilt in part only. {_GOES_ON}", returncode=130
                ) from None
            except (PoisonEvent, RebuildRunning, UnreadableEvent) as error:
                meter.close()
                raise CommandError(f"{projector.name} was not rebuilt: {error}") from error
            meter.close()
            self.stdout.write(
                f"{projector.name}: rebuilt from {done.events} events in {meter.seconds:.1f} s."
            )


def _chosen(name: str | None, *, everything: bool) -> tuple[type[Projector], ...]:
    if everything == (name is not None):
        known = ", ".join(read_model_names())
        raise CommandError(f"Name one read model, or give --all. The known ones are: {known}.", returncode=2)
    if name is None:
        return PROJECTORS
    try:
        return (projector_named(name),)
    except UnknownReadModel as error:
        raise CommandError(str(error), returncode=2) from error


class Meter:
    """Progress with counts and rate: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._last_line = self._began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        share = progress.position / progress.end if progress.end else 1.0
        rate = progress.events / max(self.seconds, 0.001)
        counts = f"{share:4.0%}  {progress.events:,} events  {rate:,.0f}/s"
        if self._terminal:
            filled = int(share * _BAR_WIDTH)
            bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
            self._stream.write(f"\r{self._name}  {bar}  {counts}\x1b[K")
        else:
            self._stream.write(f"{self._name}: {counts}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the bar's line."""
        if self._terminal:
            self._stream.write("\n")
