"""The people of this installation, for its administrators: who they are, whether they may come in, what they may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.accounts.people import NotAnAdministrator, change_person, has_second_factor, list_people
from backend.api.asking import person_asking
from backend.api.input_fields import StrictSerializer, TrueOrFalseField
from backend.api.json_input import StrictJSONParser
from backend.api.pages import LIMIT_PARAMETERS, KeysetPage
from backend.api.read_side import NOT_FOUND_REFUSAL
from backend.api.serializers import refusal

_REFUSALS = {
    **refusal(400, "A field or parameter does not fit; `errors` names it."),
    **refusal(401, "Not logged in."),
    **refusal(403, "Not an administrator, or the CSRF token is missing or wrong."),
}


class PersonOutput(serializers.ModelSerializer[User]):
    has_second_factor = serializers.SerializerMethodField(
        help_text="Log-in also asks for a code of an app on their phone."
    )

    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "display_name",
            "is_active",
            "is_auditor",
            "is_staff",
            "date_joined",
            "last_login",
            "has_second_factor",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "is_active": {"help_text": "false: cannot log in, and no session or token of theirs works."}
        }

    def get_has_second_factor(self, person: User) -> bool:
        listed: bool | None = getattr(person, "second_factor", None)  # a list asks for all of them at once
        return has_second_factor(person) if listed is None else listed


class PeoplePageOutput(serializers.Serializer[Any]):
    results = PersonOutput(many=True, help_text="In the order of their addresses.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ChangePersonInput(StrictSerializer):
    is_active = TrueOrFalseField(
        required=False, help_text="false ends their sessions and API tokens at once."
    )
    is_auditor = TrueOrFalseField(required=False, help_text="May read the ledger of all model calls.")
    is_staff = TrueOrFalseField(required=False, help_text="An administrator.")


class PeopleView(APIView):
    @extend_schema(
        operation_id="list_users",
        parameters=[
            OpenApiParameter("search", str, description="A part of the name or of the address."),
            *LIMIT_PARAMETERS,
        ],
        responses={200: PeoplePageOutput, **_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Everybody who has an account here, for administrators."""
        _administrator_asking(request)
        page = KeysetPage(request, ordering="email")
        # No text in the database holds a NUL.
        search = request.query_params.get("search", "").strip()
        people = list_people(search) if "\x00" not in search else User.objects.none()
        found = page.take(people)
        return Response({"results": PersonOutput(found, many=True).data, **page.links()})


class PersonView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="change_user",
        request=ChangePersonInput,
        responses={
            200: PersonOutput,
            **_REFUSALS,
            **NOT_FOUND_REFUSAL,
            **refusal(409, "This is the last administrator who can log in."),
        },
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Let somebody in or not, and change their roles; what is absent stays. For administrators."""
        asking = _administrator_asking(request)
        fields = ChangePersonInput(data=request.data)
        fields.is_valid(raise_exception=True)
        changed = change_person(user_id, by=asking.pk, **fields.validated_data)
        return Response(PersonOutput(changed).data)


def _administrator_asking(request: Request) -> User:
    """Raises NotAnAdministrator."""
    person = person_asking(request)
    if not person.is_staff:
        raise NotAnAdministrator
    return person
