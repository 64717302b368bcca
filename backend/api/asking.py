"""Who asks, for views that nobody reaches without having logged in."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from rest_framework.request import Request

from backend.accounts.models import User


def person_asking(request: Request) -> User:
    """The person logged in; the views' permission has let nobody else through."""
    return cast(User, request.user)


def id_of_asking(request: Request) -> UUID:
    """The id of the person logged in."""
    return cast(UUID, request.user.pk)
