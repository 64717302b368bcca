"""Commands about branches over HTTP: edit, continue, select, hide and show, fork. As thin as their siblings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.asking import id_of_asking
from backend.api.command_views import COMMAND_PARAMETERS, COMMAND_REFUSALS, CommandView, source_of
from backend.api.serializers import (
    BranchChangedOutput,
    ContinueReplyInput,
    ConversationChangedOutput,
    EditUserMessageInput,
    ForkConversationInput,
    MessageSentOutput,
    OnlyExpectedVersionInput,
    ReplyContinuedOutput,
    SelectBranchInput,
)
from backend.domain import commands as c


class EditUserMessageView(CommandView):
    @extend_schema(
        operation_id="edit_user_message",
        parameters=COMMAND_PARAMETERS,
        request=EditUserMessageInput,
        responses={202: MessageSentOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID, message_id: UUID) -> Response:
        """Put another user message beside this one, with a reply of its own. This one stays as it is."""
        fields = self.read_input(request, EditUserMessageInput)
        command = c.EditUserMessage(
            owner_id=id_of_asking(request),
            conversation_id=conversation_id,
            message_id=message_id,
            source=source_of(request),
            **fields,
        )
        return self.run(request, command)


class ContinueReplyView(CommandView):
    @extend_schema(
        operation_id="continue_reply",
        parameters=COMMAND_PARAMETERS,
        request=ContinueReplyInput,
        responses={202: ReplyContinuedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID, message_id: UUID) -> Response:
        """Go on with a reply that was truncated, stopped or interrupted, in a reply below it.

        Where the runner cannot go on from a message of its own, a user message that asks for it is sent instead.
        """
        fields = self.read_input(request, ContinueReplyInput)
        command = c.ContinueReply(
            owner_id=id_of_asking(request),
            conversation_id=conversation_id,
            message_id=message_id,
            source=source_of(request),
            **fields,
        )
        return self.run(request, command)


class SelectBranchView(CommandView):
    @extend_schema(
        operation_id="select_branch",
        parameters=COMMAND_PARAMETERS,
        request=SelectBranchInput,
        responses={200: BranchChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Select the branch that ends at this message, or else the newest visible one through it."""
        fields = self.read_input(request, SelectBranchInput)
        command = c.SelectBranch(owner_id=id_of_asking(request), conversation_id=conversation_id, **fields)
        return self.run(request, command)


class HideBranchView(CommandView):
    @extend_schema(
        operation_id="hide_branch",
        parameters=COMMAND_PARAMETERS,
        request=OnlyExpectedVersionInput,
        responses={200: BranchChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID, leaf_id: UUID) -> Response:
        """Leave a branch, or every branch through this message, out of sight. Nothing is deleted."""
        return self.run(request, _of_branch(self, request, c.HideBranch, conversation_id, leaf_id))


class ShowBranchView(CommandView):
    @extend_schema(
        operation_id="show_branch",
        parameters=COMMAND_PARAMETERS,
        request=OnlyExpectedVersionInput,
        responses={200: BranchChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID, leaf_id: UUID) -> Response:
        """Bring a hidden branch, or every hidden branch through this message, back into sight."""
        return self.run(request, _of_branch(self, request, c.ShowBranch, conversation_id, leaf_id))


class ForkConversationView(CommandView):
    @extend_schema(
        operation_id="fork_conversation",
        parameters=COMMAND_PARAMETERS,
        request=ForkConversationInput,
        responses={201: ConversationChangedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Start a conversation that goes on from this message; any but a reply that is still being written."""
        fields = self.read_input(request, ForkConversationInput)
        command = c.ForkConversation(
            owner_id=id_of_asking(request), conversation_id=conversation_id, **fields
        )
        return self.run(request, command)


def _of_branch(
    view: CommandView, request: Request, kind: Any, conversation_id: UUID, leaf_id: UUID
) -> c.Command:
    fields = view.read_input(request, OnlyExpectedVersionInput)
    command: c.Command = kind(
        owner_id=id_of_asking(request), conversation_id=conversation_id, leaf_id=leaf_id, **fields
    )
    return command
