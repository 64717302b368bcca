"""The picture that an authenticator app scans. Setting up, turning off and asking for codes are allauth's."""

from __future__ import annotations

from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from backend.api.asking import person_asking
from backend.api.serializers import refusal
from backend.domain.errors import NotFound


class NothingToScan(NotFound):
    code = "nothing_to_scan"

    def __init__(self) -> None:
        super().__init__(
            "No second factor is being set up in this browser. Ask for one first: "
            "GET /_allauth/browser/v1/account/authenticators/totp."
        )


class SecondFactorPictureView(APIView):
    @extend_schema(
        operation_id="second_factor_picture",
        responses={
            (200, "image/svg+xml"): OpenApiTypes.STR,
            **refusal(401, "Not logged in."),
            **refusal(404, "No second factor is being set up in this browser."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """The secret of the second factor that is being set up in this browser, as a QR code."""
        secret = request._request.session.get(SECRET_SESSION_KEY)
        if not isinstance(secret, str):
            raise NothingToScan
        adapter = get_adapter()
        picture = adapter.build_totp_svg(adapter.build_totp_url(person_asking(request), secret))
        return HttpResponse(picture, content_type="image/svg+xml")
