"""Shows how far each read model is behind the event store, and which ones are stopped."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from backend import bootstrap
from backend.commands.plain_errors import plain_database_errors
from backend.event_store.subscription import EventReader
from projections.position_table import STOPPED
from projections.tracking import ReadModelStatus, statuses, worker_is_active

_HEADINGS = ("read model", "position", "store's end", "behind", "state", "error")


class Command(BaseCommand):
    help = "Show each read model's position, state and error. Exit status 1 when one is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        with plain_database_errors():
            stopped = self._show()
        if stopped:
            sys.exit(1)

    def _show(self) -> bool:
        """Print the table; whether one of the read models is stopped."""
        reader = EventReader(bootstrap.database_url())
        try:
            # The reader goes first: it says at once that a database is away, Django's pool would wait for it.
            end = reader.end()
            found = statuses()
            lines = [_line(status, end, reader.count_after(max(0, status.position))) for status in found]
        finally:
            reader.close()
        widths = [max(len(row[column]) for row in (_HEADINGS, *lines)) for column in range(len(_HEADINGS))]
        for row in (_HEADINGS, *lines):
            self.stdout.write(
                "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            )
        if not worker_is_active():
            self.stdout.write("No projection worker is active. Start one with `manage.py run_projections`.")
        return any(status.state == STOPPED for status in found)


def _line(status: ReadModelStatus, end: int, behind: int) -> tuple[str, ...]:
    error = " ".join(status.error.split())
    return (status.name, str(max(0, status.position)), str(end), f"{behind} events", status.state, error)
