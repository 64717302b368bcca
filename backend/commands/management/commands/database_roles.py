"""Lets the role that Verbatim runs as use the tables, and keeps from it what was recorded."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.bootstrap.database_rights import too_little, too_much
from backend.commands.plain_errors import plain_database_errors
from backend.commands.roles import RolesRefused, grant


class Command(BaseCommand):
    help = (
        "Grant the role of DATABASE_RUNTIME_ROLE what the running product needs, so that it can add events and never "
        "change them; then check that. `migrate` does the same each time where DATABASE_OWNER_URL is set."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        role = settings.DATABASE_ROLES.runtime_role
        if not role:
            raise CommandError(
                "Which role does Verbatim run as? Set DATABASE_RUNTIME_ROLE, or DATABASE_OWNER_URL beside DATABASE_URL."
            )
        try:
            with plain_database_errors(), psycopg.connect(bootstrap.database_url(), autocommit=True) as owner:
                grant(owner, role, self.stdout.write)
                found, missing = too_much(owner, role), too_little(owner, role)
        except RolesRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        except psycopg.errors.InsufficientPrivilege as error:
            raise CommandError(
                f"This role may not grant that: {error.diag.message_primary}. Set DATABASE_OWNER_URL to the role that owns "
                "the tables, the one that `migrate` used."
            ) from error
        if missing:
            missing.append("Give it these rights as an administrator of the database, and run this again.")
        if found:
            found.append("Take these rights away and run this again.")
        if found or missing:
            raise CommandError("\n".join([*found, *missing]))
        self.stdout.write(f"Checked: {role} can change neither events nor the log, in no way.")
