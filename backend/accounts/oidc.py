"""Log-in through another service that speaks OpenID Connect: what allauth leaves to us to decide.

Who somebody is comes from there, so this is strict: the issuer must be the one in the settings, its signature is
checked even though the token came over TLS, and both answers must be about the same person. Nobody gets into an
account here because of an address alone, unless the settings say so; and the first account is never made by it.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.base.provider import Provider
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from requests import RequestException

from backend.accounts.models import User
from backend.accounts.people import end_access
from backend.accounts.signup_policy import current_policy, lock_first_account

logger = logging.getLogger(__name__)

PROVIDER_ID: Final = "oidc"
_KEPT_CLAIMS: Final = ("sub", "name", "email")
_NAME_LIMIT: Final = 150
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class EmailTaken(ValidationError):
    def __init__(self) -> None:
        super().__init__("There is an account with this address already.", code="email_taken")


class SignOnAdapter(OpenIDConnectOAuth2Adapter):
    """Asks the service, and believes only what it signed."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the service tells about itself. Raises OAuth2Error where it is another one than in the settings."""
        try:
            config: dict[str, Any] = super().openid_config
        except AttributeError as error:
            raise OAuth2Error("The service tells no object about itself.") from error
        if not all(isinstance(config.get(name), str) for name in _NEEDED):
            raise OAuth2Error(f"The service does not tell all of {', '.join(_NEEDED)}.")
        expected: str = _oidc().server_url
        if str(config.get("issuer", "")).rstrip("/") != expected:
            raise OAuth2Error(
                f"OIDC_SERVER_URL is {expected}, but the service there calls itself {config.get('issuer')!r}. Set it to that."
            )
        return config

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        try:
            login: SocialLogin = super().complete_login(request, app, token, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # The library takes an answer apart without asking first whether it has that shape.
            raise OAuth2Error(
                f"The service's answer is not as expected: {type(error).__name__} {error}"
            ) from error
        return login

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("oidc-callback"))

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        self.did_fetch_access_token = False  # has the signature checked, wherever the token came from
        decoded: dict[str, Any] = super()._decode_id_token(app, id_token)
        return decoded


class _OnTheWayBack(SignOnAdapter):
    """The library asks the service who it is before it begins to look after errors; this one's error waits until then."""

    _trouble: Exception | None = None

    def get_client(self, request: HttpRequest, app: SocialApp) -> Any:
        try:
            return super().get_client(request, app)
        except (RequestException, OAuth2Error) as error:
            self._trouble = error
            return None

    def get_access_token_data(
        self, request: HttpRequest, app: SocialApp, client: Any, pkce_code_verifier: Any = None
    ) -> Any:
        if self._trouble is not None:
            raise self._trouble
        return super().get_access_token_data(request, app, client, pkce_code_verifier)


