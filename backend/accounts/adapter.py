"""Our answers to allauth's questions: is sign-up open, what becomes of a new account, and what if a mail cannot be sent."""

from __future__ import annotations

import logging
import smtplib
from typing import Any, Never

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as current
from allauth.core.internal import ratelimit
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest

from backend.accounts.models import User
from backend.accounts.signup_policy import SETUP_CODE_HEADER, current_policy, lock_first_account

log = logging.getLogger(__name__)


class MailNotSent(Exception):
    """A mail that somebody waits for could not be handed over. What was done before it, such as a new account, stays."""


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up by our policy; the first account is the administrator."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return current_policy().admits(request.headers.get(SETUP_CODE_HEADER, ""))

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> Never:
        """Told only to those who know the password. Raises PermissionDenied."""
        raise PermissionDenied(
            "This account has been deactivated, so nobody can log in with it. Ask an administrator to let you in again."
        )

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: Any, commit: bool = True
    ) -> AbstractBaseUser:
        """Store the new account. Raises PermissionDenied when somebody else was first and sign-up is closed now."""
        with transaction.atomic():
            lock_first_account()
            policy = current_policy()
            if not policy.admits(request.headers.get(SETUP_CODE_HEADER, "")):
                raise PermissionDenied("Sign-up is closed. Ask the administrator for an account.")
            if User.objects.filter(email__iexact=form.cleaned_data["email"]).exists():
                # The same person clicked twice: allauth looked before the other request had its account.
                raise PermissionDenied("There is an account with this email address by now. Log in instead.")
            if policy.first_account and isinstance(user, User):
                user.is_staff = user.is_superuser = True
            return super().save_user(request, user, form, commit)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Hand the mail over to the mail server. Raises MailNotSent."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, smtplib.SMTPException) as error:
            # What a mail server says may hold the address, so only the kind of trouble is noted.
            number = getattr(error, "smtp_code", None) or getattr(error, "errno", None) or ""
            log.error(
                "A mail could not be handed over to the server in EMAIL_URL: %s %s",
                type(error).__name__,
                number,
            )
            # The same address gets one such mail in three minutes; one that was not sent does not count.
            ratelimit.clear(current.request, app="allauth.account", action="confirm_email", key=email.lower())
            # Not `from error`: it would be written to the log with everything it says.
            raise MailNotSent from None
