"""The search box: one question, answered page by page from the read model `search`."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.asking import id_of_asking
from backend.api.live_frames import LARGEST_POSITION
from backend.api.read_side import (
    AFTER_PARAMETER,
    QUERY_REFUSALS,
    address_with,
    reading,
    whole_number,
    whole_number_parameter,
)
from projections.projector import storable
from projections.search import queries as search_queries
from projections.search.queries import SearchPlace
from projections.search.query_language import InvalidQuery, SearchQuery, parse_query

_PAGE_SIZE: Final = 20
_LARGEST_PAGE: Final = 100
_DEEPEST_BLOCK: Final = 10_000
_Q_HELP: Final = (
    "Words, all of which must be found, in any form and with any accents; the last one may go on, as may any "
    '`word*`. Also `"a phrase"`, `-word`, `in:title`, `in:messages`, `from:me`, `from:model`, `model:NAME` (a part '
    "of the name), `before:2026-01-31` and `after:2026-01-31` (from that day on; days in UTC). A filter alone is "
    "answered with the newest first. At most 500 characters."
)


WRITERS: Final = ("user", "assistant")


class SearchedConversationOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="conversation_id")
    title = serializers.CharField()


class SearchedMessageOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="message_id")
    role = serializers.ChoiceField(WRITERS)
    at = serializers.DateTimeField()
    model = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True, help_text="Null for a user's message.")


class SearchHitOutput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(("message", "title"))
    conversation_id = serializers.UUIDField()
    conversation = SearchedConversationOutput(source="*")
    message_id = serializers.UUIDField(allow_null=True)
    message = serializers.SerializerMethodField(help_text="Null for a title.")
    excerpt = serializers.CharField(
        help_text="HTML: the text around the first matches, escaped, with `<mark>` around what was found."
    )
    rank = serializers.FloatField(help_text="0 to 1; 0 where only filters were given.")
    at = serializers.DateTimeField(help_text="When it was written; for a title, when it was given.")

    @extend_schema_field(SearchedMessageOutput(allow_null=True))
    def get_message(self, hit: search_queries.SearchHit) -> dict[str, Any] | None:
        return None if hit.message_id is None else dict(SearchedMessageOutput(hit).data)


class SearchPageOutput(serializers.Serializer[Any]):
    results = SearchHitOutput(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    position = serializers.CharField(help_text="Of the read model, from the same moment as the hits.")


class SearchView(APIView):
    @extend_schema(
        operation_id="search",
        parameters=[
            OpenApiParameter("q", str, required=True, description=_Q_HELP),
            OpenApiParameter("conversation", UUID, description="Only in this conversation."),
            whole_number_parameter(
                "limit", 1, _LARGEST_PAGE, f"Hits on a page, 1 to {_LARGEST_PAGE}; {_PAGE_SIZE} when absent."
            ),
            OpenApiParameter("cursor", str, description="Where the page begins; from `next` or `previous`."),
            AFTER_PARAMETER,
        ],
        responses={200: SearchPageOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Titles and messages of all my conversations and all their branches; not those of deleted ones."""
        text = storable(request.query_params.get("q", ""))
        query = _parsed(text)
        conversation_id = _conversation(request)
        limit = whole_number(request, "limit", default=_PAGE_SIZE, low=1, high=_LARGEST_PAGE)
        question = zlib.crc32(f"{conversation_id} {text}".encode())
        place = _decode(request.query_params.get("cursor"), question)
        with reading(request, "search") as snapshot:
            page = search_queries.search(
                owner_id=id_of_asking(request),
                query=query,
                newest=snapshot.position,
                conversation_id=conversation_id,
                place=place,
                limit=limit,
            )
            position = snapshot.position
        return Response(
            {
                "results": SearchHitOutput(page.hits, many=True).data,
                "next": _address(request, page.next, question),
                "previous": _address(request, page.previous, question),
                "position": str(position),
            }
        )


def _parsed(text: str) -> SearchQuery:
    try:
        return parse_query(text)
    except InvalidQuery as error:
        raise ValidationError({"q": [str(error)]}) from error


def _conversation(request: Request) -> UUID | None:
    text = request.query_params.get("conversation")
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError(
            {"conversation": [f"Expected the id of a conversation, found {text[:40]!r}."]}
        ) from None


def _address(request: Request, place: SearchPlace | None, question: int) -> str | None:
    if place is None:
        return None
    parts = json.dumps([question, place.blocks, place.key, place.backwards], separators=(",", ":"))
    cursor = base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")
    return address_with(request, cursor=cursor)


def _decode(text: str | None, question: int) -> SearchPlace | None:
    """Raises ValidationError naming `cursor`, also where it belongs to another question."""
    if text is None:
        return None
    try:
        asked, blocks, key, backwards = json.loads(
            base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        )
        numbers = [*blocks, *(key or ())]
        if (
            asked != question
            or not isinstance(backwards, bool)
            or not 1 <= len(blocks) <= _DEEPEST_BLOCK
            or (key is not None and len(key) != 3)
            or any(type(number) is not int or abs(number) > LARGEST_POSITION for number in numbers)
        ):
            raise ValueError(text)
        return SearchPlace(tuple(blocks), None if key is None else tuple(key), backwards)
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        raise ValidationError(
            {"cursor": ["This is no place in what was found. Take the address from `next` or `previous`."]}
        ) from None
