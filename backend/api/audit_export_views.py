"""What was recorded as a file to take away: lines of events, a table of calls, or a bundle that proves itself.

People export what belongs to their own calls; auditors and administrators what belongs to everybody's. A table says
only that there were calls; the others hold what was said, so that somebody else's is handed out with a trace only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.asking import person_asking
from backend.api.audit_reading import put_on_record, visible_owner
from backend.api.downloads import Download
from backend.api.filters import ModelCallFilter, filter_parameters, filtered
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, reading
from backend.api.serializers import refusal
from backend.audit.export import FORMATS
from backend.bootstrap import audit_export
from backend.domain.audit_trail import EXPORT
from backend.domain.errors import InvalidInput, NotRecordedYet
from backend.transparency.exporting import ExportSnapshot, NothingToExport
from projections.model_calls import queries as model_calls

_MEDIA_TYPES: Final = {
    "jsonl": "application/jsonl; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "bundle": "application/zip",
}
_ENDINGS: Final = {"jsonl": "jsonl", "csv": "csv", "bundle": "zip"}
_MOST_KEPT: Final = 100


class AuditExportView(APIView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """`format` is ours here; only a problem is rendered, and only as JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="export_audit",
        parameters=[
            OpenApiParameter(
                "format",
                str,
                required=True,
                enum=FORMATS,
                description="jsonl: the events, one a line, byte for byte. csv: the calls, without what was said. "
                "bundle: a ZIP with the events, their proofs, and a program that checks them offline.",
            ),
            OpenApiParameter(
                "kept",
                int,
                many=True,
                description="Size of a checkpoint that you have kept: a bundle then shows that the log grew out of it. "
                "Those of the last thousand checkpoints need not be named.",
            ),
            *filter_parameters(ModelCallFilter),
            AFTER_PARAMETER,
        ],
        responses={
            (200, "application/jsonl"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/zip"): OpenApiResponse(
                OpenApiTypes.BINARY, "Made while it is sent: one that is cut off cannot be opened."
            ),
            **QUERY_REFUSALS,
            **NOT_FOUND_REFUSAL,
            **refusal(429, "Enough exports are being made at the moment; see Retry-After."),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The calls that the filters pick, and whatever is needed to rebuild what they sent."""
        wanted = request.query_params.get("format", "")
        if wanted not in FORMATS:
            raise InvalidInput(
                f"There is no format {wanted[:40]!r}. Choose one of {', '.join(FORMATS)}.", field="format"
            )
        kept_sizes = _kept_sizes(request)
        # Only to wait for `after`: the export then has one moment of its own.
        with reading(request, "model_calls"):
            calls = filtered(
                ModelCallFilter,
                request,
                model_calls.list_model_calls(owner_id=visible_owner(person_asking(request))),
            )

        def pieces() -> Iterator[bytes]:
            if wanted == "csv":
                return audit_export.csv(calls)
            return _content(request, wanted, calls, kept_sizes)

        response = StreamingHttpResponse(Download(pieces), content_type=_MEDIA_TYPES[wanted])
        day = bootstrap.SystemClock().now().date().isoformat()
        response["Content-Disposition"] = f'attachment; filename="verbatim-audit-{day}.{_ENDINGS[wanted]}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


def _content(
    request: Request, wanted: str, calls: QuerySet[Any], kept_sizes: Sequence[int]
) -> Iterator[bytes]:
    with ExitStack() as stack:
        try:
            snapshot = stack.enter_context(audit_export.open_export(calls, kept_sizes=kept_sizes))
        except NothingToExport as error:
            raise NotRecordedYet(str(error)) from error
        for owner_id in snapshot.owner_ids():
            put_on_record(request, owner_id=owner_id, what=EXPORT, conversation_id=_conversation(request))
        # The snapshot has a connection of its own; the one that pages need is not kept for as long as this takes.
        connections.close_all()
        yield from _pieces(request, wanted, snapshot)


def _pieces(request: Request, wanted: str, snapshot: ExportSnapshot) -> Iterator[bytes]:
    if wanted == "jsonl":
        return audit_export.jsonl(snapshot)
    given = request.query_params
    picked = {name: given[name] for name in ModelCallFilter.base_filters if given.get(name)}
    return audit_export.bundle(snapshot, picked=picked, at=bootstrap.SystemClock().now())


def _conversation(request: Request) -> UUID | None:
    """The one conversation that is exported, where the filters name one; they have been found to fit."""
    text = request.query_params.get("conversation")
    return UUID(text.strip()) if text else None


def _kept_sizes(request: Request) -> list[int]:
    texts = request.query_params.getlist("kept")
    if len(texts) > _MOST_KEPT or not all(
        text.isascii() and text.isdigit() and len(text) <= 18 for text in texts
    ):
        raise InvalidInput(
            f"`kept` is the number in a checkpoint's second line, given at most {_MOST_KEPT} times.",
            field="kept",
        )
    return [int(text) for text in texts]
