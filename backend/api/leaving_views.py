"""Deleting one's own account: first everything that runs is ended and hidden, then the account stops being anybody's.

Conversations are deleted by the same command as ever, so their events stay and an auditor can still answer for
them. Nothing is erased here: that is a decision of its own (`manage.py erase_conversation`).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final
from uuid import UUID

from allauth.core import ratelimit
from django.contrib.auth import logout
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.leaving import check_confirmation, check_may_leave, delete_account
from backend.api.asking import person_asking
from backend.api.authentication import OnlyInTheBrowser, SessionAuthentication
from backend.api.input_fields import StrictSerializer, TextField
from backend.api.read_side import AFTER_TIMEOUT_S, ReadModelUnavailable
from backend.api.serializers import refusal
from backend.domain.commands import DeleteConversation
from backend.domain.errors import NotFound
from projections import tracking
from projections.conversation_list.queries import list_conversations

logger = logging.getLogger(__name__)

_LIST: Final = "conversation_list"


class DeleteMyAccountInput(StrictSerializer):
    password = TextField(required=False, default="", help_text="My password, where I have one.")
    confirm = TextField(
        required=False, default="", help_text="My email address, typed again, where I have no password."
    )


class DeleteMyAccountMixin(APIView):
    """DELETE of who I am; reading it stands in account_views."""

    @extend_schema(
        operation_id="delete_my_account",
        request=DeleteMyAccountInput,
        responses={
            204: None,
            **refusal(400, "The password or the typed address is wrong; nothing was deleted."),
            **refusal(401, "Not logged in."),
            **refusal(403, "Asked by a program, or the CSRF token is missing or wrong."),
            **refusal(409, "This is the last administrator who can log in."),
            **refusal(429, "Too many tries; see Retry-After."),
            **refusal(503, "The list of conversations is behind; see Retry-After."),
        },
    )
    def delete(self, request: Request) -> Response:
        """Delete my account. The body says `password`, or `confirm` where the account has none.

        My conversations are deleted, running replies stop, all sessions, API tokens, presets and links to other
        accounts go, and so do my name and address. What was recorded stays on record under an id.
        """
        if not isinstance(request.successful_authenticator, SessionAuthentication):
            raise OnlyInTheBrowser
        given = DeleteMyAccountInput(data=request.data)
        given.is_valid(raise_exception=True)
        person = person_asking(request)
        if not ratelimit.consume(request._request, action="reauthenticate", user=person):
            raise Throttled(wait=60)
        check_confirmation(person, **given.validated_data)
        check_may_leave(person)
        # Should this stop half way, the account is still there, and whoever wants to leave asks again.
        _delete_conversations(person.pk)
        delete_account(person.pk)
        # From here on no command of theirs gets in; one that was under way may have started something.
        try:
            _delete_conversations(person.pk)
        except ReadModelUnavailable:
            logger.warning(
                "Account %s is deleted; its conversations could not be looked through again.", person.pk
            )
        logout(request._request)
        return Response(status=204)


def _delete_conversations(owner_id: UUID) -> None:
    """Delete every conversation of this person, which stops what is running in it. Raises ReadModelUnavailable."""
    if not tracking.wait_until(_LIST, bootstrap.event_store().end(), timeout_s=AFTER_TIMEOUT_S):
        raise ReadModelUnavailable(
            "The list of your conversations is behind at the moment. Try again in a few seconds.",
            code="read_model_behind",
        )
    for conversation_id in (
        list_conversations(owner_id=owner_id).filter(deleted=False).values_list("id", flat=True)
    ):
        with suppress(NotFound):  # erased in this very moment
            bootstrap.run_command(DeleteConversation(owner_id, conversation_id), actor=f"user:{owner_id}")
