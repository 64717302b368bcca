"""What administrators do about people: let them in or not, and give them roles.

An installation always keeps an administrator who can log in. Whoever is deactivated is out at once: their sessions and
API tokens are worth nothing from then on, also after they are let in again.
"""

from __future__ import annotations

import logging
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from backend.accounts.models import ApiToken, User
from backend.domain.errors import Conflict, DomainError, NotFound

logger = logging.getLogger(__name__)

# Any fixed number: all processes of an installation take the same advisory lock.
_ROLES_LOCK = 7_234_501_119


class UnknownPerson(NotFound):
    code = "user_not_found"

    def __init__(self, person_id: UUID) -> None:
        super().__init__(f"There is no account {person_id}. Reload the list of people.")


class LastAdministrator(Conflict):
    code = "last_administrator"

    def __init__(self, person: User) -> None:
        super().__init__(
            f"{person.email} is the only administrator who can log in. Make somebody else an administrator first."
        )


class AccountIsDeleted(Conflict):
    code = "account_deleted"

    def __init__(self, person_id: UUID) -> None:
        super().__init__(
            f"The account {person_id} was deleted by its owner and stays so. Its owner can make a new one."
        )


class AccountIsInactive(Conflict):
    code = "account_inactive"

    def __init__(self, person: User) -> None:
        super().__init__(
            f"{person.email} is deactivated and cannot log in anyway. Activate the account first."
        )


class OwnAccount(Conflict):
    code = "own_account"

    def __init__(self) -> None:
        super().__init__(
            "This is your own account. Change your password and your second factor in the settings; it asks for the "
            "ones you have."
        )


class NotAnAdministrator(DomainError):
    code = "permission_denied"

    def __init__(self) -> None:
        super().__init__("Only administrators may do this. Ask one of them.")


def list_people(search: str = "") -> QuerySet[User]:
    """Everybody who has an account, or those with this in their name or address. Deleted accounts are nobody's."""
    codes = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    people = (
        User.objects.filter(deleted_at=None).annotate(second_factor=Exists(codes)).order_by("email", "id")
    )
    if search:
        people = people.filter(Q(email__icontains=search) | Q(display_name__icontains=search))
    return people


def has_second_factor(person: User) -> bool:
    return Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists()


def change_person(
    person_id: UUID,
    *,
    by: UUID,
    is_active: bool | None = None,
    is_auditor: bool | None = None,
    is_staff: bool | None = None,
) -> User:
    """Let somebody in or not, and change their roles; None leaves as it is. by: the administrator who asks.

    Raises UnknownPerson, AccountIsDeleted, LastAdministrator, and NotAnAdministrator where `by` is none (any more).
    """
    with transaction.atomic():
        lock_roles()
        if not _administrators().filter(pk=by).exists():
            raise NotAnAdministrator
        person = person_to_change(person_id)
        was_active, was_administrator = person.is_active, person.is_active and person.is_staff
        person.is_active = was_active if is_active is None else is_active
        person.is_auditor = person.is_auditor if is_auditor is None else is_auditor
        if is_staff is not None:
            person.is_staff = person.is_superuser = is_staff
        is_administrator = person.is_active and person.is_staff
        if was_administrator and not is_administrator and not other_administrators(person_id).exists():
            raise LastAdministrator(person)
        if was_active and not person.is_active:
            end_access(person)
        person.save(
            update_fields=["is_active", "is_auditor", "is_staff", "is_superuser", "session_generation"]
        )
    logger.info(
        "Account %s was changed by account %s: active %s, auditor %s, administrator %s.",
        person.pk,
        by,
        person.is_active,
        person.is_auditor,
        person.is_staff,
    )
    return person


def person_to_help(person_id: UUID, *, by: UUID) -> User:
    """Somebody else's account, for an administrator who helps its owner back in.

    Raises NotAnAdministrator, OwnAccount, UnknownPerson, AccountIsDeleted, AccountIsInactive.
    """
    with transaction.atomic():
        lock_roles()
        if not _administrators().filter(pk=by).exists():
            raise NotAnAdministrator
        if person_id == by:
            raise OwnAccount
        person = person_to_change(person_id)
    if not person.is_active:
        raise AccountIsInactive(person)
    return person


def person_to_change(person_id: UUID) -> User:
    """Somebody's account, locked until the transaction ends. Raises UnknownPerson, AccountIsDeleted."""
    person = User.objects.select_for_update().filter(pk=person_id).first()
    if person is None:
        raise UnknownPerson(person_id)
    if person.deleted_at is not None:
        raise AccountIsDeleted(person_id)
    return person


def lock_roles() -> None:
    """Until the transaction ends, nobody else decides about roles.

    One after the other: two administrators who demote each other at once leave one of them in office.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ROLES_LOCK])


def other_administrators(person_id: UUID) -> QuerySet[User]:
    """Those besides this person who can log in as administrators."""
    return _administrators().exclude(pk=person_id)


def _administrators() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True)


def end_access(person: User) -> None:
    """Remove all API tokens, and end all sessions as soon as session_generation is saved."""
    person.session_generation += 1
    ApiToken.objects.filter(user=person).delete()
