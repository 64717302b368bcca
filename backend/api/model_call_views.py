"""Queries about model calls: which there were, and how they went. No word of what was said is in them.

People see their own calls; auditors and administrators see everybody's, and whose each is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import User
from backend.api.asking import person_asking
from backend.api.audit_reading import may_audit, visible_owner
from backend.api.filters import ModelCallFilter, filter_parameters, filtered
from backend.api.output_serializers import (
    ModelCallOutput,
    ModelCallPageOutput,
    ModelCallRowOutput,
)
from backend.api.pages import LIMIT_PARAMETERS, KeysetPage, chosen_ordering, ordering_parameter
from backend.api.people_shown import people_by_id
from backend.api.queue_places import places_of
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, reading
from backend.application.history import call_event_ids
from backend.domain.errors import UnknownModelCall
from backend.domain.outcomes import PENDING
from projections.model_calls import queries as model_calls
from projections.model_calls.queries import SORTED_FIGURES, ModelCallRow

_NEWEST_FIRST: Final = "-requested_at"
_ORDERINGS: Final = ("requested_at", *SORTED_FIGURES)
_SORTED: Final = "sorted_by"


class ModelCallListView(APIView):
    @extend_schema(
        operation_id="list_model_calls",
        parameters=[
            *filter_parameters(ModelCallFilter),
            ordering_parameter(_ORDERINGS, default=_NEWEST_FIRST),
            *LIMIT_PARAMETERS,
            AFTER_PARAMETER,
        ],
        responses={200: ModelCallPageOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Calls to models, newest first: mine, or for auditors and administrators everybody's."""
        person = person_asking(request)
        ordering = chosen_ordering(request, _ORDERINGS, default=_NEWEST_FIRST)
        figure = ordering.removeprefix("-")
        page = KeysetPage(request, ordering=ordering, column=_SORTED if figure in SORTED_FIGURES else None)
        with reading(request, "model_calls") as snapshot:
            rows = model_calls.without_details(
                filtered(
                    ModelCallFilter,
                    request,
                    model_calls.list_model_calls(owner_id=visible_owner(person)),
                )
            )
            if figure in SORTED_FIGURES:
                rows = model_calls.with_figure(rows, figure, _SORTED)
            found = page.take(rows)
            position = snapshot.position
        results = ModelCallRowOutput(found, many=True, context=_whose(person, found)).data
        return Response({"results": results, **page.links(), "position": str(position)})


class ModelCallView(APIView):
    @extend_schema(
        operation_id="read_model_call",
        parameters=[AFTER_PARAMETER],
        responses={200: ModelCallOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """One call: where it waits, attempts, timings, usage, parameters, digests, outcome, and its events' places."""
        person = person_asking(request)
        with reading(request, "model_calls") as snapshot:
            row = model_calls.get_model_call(call_id=call_id, owner_id=visible_owner(person))
            position = snapshot.position
        if row is None:
            raise UnknownModelCall(call_id)
        # The read table keeps places; what an event calls itself stands in the event.
        event_ids = call_event_ids(bootstrap.event_store(), call_id)
        row.events = [
            {**entry, "event_id": event_ids[entry["version"]]}
            for entry in row.events
            if entry["version"] in event_ids  # else erased since the row was read
        ]
        queue = places_of([call_id]).get(call_id) if row.outcome == PENDING else None
        context = {**_whose(person, [row]), "position": str(position), "queue": queue}
        return Response(ModelCallOutput(row, context=context).data)


def _whose(person: User, rows: Sequence[ModelCallRow]) -> dict[str, Any]:
    """The context that tells whose calls these are, for those who see other people's."""
    return {"people": people_by_id(row.owner_id for row in rows) if may_audit(person) else None}
