"""Rebuilds read models from the events, showing how far it has come."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.event_store.codec import UnreadableEvent
from projections.batches import PoisonEvent
from projections.projector import Projector
from projections.rebuild import Progress, RebuildRunning, rebuild
from projections.registry import PROJECTORS, UnknownReadModel, projector_named, read_model_names

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
            meter = Meter(projector.name, sys.stderr, unit="events")
            try:
                with plain_database_errors(advice=_GOES_ON):
                    done = rebuild(
                        projector, database_url=bootstrap.database_url(), report=partial(_show, meter)
                    )
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


def _show(meter: Meter, progress: Progress) -> None:
    meter.show(progress.position / progress.end if progress.end else 1.0, progress.events)
