"""A person who logs in by e-mail, the tokens with which programs act for them, and their presets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from knox.models import AbstractAuthToken


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are compared without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a person who may log in. Raises ValueError without an e-mail address."""
        if not email:
            raise ValueError("An account needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make an administrator (`manage.py createsuperuser`). Raises ValidationError when the address is taken."""
        if self.filter(email__iexact=email).exists():
            # The command's own check does not see that addresses are compared without regard to case.
            raise ValidationError(f"There is an account for {email} already. Choose another address.")
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser, PermissionsMixin):
    """is_staff: an administrator. is_auditor: may read the ledger of all model calls."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    email = models.EmailField("e-mail address", max_length=254)
    display_name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("administrator", default=False)
    is_auditor = models.BooleanField("auditor", default=False)
    date_joined = models.DateTimeField(auto_now_add=True)
    session_generation = models.PositiveIntegerField(
        default=0, editable=False, help_text="Sessions that began under a lower number are over."
    )

    deleted_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Its owner deleted the account; only its id means anything still.",
    )

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "account"
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_unique")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.display_name:
            self.display_name = self.email.partition("@")[0]
        super().save(*args, **kwargs)

    def get_session_auth_hash(self) -> str:
        """What a session was begun with; where it is another by now, the session is over."""
        return self._of_generation(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return map(self._of_generation, super().get_session_auth_fallback_hash())

    def _of_generation(self, session_hash: str) -> str:
        # Sessions of before there were generations stay good.
        return f"{self.session_generation}:{session_hash}" if self.session_generation else session_hash


class ApiToken(AbstractAuthToken):
    """A program's token; only its digest is stored. name: what its owner calls it."""

    name = models.CharField(max_length=150, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        indexes = [models.Index(fields=["user", "created"])]

    def __str__(self) -> str:
        return self.name or self.token_key


class Preset(models.Model):
    """A name for settings to begin conversations with; what is used of it is copied into events.

    params: as conversations store them, numbers as decimal strings.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="presets")
    name = models.CharField(max_length=200)
    system_prompt = models.TextField(blank=True)
    model = models.TextField(blank=True)
    params = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("user", Lower("name"), name="accounts_preset_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name
