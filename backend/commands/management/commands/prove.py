"""Prints a proof that an event of a model call is in the transparency log, for somebody who trusts neither us nor our database."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.application.history import proof_event
from backend.bootstrap.transparency import transparency_log
from backend.commands.plain_errors import plain_database_errors
from backend.domain.errors import NotFound
from backend.event_store.codec import UnreadableEvent
from backend.transparency.hashes import LogIncomplete
from backend.transparency.keys import KeyProblem
from backend.transparency.log import NotInLog
from backend.transparency.signing import LogContradicted

EVENTS: Final = ("requested", "terminal", "reply")


class Command(BaseCommand):
    help = "Print a proof (C2SP tlog-proof) that an event of a model call is in the transparency log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["call"])
        parser.add_argument("id", type=UUID, metavar="ID")
        parser.add_argument(
            "--event", choices=EVENTS, default=EVENTS[0], help="which event (default: requested)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        store = bootstrap.event_store()
        try:
            with plain_database_errors():
                event = proof_event(store, store.read_call(options["id"]), options["event"])
                proof = transparency_log().prove(event.position)
        except (
            NotFound,
            KeyProblem,
            NotInLog,
            LogIncomplete,
            LogContradicted,
            UnreadableEvent,
        ) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{event.topic}, version {event.version} of stream {event.stream_id}")
        self.stdout.write(proof, ending="")
