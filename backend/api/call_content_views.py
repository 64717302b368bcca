"""What was said in one model call: the prompt, its exact bytes, the reply. From the events, on demand.

Owners read their own. Auditors and administrators read everybody's, and each such reading is on record before it is
answered. For all others these calls do not exist.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.audit_reading import call_to_read, put_on_record
from backend.api.output_serializers import PromptOutput
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, after_position
from backend.api.serializers import refusal
from backend.application.call_content import PromptDiffers, recorded_reply
from backend.application.history import previous_call_id, rebuild_prompt
from backend.domain.audit_trail import PROMPT, RAW, REPLY
from backend.domain.model_call import ModelCall
from backend.domain.outcomes import FINAL_OUTCOMES, PENDING

_REFUSALS = {**QUERY_REFUSALS, **NOT_FOUND_REFUSAL}


class RecordedReplyOutput(serializers.Serializer[Any]):
    content = serializers.CharField()
    reasoning = serializers.CharField()
    tool_calls = serializers.ListField(child=serializers.JSONField(), help_text="As the runner gave them.")
    outcome = serializers.ChoiceField(
        [PENDING, *sorted(FINAL_OUTCOMES)], help_text="pending until the call's final end."
    )
    position = serializers.CharField(help_text="Of the event store.")


class PromptView(APIView):
    @extend_schema(
        operation_id="read_prompt",
        parameters=[AFTER_PARAMETER],
        responses={200: PromptOutput, **_REFUSALS},
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """What the model was sent, rebuilt from the events now, beside what was recorded then.

        Reading somebody else's is recorded first, and its owner sees that.
        """
        # Rebuilt from the store, which is never behind itself; a bad position is still refused.
        after_position(request)
        store = bootstrap.event_store()
        position = store.end()
        call = call_to_read(request, call_id)
        rebuilt = rebuild_prompt(store, call)
        trimming = call.prompt_request.trimming
        body = {
            "messages": list(rebuilt.prompt.messages),
            "body": rebuilt.prompt.body.decode("utf-8"),
            "body_sha256": rebuilt.prompt.body_sha256,
            "recorded_sha256": call.body_sha256,
            "identical": rebuilt.identical,
            "omitted_count": None if trimming is None else trimming.omitted_count,
            "previous_call_id": previous_call_id(store, call),
            "position": str(position),
        }
        _put_on_record(request, call, PROMPT)
        return Response(body)


class ReplyView(APIView):
    @extend_schema(
        operation_id="read_call_reply",
        parameters=[AFTER_PARAMETER],
        responses={200: RecordedReplyOutput, **_REFUSALS},
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """What the model answered, as it is recorded; empty until the call has ended.

        Reading somebody else's is recorded first, and its owner sees that.
        """
        after_position(request)
        store = bootstrap.event_store()
        position = store.end()
        call = call_to_read(request, call_id)
        reply = recorded_reply(store, call)
        body = {
            "content": reply.content,
            "reasoning": reply.reasoning,
            "tool_calls": list(reply.tool_calls),
            "outcome": reply.outcome,
            "position": str(position),
        }
        _put_on_record(request, call, REPLY)
        return Response(body)


class RawPromptView(APIView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Whatever is accepted, the bytes are what they are; only a problem is rendered, and only as JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="read_raw_prompt",
        responses={
            (200, "application/octet-stream"): OpenApiResponse(
                OpenApiTypes.BINARY, "The body of the request to the runner, byte for byte."
            ),
            **_REFUSALS,
            **refusal(409, "The events do not give the recorded bytes any more."),
        },
    )
    def get(self, request: Request, call_id: UUID) -> HttpResponse:
        """The exact bytes that were sent to the runner, as a file; their digest is the call's `body_sha256`.

        Reading somebody else's is recorded first, and its owner sees that.
        """
        call = call_to_read(request, call_id)
        rebuilt = rebuild_prompt(bootstrap.event_store(), call)
        if not rebuilt.identical:
            raise PromptDiffers(call)
        _put_on_record(request, call, RAW)
        response = HttpResponse(rebuilt.prompt.body, content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="model-call-{call.id}.json"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response


def _put_on_record(request: Request, call: ModelCall, what: str) -> None:
    put_on_record(
        request,
        owner_id=call.owner_id,
        what=what,
        conversation_id=call.conversation_id,
        call_id=call.id,
    )
