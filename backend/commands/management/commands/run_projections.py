"""Runs the projection worker, and beside it the keeper of the transparency log, until told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.bootstrap.database_rights import warn_of_rights
from backend.bootstrap.transparency import log_keys, outlets
from backend.commands.alive import sign_of_life
from backend.commands.plain_errors import plain_database_errors
from backend.transparency.keeper import keep
from backend.transparency.keys import KeyProblem
from projections import worker

STOP_WITHIN_S: Final = 5.0


class Command(BaseCommand):
    help = "Keep the read tables up with the event store. Several may run: one works, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        stop_event = threading.Event()

        def stop(signal_number: int, frame: FrameType | None) -> None:
            stop_event.set()

        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, stop)
        warn_of_rights(bootstrap.database_url())
        with plain_database_errors(), _log_kept(stop_event):
            worker.run(
                stop_event,
                database_url=bootstrap.database_url(),
                alive=sign_of_life(settings.ALIVE_FILE),
            )


@contextmanager
def _log_kept(stop_event: threading.Event) -> Iterator[None]:
    """Keep the transparency log in a thread of its own. Raises CommandError where there is no key to sign with."""
    try:
        keys = log_keys()
    except KeyProblem as error:
        raise CommandError(str(error)) from error
    thread = threading.Thread(
        target=keep,
        args=(stop_event,),
        kwargs={
            "database_url": bootstrap.database_url(),
            "keys": keys,
            "outlets": outlets(),
            "now": bootstrap.SystemClock().now,
        },
        name="log-keeper",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop_event.set()
        thread.join(STOP_WITHIN_S)
