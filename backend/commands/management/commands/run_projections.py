"""Runs the projection worker until it is told to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from backend import bootstrap
from backend.commands.plain_errors import plain_database_errors
from projections import worker


class Command(BaseCommand):
    help = "Keep the read tables up with the event store. Several may run: one works, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        stop_event = threading.Event()

        def stop(signal_number: int, frame: FrameType | None) -> None:
            stop_event.set()

        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, stop)
        with plain_database_errors():
            worker.run(stop_event, database_url=bootstrap.database_url())
