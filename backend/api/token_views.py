"""API tokens: with one, a program acts for the person who made it. Only digests are stored."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import ApiToken
from backend.api.asking import person_asking
from backend.api.input_fields import StrictSerializer, TextField
from backend.api.json_input import StrictJSONParser
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, after_position
from backend.api.serializers import refusal
from backend.domain.errors import InvalidInput, NotFound
from backend.domain.values import check_text

NAME_LIMIT: Final = 150
TOKENS_LIMIT: Final = 100

_REFUSALS = {
    **refusal(400, "A field does not fit; `errors` names it."),
    **refusal(401, "Not logged in."),
    **refusal(403, "The CSRF token is missing or wrong."),
}


class UnknownToken(NotFound):
    code = "token_not_found"

    def __init__(self, token_id: str) -> None:
        super().__init__(f"You have no API token {token_id[:20]!r}. Reload the list of tokens.")


class TooManyTokens(InvalidInput):
    code = "too_many_tokens"

    def __init__(self) -> None:
        super().__init__(
            f"You have {TOKENS_LIMIT} API tokens, which is the limit. Revoke one that is no longer used.",
            field="name",
        )


class TokenInput(StrictSerializer):
    name = TextField(help_text="What the token is for, to tell it from others.")


class TokenOutput(serializers.ModelSerializer[ApiToken]):
    id = serializers.CharField(source="token_key", help_text="How the token begins.")

    class Meta:
        model = ApiToken
        fields = ["id", "name", "created", "last_used"]
        read_only_fields = fields


class TokenListOutput(serializers.Serializer[Any]):
    results = TokenOutput(many=True, help_text="The newest first.")
    position = serializers.CharField()


class NewTokenOutput(TokenOutput):
    token = serializers.CharField(help_text="The token itself, shown this once.")
    position = serializers.CharField()

    class Meta(TokenOutput.Meta):
        fields = [*TokenOutput.Meta.fields, "token", "position"]
        read_only_fields = fields


class TokenListView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="list_tokens",
        parameters=[AFTER_PARAMETER],
        responses={200: TokenListOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """My API tokens, the newest first. The tokens themselves are not stored."""
        after_position(request)
        found = TokenOutput(_mine(request).order_by("-created"), many=True).data
        return Response({"results": found, "position": _position()})

    @extend_schema(
        operation_id="make_token", request=TokenInput, responses={201: NewTokenOutput, **_REFUSALS}
    )
    def post(self, request: Request) -> Response:
        """Make an API token. It is shown in this answer and never again."""
        given = TokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        name = _check_name(given.validated_data["name"])
        if _mine(request).count() >= TOKENS_LIMIT:
            raise TooManyTokens
        made, token = get_token_model().objects.create(person_asking(request), name=name)
        body = {**TokenOutput(made).data, "token": token, "position": _position()}
        return Response(body, status=201)


class TokenView(APIView):
    @extend_schema(
        operation_id="revoke_token", request=None, responses={204: None, **_REFUSALS, **NOT_FOUND_REFUSAL}
    )
    def delete(self, request: Request, token_id: str) -> Response:
        """Revoke a token; from now on it is refused everywhere."""
        deleted, _ = _mine(request).filter(token_key=token_id).delete()
        if not deleted:
            raise UnknownToken(token_id)
        return Response(status=204)


def _check_name(name: str) -> str:
    trimmed = check_text(name, field="name", limit_bytes=4 * NAME_LIMIT).strip()
    if not trimmed:
        raise InvalidInput("The name is empty. Say what the token is for.", field="name")
    if len(trimmed) > NAME_LIMIT:
        raise InvalidInput(
            f"A token's name has at most {NAME_LIMIT} characters; found {len(trimmed)}. Choose a shorter one.",
            field="name",
        )
    return trimmed


def _mine(request: Request) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=person_asking(request))


def _position() -> str:
    return str(bootstrap.event_store().end())
