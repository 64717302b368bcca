"""What becomes of an account whose owner deletes it: everything that leads back to a person goes, its id stays.

The row itself stays, because events name its id for ever and an auditor must go on finding it. It may not touch
conversations or calls: they are events, and those who call this deal with them.
"""

from __future__ import annotations

import logging
from typing import Final
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from backend.accounts.models import ApiToken, Preset, User
from backend.accounts.people import LastAdministrator, UnknownPerson, lock_roles, other_administrators
from backend.domain.errors import InvalidInput

logger = logging.getLogger(__name__)

DELETED_NAME: Final = "Deleted account"
# `.invalid` is reserved: no mail ever reaches it, and nobody can own such an address.
_NOWHERE: Final = "deleted.invalid"


class WrongPassword(InvalidInput):
    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("This is not your password. Nothing was deleted; try again.", field="password")


class NotConfirmed(InvalidInput):
    code = "not_confirmed"

    def __init__(self, email: str) -> None:
        super().__init__(
            f"To delete this account, give its email address, {email}. Nothing was deleted.", field="confirm"
        )


def check_confirmation(person: User, *, password: str, confirm: str) -> None:
    """That this really is the owner: by the password, or where the account has none by typing its address.

    Raises WrongPassword or NotConfirmed.
    """
    if person.has_usable_password():
        if not person.check_password(password):
            raise WrongPassword
    elif confirm.strip().casefold() != person.email.casefold():
        raise NotConfirmed(person.email)


def check_may_leave(person: User) -> None:
    """Raises LastAdministrator for the only administrator who can log in."""
    if person.is_staff and not other_administrators(person.pk).exists():
        raise LastAdministrator(person)


def delete_account(person_id: UUID) -> None:
    """Take out of the account everything that tells whose it was, and every way in. It cannot be undone.

    Raises UnknownPerson, also for an account that is deleted already, and LastAdministrator.
    """
    with transaction.atomic():
        lock_roles()
        person = User.objects.select_for_update().filter(pk=person_id, deleted_at=None).first()
        if person is None:
            raise UnknownPerson(person_id)
        check_may_leave(person)
        for theirs in (ApiToken, Preset, EmailAddress, Authenticator, SocialAccount):
            theirs._default_manager.filter(user=person).delete()
        person.email = f"{person.pk}@{_NOWHERE}"
        person.display_name = DELETED_NAME
        person.set_unusable_password()
        person.is_active = person.is_staff = person.is_superuser = person.is_auditor = False
        person.last_login = None
        person.session_generation += 1
        person.deleted_at = timezone.now()
        person.save()
        _delete_sessions(person_id)
    logger.info("Account %s was deleted by its owner.", person_id)


def _delete_sessions(person_id: UUID) -> None:
    """They are worth nothing any more, but they hold the address with which somebody logged in."""
    for session in Session.objects.iterator(chunk_size=500):
        if session.get_decoded().get("_auth_user_id") == str(person_id):
            session.delete()
