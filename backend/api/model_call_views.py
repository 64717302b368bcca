"""Queries about model calls: which there were, how they went, and what exactly was sent.

People see their own calls; auditors and administrators see everybody's, though not what was said in
them. The prompt is rebuilt from the events on demand and compared with the digest recorded before it
was sent.
"""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import User
from backend.api.asking import id_of_asking, person_asking
from backend.api.filters import ModelCallFilter, filter_parameters, filtered
from backend.api.output_serializers import (
    ModelCallOutput,
    ModelCallPageOutput,
    ModelCallRowOutput,
    PromptOutput,
)
from backend.api.pages import LIMIT_PARAMETERS, KeysetPage
from backend.api.queue_places import places_of
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, after_position, reading
from backend.application.history import call_event_ids, previous_call_id, rebuild_own_prompt
from backend.domain.errors import UnknownModelCall
from backend.domain.outcomes import PENDING
from projections.model_calls import queries as model_calls


class ModelCallListView(APIView):
    @extend_schema(
        operation_id="list_model_calls",
        parameters=[*filter_parameters(ModelCallFilter), *LIMIT_PARAMETERS, AFTER_PARAMETER],
        responses={200: ModelCallPageOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Calls to models, newest first."""
        page = KeysetPage(request, ordering="-requested_at")
        with reading(request, "model_calls") as snapshot:
            rows = filtered(
                ModelCallFilter,
                request,
                model_calls.list_model_calls(owner_id=_visible_owner(person_asking(request))),
            )
            found = page.take(rows)
            position = snapshot.position
        results = ModelCallRowOutput(found, many=True).data
        return Response({"results": results, **page.links(), "position": str(position)})


class ModelCallView(APIView):
    @extend_schema(
        operation_id="read_model_call",
        parameters=[AFTER_PARAMETER],
        responses={200: ModelCallOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """One call: where it waits, attempts, timings, usage, parameters, digests, outcome, and its events' places."""
        with reading(request, "model_calls") as snapshot:
            row = model_calls.get_model_call(call_id=call_id, owner_id=_visible_owner(person_asking(request)))
            position = snapshot.position
        if row is None:
            raise UnknownModelCall(call_id)
        # The read table keeps places; what an event calls itself stands in the event.
        event_ids = call_event_ids(bootstrap.event_store(), call_id)
        row.events = [{**entry, "event_id": event_ids[entry["version"]]} for entry in row.events]
        queue = places_of([call_id]).get(call_id) if row.outcome == PENDING else None
        return Response(ModelCallOutput(row, context={"position": str(position), "queue": queue}).data)


class PromptView(APIView):
    @extend_schema(
        operation_id="read_prompt",
        parameters=[AFTER_PARAMETER],
        responses={200: PromptOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """What the model was sent, rebuilt from the events now, beside what was recorded then."""
        # Rebuilt from the store, which is never behind itself; a bad position is still refused.
        after_position(request)
        store = bootstrap.event_store()
        position = store.end()
        # Somebody else's words are not shown here, to auditors neither: reading those leaves a trace of its own.
        rebuilt = rebuild_own_prompt(store, call_id, id_of_asking(request))
        trimming = rebuilt.call.prompt_request.trimming
        return Response(
            {
                "messages": list(rebuilt.prompt.messages),
                "body": rebuilt.prompt.body.decode("utf-8"),
                "body_sha256": rebuilt.prompt.body_sha256,
                "recorded_sha256": rebuilt.call.body_sha256,
                "identical": rebuilt.identical,
                "omitted_count": None if trimming is None else trimming.omitted_count,
                "previous_call_id": previous_call_id(store, rebuilt.call),
                "position": str(position),
            }
        )


def _visible_owner(user: User) -> UUID | None:
    """Whose calls this person may see: their own, or with an auditor's rights everybody's (None)."""
    return None if user.is_auditor or user.is_staff else user.pk
