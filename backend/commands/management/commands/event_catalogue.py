"""Shows or writes migrations-notes/event-catalogue.md."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from backend.event_store.catalogue import catalogue


class Command(BaseCommand):
    help = "Print the list of all stored events, or write it to migrations-notes/event-catalogue.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="write the page instead of printing it")

    def handle(self, *args: Any, **options: Any) -> None:
        page = catalogue()
        if not options["write"]:
            self.stdout.write(page, ending="")
            return
        path = settings.BASE_DIR / "migrations-notes" / "event-catalogue.md"
        path.write_text(page, encoding="utf-8")
        self.stdout.write(f"Wrote {path.relative_to(settings.BASE_DIR)}.")
