"""How far replays have come, from their read model."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.asking import id_of_asking
from backend.api.missing import missing_conversation
from backend.api.output_serializers import ReplayAnswerOutput, ReplayListOutput, ReplayOutput
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, reading
from backend.domain.errors import UnknownReplay
from projections.conversation_list import queries as conversation_list
from projections.replays import queries as replays


class ReplayView(APIView):
    @extend_schema(
        operation_id="read_replay",
        parameters=[AFTER_PARAMETER],
        responses={200: ReplayAnswerOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, replay_id: UUID) -> Response:
        """One replay: its state, the turns done, and where its new branch has come to."""
        with reading(request, "replays") as snapshot:
            replay = replays.get_replay(replay_id=replay_id, owner_id=id_of_asking(request))
            position = snapshot.position
        if replay is None:
            raise UnknownReplay(replay_id)
        return Response(ReplayAnswerOutput(replay, context={"position": str(position)}).data)


class ConversationReplaysView(APIView):
    @extend_schema(
        operation_id="list_replays",
        parameters=[AFTER_PARAMETER],
        responses={200: ReplayListOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """The replays of a conversation, newest first."""
        owner_id = id_of_asking(request)
        with reading(request, "conversation_list"):
            conversation = conversation_list.get_conversation(
                conversation_id=conversation_id, owner_id=owner_id
            )
        if conversation is None:
            raise missing_conversation(conversation_id, owner_id)
        with reading(request, "replays") as snapshot:
            found = replays.list_replays(conversation_id=conversation_id, owner_id=owner_id)
            position = snapshot.position
        return Response({"results": ReplayOutput(found, many=True).data, "position": str(position)})
