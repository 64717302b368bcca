"""How second factors are kept: encrypted under a key made of SECRET_KEY, so that a copy of the database gives none away.

allauth does the rest. Whoever changes SECRET_KEY makes every second factor worthless; they are taken off one by one
then, by an administrator or on the machine.
"""

from __future__ import annotations

import base64
import logging
from typing import Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

logger = logging.getLogger(__name__)

_PURPOSE: Final = b"verbatim second factor v1"


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; one that nobody knows where it cannot be read any more, so that no code fits it."""
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            logger.error(
                "A second factor cannot be read, because SECRET_KEY is another one than when it was set up. Take it off "
                "on the page of people, or with `manage.py reset_password EMAIL --without-second-factor`."
            )
            return generate_totp_secret()


def _cipher() -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
