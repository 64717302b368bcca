"""Shows, writes or checks migrations-notes/event-catalogue.md."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend.event_store.catalogue import catalogue


class Command(BaseCommand):
    help = "Print the list of all stored events, or keep migrations-notes/event-catalogue.md up to date."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--write", action="store_true", help="write the page instead of printing it")
        choice.add_argument("--check", action="store_true", help="fail when the page differs from the code")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "migrations-notes" / "event-catalogue.md"
        name = path.relative_to(settings.BASE_DIR)
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        page = catalogue(written, settings.VERSION)
        if options["write"]:
            path.write_text(page, encoding="utf-8")
            self.stdout.write(f"Wrote {name}.")
        elif not options["check"]:
            self.stdout.write(page, ending="")
        elif page != written:
            raise CommandError(
                f"{name} differs from the event classes. Run `manage.py event_catalogue --write`."
            )
        else:
            self.stdout.write(f"{name} is current.")
