"""The audit's own addresses: a conversation's events for auditors, and who read what of mine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.asking import id_of_asking
from backend.api.audit_reading import may_read, put_on_record
from backend.api.output_serializers import StoredEventPageOutput
from backend.api.pages import LIMIT_PARAMETERS, KeysetPage
from backend.api.people_shown import SomebodyOutput, people_by_id
from backend.api.query_views import EVENTS_PARAMETERS, ConversationEventsView
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, reading
from backend.application.history import load_conversation
from backend.application.ports import StoredEventRow
from backend.domain.audit_trail import EVENTS
from backend.domain.errors import ConversationIsErased, UnknownConversation
from projections.audit_reads import queries as audit_reads


class AuditConversationEventsView(ConversationEventsView):
    @extend_schema(
        operation_id="list_audited_conversation_events",
        parameters=EVENTS_PARAMETERS,
        responses={200: StoredEventPageOutput, **QUERY_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Anybody's conversation as it lies in the event store, for auditors and administrators.

        Reading somebody else's is recorded first, and its owner sees that.
        """
        return super().get(request, conversation_id)

    def events(
        self, request: Request, conversation_id: UUID, *, after_version: int, limit: int
    ) -> tuple[StoredEventRow, ...]:
        store = bootstrap.event_store()
        try:
            owner_id = load_conversation(store, conversation_id)[0].owner_id
        except ConversationIsErased as erased:
            # Its events are still there: what kinds they were, their digests, and who erased them.
            if erased.owner_id is None:
                raise
            owner_id = erased.owner_id
        if not may_read(request, owner_id):
            raise UnknownConversation(conversation_id)
        rows = store.read_stream(conversation_id, after_version, limit)
        put_on_record(request, owner_id=owner_id, what=EVENTS, conversation_id=conversation_id)
        return rows


class AuditReadOutput(serializers.Serializer[Any]):
    """Somebody has read my content. Both ids null: all of it, as an export."""

    id = serializers.UUIDField()
    reader = serializers.SerializerMethodField()
    at = serializers.DateTimeField()
    what = serializers.CharField(
        help_text="What was read first: prompt, reply, raw, events or export. What was read of the same call or "
        "conversation within ten minutes belongs to the same reading. password_link: an administrator made a link "
        "with which my password can be set; second_factor: one took off my second factor."
    )
    conversation_id = serializers.UUIDField(allow_null=True)
    call_id = serializers.UUIDField(allow_null=True)

    @extend_schema_field(SomebodyOutput)
    def get_reader(self, row: Any) -> dict[str, Any]:
        reader: dict[str, Any] = self.context["people"][row.reader_id]
        return reader


class AuditReadPageOutput(serializers.Serializer[Any]):
    results = AuditReadOutput(many=True, help_text="Newest first.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    position = serializers.CharField()


class MyAuditReadsView(APIView):
    @extend_schema(
        operation_id="list_my_audit_reads",
        parameters=[*LIMIT_PARAMETERS, AFTER_PARAMETER],
        responses={200: AuditReadPageOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Who has read my content through the audit, when, and what."""
        page = KeysetPage(request, ordering="-at")
        with reading(request, "audit_reads") as snapshot:
            found = page.take(audit_reads.list_audit_reads(owner_id=id_of_asking(request)))
            position = snapshot.position
        people = people_by_id(row.reader_id for row in found)
        results = AuditReadOutput(found, many=True, context={"people": people}).data
        return Response({"results": results, **page.links(), "position": str(position)})
