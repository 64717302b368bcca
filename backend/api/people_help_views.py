"""Helping people back in who have lost their password or their second factor, for administrators.

Either opens a way into somebody's account, and so to all of their content. Therefore it is recorded in their audit
trail before it is done, they see it among the readings, and no program can do it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.accounts.password_links import make_password_link
from backend.accounts.people import person_to_help
from backend.api.asking import person_asking
from backend.api.audit_reading import put_on_record
from backend.api.authentication import OnlyInTheBrowser, SessionAuthentication
from backend.api.json_input import StrictJSONParser
from backend.api.people_views import PersonOutput
from backend.api.read_side import NOT_FOUND_REFUSAL
from backend.api.serializers import NoInput, refusal
from backend.domain.audit_trail import PASSWORD_LINK, SECOND_FACTOR
from backend.domain.errors import Conflict

_REFUSALS = {
    **refusal(400, "The request has fields, and takes none."),
    **refusal(401, "Not logged in."),
    **refusal(403, "Not an administrator, asked by a program, or the CSRF token is missing or wrong."),
    **NOT_FOUND_REFUSAL,
    **refusal(409, "My own account, a deactivated or a deleted one, or there is nothing to take off."),
}


class NoSecondFactor(Conflict):
    code = "no_second_factor"

    def __init__(self, person: User) -> None:
        super().__init__(f"{person.email} has no second factor. A lost password is reset on its own.")


class PasswordLinkOutput(serializers.Serializer[Any]):
    path = serializers.CharField(
        help_text="Put it behind the address under which people reach this installation, and hand it over in a way "
        "that only they can read. Shown this once; it works once."
    )
    expires_at = serializers.DateTimeField()


class ResetPasswordView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="reset_password_of_user",
        request=NoInput,
        responses={200: PasswordLinkOutput, **_REFUSALS},
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        """Make a link with which somebody else sets a new password, which ends all of their sessions.

        It is recorded before, and its owner sees that. A second factor is still asked for.
        """
        person = _person_to_help(request, user_id)
        put_on_record(request, owner_id=person.pk, what=PASSWORD_LINK)
        return Response(PasswordLinkOutput(make_password_link(person)).data)


class RemoveSecondFactorView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="remove_second_factor_of_user",
        request=NoInput,
        responses={200: PersonOutput, **_REFUSALS},
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        """Take the second factor off somebody who lost it, with its recovery codes; they can set up another one.

        It is recorded before, and its owner sees that.
        """
        person = _person_to_help(request, user_id)
        theirs = Authenticator.objects.filter(user=person)
        if not theirs.exists():
            raise NoSecondFactor(person)
        put_on_record(request, owner_id=person.pk, what=SECOND_FACTOR)
        theirs.delete()
        return Response(PersonOutput(person).data)


def _person_to_help(request: Request, user_id: UUID) -> User:
    """Raises OnlyInTheBrowser, and what person_to_help does."""
    if not isinstance(request.successful_authenticator, SessionAuthentication):
        raise OnlyInTheBrowser
    NoInput(data=request.data).is_valid(raise_exception=True)
    return person_to_help(user_id, by=person_asking(request).pk)
