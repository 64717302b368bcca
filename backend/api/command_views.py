"""Commands over HTTP: check the shape of the request, hand a command over, pass its answer on.

Nothing is decided here and nothing is read but the request: refusals come from the domain, and the
answer about a conversation comes from its aggregate. These views know no read table.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.asking import id_of_asking
from backend.api.json_input import StrictJSONParser, sha256_of_json
from backend.api.serializers import (
    AcceptedOutput,
    ChangeConversationInput,
    ConversationChangedOutput,
    MessageSentOutput,
    NoInput,
    RegenerateReplyInput,
    ReplyRequestedOutput,
    SendUserMessageInput,
    StartConversationInput,
    refusal,
)
from backend.application.ports import IdempotencyKey
from backend.domain import commands as c
from backend.logs.context import note

IDEMPOTENCY_HEADER = "Idempotency-Key"
IDEMPOTENCY_KEY_LIMIT = 200

COMMAND_PARAMETERS = [
    OpenApiParameter(
        IDEMPOTENCY_HEADER,
        str,
        OpenApiParameter.HEADER,
        description="A name for this request, 1 to 200 printable ASCII characters. "
        "A repeat within 24 hours gets the first answer and stores nothing.",
    )
]
COMMAND_REFUSALS = {
    **refusal(400, "A field does not fit; `errors` names it."),
    **refusal(401, "Not logged in."),
    **refusal(403, "The CSRF token is missing or wrong."),
    **refusal(404, "There is no such thing, or it is somebody else's."),
    **refusal(409, "The state of things does not allow it now."),
    **refusal(411, "The request does not say how long it is."),
    **refusal(413, "The request is larger than 1 MB."),
    **refusal(422, "The Idempotency-Key was used for another request."),
}


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "The request does not say how long it is. Send it with a Content-Length."


class CommandView(APIView):
    """Base of all commands: strict bodies, idempotency, the commit's answer."""

    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *arguments: Any, **named: Any) -> None:
        """Who asks is checked first. Raises LengthRequired for a body that does not say how long it is."""
        super().initial(request, *arguments, **named)
        # Threads read as much as was announced, so such a body would be taken for an empty one.
        if request.headers.get("Transfer-Encoding") and not request.headers.get("Content-Length"):
            raise LengthRequired

    def read_input(self, request: Request, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
        """The request's fields. Raises ValidationError naming each field that does not fit."""
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def run(self, request: Request, command: c.Command) -> Response:
        """Carry the command out in the name of the person logged in."""
        answer = bootstrap.run_command(
            command, actor=f"user:{id_of_asking(request)}", idempotency=_idempotency_key(request)
        )
        note(**{name: answer.body.get(name) for name in ("conversation_id", "call_id")})
        return Response(dict(answer.body), status=answer.status)


class StartConversationMixin(CommandView):
    """POST of the collection; the list itself is a query and stands in query_views."""

    @extend_schema(
        operation_id="start_conversation",
        parameters=COMMAND_PARAMETERS,
        request=StartConversationInput,
        responses={201: ConversationChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request) -> Response:
        """Start a conversation, with the installation's settings where none are given."""
        fields = self.read_input(request, StartConversationInput)
        return self.run(request, c.StartConversation(owner_id=id_of_asking(request), **fields))


class ChangeConversationMixin(CommandView):
    """PATCH and DELETE of one conversation; reading it is a query and stands in query_views."""

    @extend_schema(
        operation_id="change_conversation",
        parameters=COMMAND_PARAMETERS,
        request=ChangeConversationInput,
        responses={200: ConversationChangedOutput, **COMMAND_REFUSALS},
    )
    def patch(self, request: Request, conversation_id: UUID) -> Response:
        """Change the title, the settings, or where the conversation is listed; what is absent stays."""
        fields = self.read_input(request, ChangeConversationInput)
        command = c.ChangeConversation(
            owner_id=id_of_asking(request), conversation_id=conversation_id, **fields
        )
        return self.run(request, command)

    @extend_schema(
        operation_id="delete_conversation",
        parameters=COMMAND_PARAMETERS,
        request=None,
        responses={202: AcceptedOutput, **COMMAND_REFUSALS},
    )
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        """Delete the conversation and ask its running replies to stop. It can be restored."""
        self.read_input(request, NoInput)
        command = c.DeleteConversation(owner_id=id_of_asking(request), conversation_id=conversation_id)
        return self.run(request, command)


class RestoreConversationView(CommandView):
    @extend_schema(
        operation_id="restore_conversation",
        parameters=COMMAND_PARAMETERS,
        request=None,
        responses={200: ConversationChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Bring a deleted conversation back."""
        self.read_input(request, NoInput)
        command = c.RestoreConversation(owner_id=id_of_asking(request), conversation_id=conversation_id)
        return self.run(request, command)


class SendUserMessageView(CommandView):
    @extend_schema(
        operation_id="send_user_message",
        parameters=COMMAND_PARAMETERS,
        request=SendUserMessageInput,
        responses={202: MessageSentOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Send a message and request the reply to it; the reply's text comes over /api/live/."""
        fields = self.read_input(request, SendUserMessageInput)
        command = c.SendUserMessage(
            owner_id=id_of_asking(request),
            conversation_id=conversation_id,
            source=source_of(request),
            **fields,
        )
        return self.run(request, command)


class RegenerateReplyView(CommandView):
    @extend_schema(
        operation_id="regenerate_reply",
        parameters=COMMAND_PARAMETERS,
        request=RegenerateReplyInput,
        responses={202: ReplyRequestedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID, message_id: UUID) -> Response:
        """Request another reply beside the one named, or to the user's message named."""
        fields = self.read_input(request, RegenerateReplyInput)
        command = c.RegenerateReply(
            owner_id=id_of_asking(request),
            conversation_id=conversation_id,
            message_id=message_id,
            source=source_of(request),
            **fields,
        )
        return self.run(request, command)


class CancelModelCallView(CommandView):
    @extend_schema(
        operation_id="cancel_model_call",
        parameters=COMMAND_PARAMETERS,
        request=None,
        responses={202: AcceptedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, call_id: UUID) -> Response:
        """Ask a running model call to stop; what was received is kept. Repeated or too late is fine."""
        self.read_input(request, NoInput)
        return self.run(request, c.CancelModelCall(owner_id=id_of_asking(request), call_id=call_id))


def source_of(request: Request) -> str:
    """Who called: a browser comes with a session, a program with a token (`auth` is then that token)."""
    return "browser" if request.auth is None else "api"


def _idempotency_key(request: Request) -> IdempotencyKey | None:
    """The client's name for this request, or None. Raises ValidationError naming the header."""
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LIMIT or not all(" " <= character <= "~" for character in key):
        raise ValidationError(
            {
                IDEMPOTENCY_HEADER: [
                    f"Expected 1 to {IDEMPOTENCY_KEY_LIMIT} printable ASCII characters, found {len(key)}"
                    f"{'' if key.isascii() else ', some of them not ASCII'}. A UUID serves well."
                ]
            }
        )
    return IdempotencyKey(
        user_id=id_of_asking(request),
        key=key,
        path=f"{request.method} {request.path}",
        body_sha256=sha256_of_json(request.data),
    )
