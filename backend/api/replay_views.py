"""Replays over HTTP: starting, cancelling and resuming one. Reading them stands in replay_queries.py."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backend import bootstrap
from backend.api.asking import id_of_asking
from backend.api.command_views import COMMAND_PARAMETERS, COMMAND_REFUSALS, CommandView
from backend.api.serializers import (
    AcceptedOutput,
    NoInput,
    ReplayResumedOutput,
    ReplayStartedOutput,
    StartReplayInput,
)
from backend.domain import commands as c
from backend.domain.errors import UnknownReplay


class StartReplayView(CommandView):
    @extend_schema(
        operation_id="start_replay",
        parameters=COMMAND_PARAMETERS,
        request=StartReplayInput,
        responses={202: ReplayStartedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Send a branch's user messages again, turn by turn, as a new branch. The original stays as it is."""
        fields = self.read_input(request, StartReplayInput)
        command = c.StartReplay(owner_id=id_of_asking(request), conversation_id=conversation_id, **fields)
        return self.run(request, command)


class CancelReplayView(CommandView):
    @extend_schema(
        operation_id="cancel_replay",
        parameters=COMMAND_PARAMETERS,
        request=None,
        responses={202: AcceptedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, replay_id: UUID) -> Response:
        """End a replay and ask its running reply to stop; what was received is kept. Repeated or too late is fine."""
        self.read_input(request, NoInput)
        owner_id = id_of_asking(request)
        return self.run(request, c.CancelReplay(owner_id, _conversation_of(replay_id, owner_id), replay_id))


class ResumeReplayView(CommandView):
    @extend_schema(
        operation_id="resume_replay",
        parameters=COMMAND_PARAMETERS,
        request=None,
        responses={202: ReplayResumedOutput, **COMMAND_REFUSALS},
    )
    def post(self, request: Request, replay_id: UUID) -> Response:
        """Ask again for the reply at which a replay stopped, and go on from there."""
        self.read_input(request, NoInput)
        owner_id = id_of_asking(request)
        return self.run(request, c.ResumeReplay(owner_id, _conversation_of(replay_id, owner_id), replay_id))


def _conversation_of(replay_id: UUID, owner_id: UUID) -> UUID:
    """The conversation of one's own replay. Raises UnknownReplay."""
    found = bootstrap.conversation_of_replay(replay_id)
    if found is None or found[1] != owner_id:
        raise UnknownReplay(replay_id)
    return found[0]
