"""Queries about conversations: the list, one of them, its transcript, its events.

Everything but the stream of events comes from read tables; the stream comes through
application.history. Somebody else's conversation answers exactly as an unknown one does.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import User
from backend.api.asking import id_of_asking, person_asking
from backend.api.filters import ConversationFilter, filter_parameters, filtered
from backend.api.missing import missing_conversation
from backend.api.output_serializers import (
    ConversationOutput,
    ConversationPageOutput,
    ConversationRowOutput,
    StoredEventPageOutput,
    TranscriptPageOutput,
    TranscriptRowOutput,
    TreeNodeOutput,
    TreeOutput,
)
from backend.api.pages import LIMIT_PARAMETERS, KeysetPage, chosen_ordering, ordering_parameter
from backend.api.read_side import (
    AFTER_PARAMETER,
    NOT_FOUND_REFUSAL,
    QUERY_REFUSALS,
    address_with,
    after_position,
    reading,
    whole_number,
    whole_number_parameter,
)
from backend.application.history import conversation_events
from backend.application.ports import StoredEventRow
from projections.conversation_list import queries as conversation_list
from projections.transcript import queries as transcript

_ORDERINGS: Final = ("updated_at", "created_at", "title")
_LATEST_FIRST: Final = "-updated_at"
TRANSCRIPT_LIMIT: Final = 50
_EVENTS_LIMIT: Final = 100
_LAST_VERSION: Final = 2**63 - 1
LARGEST_LIMIT: Final = 200

EVENTS_PARAMETERS: Final = [
    whole_number_parameter(
        "after_version", 0, _LAST_VERSION, "Only events beyond this version; 0 when absent."
    ),
    whole_number_parameter("limit", 1, LARGEST_LIMIT, f"1 to {LARGEST_LIMIT}; {_EVENTS_LIMIT} when absent."),
    AFTER_PARAMETER,
]


def owner_context(user: User) -> dict[str, Any]:
    """The context that ConversationRowOutput needs for this person's own conversations."""
    return {"owner": {"id": str(user.pk), "display_name": user.display_name}}


