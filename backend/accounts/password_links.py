"""Links with which somebody sets a new password without mail: an administrator hands them over.

They are allauth's own, the same that its mails hold: good for a day, worth nothing once the password has changed or
its owner has logged in, and they leave a second factor where it is. Whoever has one can take the account over, so
those who call this record it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.utils import timezone

from backend.accounts.models import User


@dataclass(frozen=True)
class PasswordLink:
    """path: to be put behind the address under which people reach the installation. It is a secret."""

    path: str
    expires_at: datetime


def make_password_link(person: User) -> PasswordLink:
    """A new link for this person. Nothing is stored."""
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    path = settings.HEADLESS_FRONTEND_URLS["account_reset_password_from_key"].format(key=key)
    return PasswordLink(path, timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT))
