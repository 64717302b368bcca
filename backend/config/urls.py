"""All addresses: accounts, the interface, health, and the page for everything else."""

from __future__ import annotations

from allauth.headless.constants import Client
from django.urls import include, path, re_path

from backend.accounts import oidc
from backend.accounts.sign_up_view import SignUpView
from backend.api import problems
from backend.api.index_view import index

# Ways of allauth's that this installation has no use for; some of them would fail for want of settings.
_NOT_OFFERED = r"^_allauth/browser/v1/(?:account/phone|auth/phone/.*|auth/provider/(?:redirect|token))$"

urlpatterns = [
    re_path(_NOT_OFFERED, problems.unknown_path),
    path("_allauth/browser/v1/auth/signup", SignUpView.as_api_view(client=Client.BROWSER)),
    path("_allauth/", include("allauth.headless.urls")),
    path(
        "accounts/oidc/login/callback/",
        oidc.callback,
        name="oidc-callback",
    ),
    path("", include("backend.api.urls")),
    re_path(r"^(?:accounts|api|v1|_allauth)(?:/.*)?$", problems.unknown_path),
    re_path(r"^(?P<path>.*)$", index),
]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.unknown_path
handler500 = problems.server_error
