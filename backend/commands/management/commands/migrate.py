"""Django's `migrate`, and what the running product may do with tables that are new."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import migrate

from backend.commands.plain_errors import plain_database_errors


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with plain_database_errors():
            super().handle(*args, **options)
        if settings.DATABASE_ROLES.owner_url and not (options["plan"] or options["check_unapplied"]):
            call_command("database_roles", stdout=self.stdout, stderr=self.stderr)