class ListConversationsMixin(APIView):
    @extend_schema(
        operation_id="list_conversations",
        parameters=[
            *filter_parameters(ConversationFilter),
            ordering_parameter(_ORDERINGS, default=_LATEST_FIRST),
            *LIMIT_PARAMETERS,
            AFTER_PARAMETER,
        ],
        responses={200: ConversationPageOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """My conversations, without the archived and deleted ones unless they are asked for."""
        page = KeysetPage(request, ordering=chosen_ordering(request, _ORDERINGS, default=_LATEST_FIRST))
        with reading(request, "conversation_list") as snapshot:
            rows = filtered(
                ConversationFilter,
                request,
                conversation_list.list_conversations(owner_id=id_of_asking(request)),
            )
            found = page.take(rows)
            position = snapshot.position
        results = ConversationRowOutput(found, many=True, context=owner_context(person_asking(request))).data
        return Response({"results": results, **page.links(), "position": str(position)})


class ReadConversationMixin(APIView):
    @extend_schema(
        operation_id="read_conversation",
        parameters=[AFTER_PARAMETER],
        responses={200: ConversationOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """One of my conversations: its settings, its counts, where it stands."""
        owner_id = id_of_asking(request)
        # The branches first: what the list knows then is at least as new as they are.
        with reading(request, "transcript") as snapshot:
            branches = transcript.get_branch_summary(conversation_id=conversation_id, owner_id=owner_id)
            branches_position = snapshot.position
        with reading(request, "conversation_list") as snapshot:
            row = conversation_list.get_conversation(conversation_id=conversation_id, owner_id=owner_id)
            source = None
            if row is not None and row.forked_from is not None:
                source = conversation_list.get_conversation(
                    conversation_id=UUID(row.forked_from["conversation_id"]), owner_id=owner_id
                )
            position = min(snapshot.position, branches_position)
        if row is None or branches is None:
            raise missing_conversation(conversation_id, owner_id)
        context = {
            **owner_context(person_asking(request)),
            "source": source,
            "branches": branches,
            "position": str(position),
        }
        return Response(ConversationOutput(row, context=context).data)


class TranscriptView(APIView):
    @extend_schema(
        operation_id="read_transcript",
        parameters=[
            OpenApiParameter("leaf", UUID, description="The end of the branch; absent: the selected one."),
            OpenApiParameter(
                "through",
                UUID,
                description="Instead of leaf, a message: the selected branch if it is on that, else the newest "
                "visible branch through it.",
            ),
            OpenApiParameter("before", UUID, description="Only messages above this one; `next` uses it."),
            whole_number_parameter(
                "limit", 1, LARGEST_LIMIT, f"1 to {LARGEST_LIMIT}; {TRANSCRIPT_LIMIT} when absent."
            ),
            AFTER_PARAMETER,
        ],
        responses={200: TranscriptPageOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """The last messages of a branch, oldest first. `next` gives the messages above them."""
        limit = whole_number(request, "limit", default=TRANSCRIPT_LIMIT, low=1, high=LARGEST_LIMIT)
        leaf_id, before = message_id_in(request, "leaf"), message_id_in(request, "before")
        through = message_id_in(request, "through")
        if leaf_id is not None and through is not None:
            raise ValidationError({"through": ["Give leaf or through, not both."]})
        with reading(request, "transcript") as snapshot:
            page = transcript.get_transcript(
                conversation_id=conversation_id,
                owner_id=id_of_asking(request),
                leaf_id=leaf_id,
                through=through,
                before=before,
                limit=limit,
            )
            position = snapshot.position
        if page is None:
            raise missing_conversation(conversation_id, id_of_asking(request))
        older = None if page.older_before is None else address_with(request, before=page.older_before)
        return Response(
            {
                "results": TranscriptRowOutput(page.messages, many=True).data,
                "next": older,
                "previous": None,
                "leaf_id": page.leaf_id,
                "selected_leaf_id": page.selected_leaf_id,
                "position": str(position),
            }
        )


class TreeView(APIView):
    @extend_schema(
        operation_id="read_tree",
        parameters=[AFTER_PARAMETER],
        responses={200: TreeOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Every message of a conversation without its text: how its branches hang together."""
        with reading(request, "transcript") as snapshot:
            tree = transcript.get_tree(conversation_id=conversation_id, owner_id=id_of_asking(request))
            position = snapshot.position
        if tree is None:
            raise missing_conversation(conversation_id, id_of_asking(request))
        return Response(
            {
                "results": TreeNodeOutput(tree.nodes, many=True).data,
                "selected_leaf_id": tree.selected_leaf_id,
                "position": str(position),
            }
        )


class ConversationEventsView(APIView):
    @extend_schema(
        operation_id="list_conversation_events",
        parameters=EVENTS_PARAMETERS,
        responses={200: StoredEventPageOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """The conversation's own stream as it lies in the event store, ascending versions."""
        # The store is never behind itself, so there is nothing to wait for; a bad position is still refused.
        after_position(request)
        after_version = whole_number(request, "after_version", default=0, low=0, high=_LAST_VERSION)
        limit = whole_number(request, "limit", default=_EVENTS_LIMIT, low=1, high=LARGEST_LIMIT)
        position = bootstrap.event_store().end()
        rows = self.events(request, conversation_id, after_version=after_version, limit=limit + 1)
        page, more = rows[:limit], len(rows) > limit
        return Response(
            {
                "results": [
                    {
                        "version": row.version,
                        "position": str(row.position),
                        "topic": row.topic,
                        "at": row.payload.get("at"),
                        "payload": row.payload,
                    }
                    for row in page
                ],
                "next": address_with(request, after_version=page[-1].version) if more else None,
                "previous": None,
                "position": str(position),
            }
        )

    def events(
        self, request: Request, conversation_id: UUID, *, after_version: int, limit: int
    ) -> tuple[StoredEventRow, ...]:
        """The events that the person asking may see. Raises UnknownConversation."""
        return conversation_events(
            bootstrap.event_store(),
            conversation_id,
            id_of_asking(request),
            after_version=after_version,
            limit=limit,
        )


def message_id_in(request: Request, name: str) -> UUID | None:
    """A message's id from the query string. Raises ValidationError naming the parameter."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError({name: [f"Expected the id of a message, found {text[:40]!r}."]}) from None
