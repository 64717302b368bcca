"""Shows the one-time code that the very first account needs where other machines reach the installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from backend.accounts.signup_policy import current_policy, setup_code


class Command(BaseCommand):
    help = "Show the code for the first account. Shows nothing when none is needed (any more)."

    def handle(self, *args: Any, **options: Any) -> None:
        if current_policy().setup_code_required:
            try:
                self.stdout.write(setup_code(settings.DATA_DIR))
            except ImproperlyConfigured as error:
                raise CommandError(str(error)) from error
