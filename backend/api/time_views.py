"""A conversation as it was, over HTTP. Comes from the events, since read tables know only the present."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.asking import id_of_asking
from backend.api.output_serializers import AsOfPageOutput, ConversationAsOfOutput, MessageOutput
from backend.api.query_views import LARGEST_LIMIT, TRANSCRIPT_LIMIT, message_id_in
from backend.api.read_side import (
    AFTER_PARAMETER,
    NOT_FOUND_REFUSAL,
    QUERY_REFUSALS,
    address_with,
    after_position,
    whole_number,
    whole_number_parameter,
)
from backend.application.time_travel import conversation_as_of


class ConversationAsOfView(APIView):
    @extend_schema(
        operation_id="read_conversation_as_of",
        parameters=[
            OpenApiParameter(
                "leaf", UUID, description="The end of the branch; absent: the one selected then."
            ),
            OpenApiParameter("before", UUID, description="Only messages above this one; `next` uses it."),
            whole_number_parameter(
                "limit", 1, LARGEST_LIMIT, f"1 to {LARGEST_LIMIT}; {TRANSCRIPT_LIMIT} when absent."
            ),
            AFTER_PARAMETER,
        ],
        responses={200: AsOfPageOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID, version: int) -> Response:
        """The conversation as it was at a version, also what was hidden or deleted later. `next` is further up."""
        limit = whole_number(request, "limit", default=TRANSCRIPT_LIMIT, low=1, high=LARGEST_LIMIT)
        # The store is never behind itself; a bad position is still refused.
        after_position(request)
        store = bootstrap.event_store()
        position = store.end()
        found = conversation_as_of(
            store,
            conversation_id,
            id_of_asking(request),
            version,
            leaf_id=message_id_in(request, "leaf"),
            before=message_id_in(request, "before"),
            limit=limit,
        )
        older = None if found.older_before is None else address_with(request, before=found.older_before)
        settings = {**asdict(found.settings), "params": found.settings.params or {}}
        conversation = {
            **{name: value for name, value in vars(found).items() if name != "messages"},
            "settings": settings,
        }
        return Response(
            {
                "results": MessageOutput(found.messages, many=True).data,
                "next": older,
                "previous": None,
                "conversation": ConversationAsOfOutput(conversation).data,
                "position": str(position),
            }
        )