class SignOnProvider(OpenIDConnectProvider):
    oauth2_adapter_class = SignOnAdapter
    # An identity token handed in by somebody proves nothing about who hands it in.
    supports_token_authentication = False

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Ids are unique for one issuer only: another one in the settings must not open this one's accounts.

        Raises OAuth2Error where the signed token is missing or about somebody else than the rest.
        """
        signed = data.get("id_token") or {}
        subject = signed.get("sub")
        if not isinstance(subject, str) or not subject:
            raise OAuth2Error("The service sent no identity token, or one about nobody.")
        if data.get("userinfo", signed).get("sub") != subject:
            raise OAuth2Error(
                "The service's identity token and its user information are about different people."
            )
        return hashlib.sha256(f"{_oidc().server_url}\n{subject}".encode()).hexdigest()

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        told = data.get("userinfo") or data["id_token"]
        if not told.get("email"):
            return []
        # Some services write a text; "false" would count as true.
        verified = told.get("email_verified") in (True, "true")
        return [EmailAddress(email=told["email"], verified=verified, primary=True)]

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing is kept that is not shown."""
        told = data.get("userinfo") or data["id_token"]
        return {"userinfo": {name: told[name] for name in _KEPT_CLAIMS if name in told}}


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Who may come in through the service, and as whom. Refusals are codes; the log-in page has the words."""

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> SignOnProvider:
        if settings.OIDC is None:
            # Links of people outlast the settings: they can still be looked at and taken off.
            return SignOnProvider(request, app=_former(provider))
        return SignOnProvider(request, app=super().get_provider(request, provider, client_id).app)

    def list_providers(self, request: HttpRequest) -> list[Provider]:
        return [SignOnProvider(request, app=found.app) for found in super().list_providers(request)]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        if sociallogin.is_existing:
            if sociallogin._did_authenticate_by_email:
                _take_over_by_email(sociallogin)
            return
        email = _address_of(sociallogin)
        if current_policy().first_account:
            raise ValidationError("The first account is made with a password.", code="first_account")
        if not email:
            raise ValidationError("The service told no address.", code="email_missing")
        if _is_taken(email):
            raise EmailTaken

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        user.display_name = str(data.get("name") or "").replace("\x00", "").strip()[:_NAME_LIMIT]
        return user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        policy = current_policy()
        return not policy.first_account and (_oidc().signup or policy.signup) == "open"

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> Any:
        """Store the new account. Raises PermissionDenied or ValidationError where things changed meanwhile."""
        with transaction.atomic():
            lock_first_account()
            if not self.is_open_for_signup(request, sociallogin):
                raise PermissionDenied("Sign-up is closed.")
            if _is_taken(_address_of(sociallogin)):
                raise EmailTaken
            return super().save_user(request, sociallogin, form)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        if exception is not None:
            logger.warning(
                "A log-in through %s failed: %s: %.300s",
                _oidc().name,
                type(exception).__name__,
                exception,
            )


def _oidc() -> Any:
    """The settings (OidcSettings of backend.config, which may not be imported here); never reached without them."""
    assert settings.OIDC is not None, "the service is set up"
    return settings.OIDC


def _former(provider_id: str) -> SocialApp:
    return SocialApp(
        provider=OpenIDConnectProvider.id,
        provider_id=provider_id,
        name="Not set up any more",
        settings={"server_url": ""},
    )


def _is_taken(email: str) -> bool:
    return (
        User.objects.filter(email__iexact=email).exists()
        or EmailAddress.objects.filter(email__iexact=email).exists()
    )


def _address_of(sociallogin: SocialLogin) -> str:
    return sociallogin.user.email if isinstance(sociallogin.user, User) else ""


def _take_over_by_email(sociallogin: SocialLogin) -> None:
    """The service vouches for an address under which somebody has an account here, and is believed (the settings).

    Whoever made that account without showing that the address is theirs must not stay in it, nor come back: their
    password goes, and what they have connected and noted there. From now on the address counts as verified. Raises
    EmailTaken where it is only a further address of that account: anybody may have noted it there.
    """
    person = sociallogin.user
    assert isinstance(person, User), "allauth has found an account"
    if person.email.casefold() != str(sociallogin._did_authenticate_by_email).casefold():
        raise EmailTaken
    address, _ = EmailAddress.objects.get_or_create(
        user=person, email__iexact=person.email, defaults={"email": person.email, "primary": True}
    )
    if address.verified:
        return
    with transaction.atomic():
        end_access(person)
        person.set_unusable_password()
        person.save(update_fields=["password", "session_generation"])
        SocialAccount.objects.filter(user=person).delete()
        # Their second factor would keep the owner out.
        Authenticator.objects.filter(user=person).delete()
        # A mail that resets the password goes to any address of an account.
        EmailAddress.objects.filter(user=person).exclude(pk=address.pk).delete()
        EmailAddress.objects.filter(pk=address.pk).update(verified=True, primary=True)


def callback(request: HttpRequest) -> HttpResponse:
    """Where the service sends people back to: `/accounts/oidc/login/callback/`. It always leads on to a page."""
    if settings.OIDC is None:
        raise Http404
    answer: HttpResponse = OAuth2CallbackView.adapter_view(_OnTheWayBack(request, PROVIDER_ID))(request)
    return answer
