"""Who is asking, and whether somebody new may come in. Log-in and sign-up themselves are allauth's."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.accounts.signup_policy import current_policy
from backend.api.leaving_views import DeleteMyAccountMixin
from backend.api.serializers import refusal


class MeOutput(serializers.ModelSerializer[User]):
    has_password = serializers.BooleanField(
        source="has_usable_password", help_text="false: logs in through another service only."
    )

    class Meta:
        model = User
        fields = ["id", "email", "display_name", "is_staff", "is_auditor", "has_password"]
        read_only_fields = fields


class SetupOutput(serializers.Serializer[object]):
    signup = serializers.ChoiceField(choices=["open", "closed"])
    first_account = serializers.BooleanField(
        help_text="No account exists yet: the next one is the administrator's."
    )
    setup_code_required = serializers.BooleanField(
        help_text="The code printed at the server's start is asked for, in the header X-Setup-Code."
    )
    mail = serializers.SerializerMethodField(
        help_text="Mails are sent: new addresses have to be confirmed, and a link for a new password can be asked for."
    )

    def get_mail(self, policy: object) -> bool:
        return bool(settings.MAIL_IS_SENT)


class MeView(DeleteMyAccountMixin):
    @extend_schema(responses={200: MeOutput, **refusal(401, "Not logged in.")}, summary="Who is logged in")
    def get(self, request: Request) -> Response:
        assert isinstance(request.user, User), "only people who are logged in get here"
        return Response(MeOutput(request.user).data)


class SetupView(APIView):
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: SetupOutput}, auth=[], summary="Whether somebody new may sign up")
    def get(self, request: Request) -> Response:
        return Response(SetupOutput(current_policy()).data)
