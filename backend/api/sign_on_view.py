"""The first step of logging in through another service: where the browser has to go.

A form that the browser itself sends on would need the service's address in the page's policy (form-action), and
those of all services it passes people on to. A script that is told the address may go there.
"""

from __future__ import annotations

from typing import Any, Final

from allauth.account.internal.flows.reauthentication import (
    did_recently_reauthenticate,
    get_reauthentication_flows,
)
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from drf_spectacular.utils import extend_schema
from requests import RequestException
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotAuthenticated, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.oidc import PROVIDER_ID
from backend.api.authentication import OnlyInTheBrowser, SessionAuthentication
from backend.api.input_fields import StrictSerializer
from backend.api.json_input import StrictJSONParser
from backend.api.serializers import refusal
from backend.domain.errors import Conflict, NotFound

# The pages to which people come back, with `error` in the address where it did not work.
_BACK_TO: Final = {
    AuthProcess.LOGIN: "/login?from=service",
    AuthProcess.CONNECT: "/settings/log-in?from=service",
}


class NoOtherService(NotFound):
    code = "no_other_service"

    def __init__(self) -> None:
        super().__init__("Log-in through another service is not set up here. Log in with email and password.")


class ProofNeeded(Conflict):
    """fields["proof"]: by which of allauth's ways it can be shown who sits there."""

    code = "proof_needed"

    def __init__(self, ways: list[str]) -> None:
        super().__init__("This adds a way into your account. Show that it is you first, then try again.")
        self.fields = {"proof": ways}


class ServiceAway(APIException):
    status_code = 503
    default_code = "other_service_away"
    wait = 5


class SignOnInput(StrictSerializer):
    process = serializers.ChoiceField(
        choices=[AuthProcess.LOGIN, AuthProcess.CONNECT],
        default=AuthProcess.LOGIN,
        help_text="connect: add it as a way into the account that is logged in.",
    )


class SignOnOutput(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Where the browser goes now. It comes back to a page here.")


class SignOnView(APIView):
    permission_classes = [AllowAny]
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="begin_sign_on",
        auth=[],
        request=SignOnInput,
        responses={
            200: SignOnOutput,
            **refusal(400, "A field does not fit; `errors` names it."),
            **refusal(401, "To connect: not logged in."),
            **refusal(403, "The CSRF token is missing or wrong, or a program asks."),
            **refusal(404, "Log-in through another service is not set up."),
            **refusal(409, "To connect: it has to be shown first who sits there."),
            **refusal(429, "Too many tries; see Retry-After."),
            **refusal(503, "The other service does not answer; see Retry-After."),
        },
    )
    def post(self, request: Request) -> Response:
        """Begin to log in through the other service."""
        plain = request._request
        if request.auth is not None:
            raise OnlyInTheBrowser
        SessionAuthentication().enforce_csrf(request)
        given = SignOnInput(data=request.data)
        given.is_valid(raise_exception=True)
        process = given.validated_data["process"]
        if settings.OIDC is None:
            raise NoOtherService
        if not ratelimit.consume(plain, action="login"):
            raise Throttled(wait=60)
        if process == AuthProcess.CONNECT:
            if not plain.user.is_authenticated:
                raise NotAuthenticated("Log in first, then connect the other service.")
            if not did_recently_reauthenticate(plain):
                raise ProofNeeded([flow["id"] for flow in get_reauthentication_flows(plain.user)])
        provider = get_adapter().get_provider(plain, PROVIDER_ID)
        try:
            answer = provider.redirect(plain, process, next_url=_BACK_TO[process], headless=True)
        except (RequestException, OAuth2Error, KeyError, ValueError) as error:
            get_adapter().on_authentication_error(plain, provider, exception=error)
            raise ServiceAway(
                f"{settings.OIDC.name} does not answer as it should. Try again in a moment; if it stays, tell an administrator, "
                "whose log says why."
            ) from error
        return Response({"url": answer.url})
