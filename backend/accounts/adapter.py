"""Our answers to allauth's questions: is sign-up open, and what becomes of a new account."""

from __future__ import annotations

from typing import Any, Never

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest

from backend.accounts.models import User
from backend.accounts.signup_policy import SETUP_CODE_HEADER, current_policy, lock_first_account


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
