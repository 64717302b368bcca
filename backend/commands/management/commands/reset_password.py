"""Prints a link with which somebody sets a new password: for the administrator who has lost their own.

Whoever may run commands here could read the database anyway, so nobody is asked who they are; the log says that it
was done. Everybody else is helped on the page of people, on record.
"""

from __future__ import annotations

import getpass
import logging
from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend.accounts.models import User
from backend.accounts.password_links import make_password_link
from backend.commands.plain_errors import plain_database_errors

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Print a link with which the person with this address sets a new password. It works once, for a day; all of "
        "their sessions end when it is used. A second factor is still asked for, unless --without-second-factor."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument(
            "--without-second-factor", action="store_true", help="also take off a second factor that was lost"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with plain_database_errors():
            person = User.objects.filter(email__iexact=options["email"], deleted_at=None).first()
            if person is None:
                raise CommandError(
                    f"There is no account with the address {options['email']}. Check its spelling."
                )
            if not person.is_active:
                raise CommandError(
                    f"{person.email} is deactivated and cannot log in. Let an administrator activate the account first."
                )
            if options["without_second_factor"]:
                Authenticator.objects.filter(user=person).delete()
            link = make_password_link(person)
        logger.warning("Operator %s made a password link for account %s.", getpass.getuser(), person.pk)
        self.stdout.write(f"{_address()}{link.path}")
        self.stderr.write(
            f"For {person.email}, once, until {link.expires_at:%Y-%m-%d %H:%M} UTC. Keep it secret."
        )


def _address() -> str:
    """How people most likely reach the installation; the path is what counts."""
    if settings.IS_LOOPBACK:
        return f"http://{settings.PUBLISHED_HOST}:{settings.PORT}"
    name = next((name for name in settings.ALLOWED_HOSTS if name != "*"), "HOST").removeprefix(".")
    return f"https://{name}"
