"""The transparency log over HTTP: its state, its newest checkpoint, and proofs that an event of a call is in it.

Whoever may see a call may have its proofs: they hold digests only.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.audit_reading import call_to_read
from backend.api.read_side import NOT_FOUND_REFUSAL, QUERY_REFUSALS
from backend.application.history import proof_event
from backend.bootstrap.transparency import outlets, transparency_log
from backend.domain.errors import InvalidInput, NotRecordedYet

PROVABLE: Final = ("requested", "terminal", "reply")
_TEXT: Final = "text/plain; charset=utf-8"


class LogOutletOutput(serializers.Serializer[Any]):
    outlet = serializers.CharField()
    delivered_at = serializers.DateTimeField(source="at")
    error = serializers.CharField(help_text="Why the next checkpoint was not taken; empty where all were.")


class LogStateOutput(serializers.Serializer[Any]):
    origin = serializers.CharField()
    verifier_key = serializers.CharField(help_text="What checkpoints are checked with (C2SP verifier key).")
    size = serializers.IntegerField(help_text="Events in the log.")
    checkpoint_size = serializers.IntegerField(allow_null=True)
    checkpoint_at = serializers.DateTimeField(allow_null=True)
    events_behind = serializers.IntegerField(help_text="Recorded events that are not in the log yet.")
    outlets = LogOutletOutput(many=True)


class LogStateView(APIView):
    @extend_schema(operation_id="read_log_state", responses={200: LogStateOutput, **QUERY_REFUSALS})
    def get(self, request: Request) -> Response:
        """How far the transparency log has come, who signs it, and where its checkpoints are kept."""
        log = transparency_log()
        state = log.state()
        names = {outlet.name for outlet in outlets()}
        return Response(
            LogStateOutput(
                {
                    "origin": state.origin,
                    "verifier_key": state.verifier_key,
                    "size": state.size,
                    "checkpoint_size": state.checkpoint and state.checkpoint.size,
                    "checkpoint_at": state.checkpoint and state.checkpoint.signed_at,
                    "events_behind": state.events_behind,
                    "outlets": [each for each in log.deliveries() if each.outlet in names],
                }
            ).data
        )


class CheckpointView(APIView):
    @extend_schema(
        operation_id="read_checkpoint",
        responses={(200, "text/plain"): OpenApiTypes.STR, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request) -> HttpResponse:
        """The log as it is now, signed (C2SP tlog-checkpoint). Keep it: later, nobody can shorten the log unseen."""
        signed = transparency_log().checkpoint()
        if signed is None:
            raise NotRecordedYet("There is no checkpoint: nothing has been recorded yet.")
        return HttpResponse(signed.note, content_type=_TEXT)


class ProofView(APIView):
    @extend_schema(
        operation_id="read_proof",
        parameters=[
            OpenApiParameter(
                "event",
                str,
                enum=PROVABLE,
                default=PROVABLE[0],
                description="requested: that the call was asked for, with the digest of its prompt. "
                "terminal: how it ended. reply: the text that was kept of it.",
            )
        ],
        responses={
            (200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="C2SP tlog-proof"),
            **QUERY_REFUSALS,
            **NOT_FOUND_REFUSAL,
        },
    )
    def get(self, request: Request, call_id: UUID) -> HttpResponse:
        """A proof, to be checked by anybody, that an event of this call is in the log, at its place and unchanged."""
        wanted = request.query_params.get("event", PROVABLE[0])
        if wanted not in PROVABLE:
            raise InvalidInput(
                f"There is no event {wanted[:40]!r} to prove. Choose one of {', '.join(PROVABLE)}.",
                field="event",
            )
        call = call_to_read(request, call_id)
        event = proof_event(bootstrap.event_store(), call, wanted)
        proof = transparency_log().prove(event.position)
        response = HttpResponse(proof, content_type=_TEXT)
        response["Content-Disposition"] = f'attachment; filename="{call_id}-{wanted}.tlog-proof"'
        # What the proof is about, so that a program need not ask for the events too.
        response["X-Event-Stream"], response["X-Event-Version"] = str(event.stream_id), str(event.version)
        return response
