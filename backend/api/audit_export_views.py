"""What was recorded as a file to take away: lines of events, a table of calls, or a bundle that proves itself.

People export what belongs to their own calls; auditors and administrators what belongs to everybody's. A table says
only that there were calls; the others hold what was said, so that somebody else's is handed out with a trace only.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import User
from backend.api.asking import person_asking
from backend.api.filters import ModelCallFilter, filter_parameters, filtered
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, reading
from backend.api.serializers import refusal
from backend.audit.export import FORMATS
from backend.bootstrap import audit_export
from backend.domain.errors import InvalidInput, NotRecordedYet
from backend.transparency.exporting import ExportSnapshot, NothingToExport
from projections.model_calls import queries as model_calls

_MEDIA_TYPES: Final = {
    "jsonl": "application/jsonl; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "bundle": "application/zip",
}
_ENDINGS: Final = {"jsonl": "jsonl", "csv": "csv", "bundle": "zip"}
_NOT_FILTERS: Final = frozenset({"format", "kept", "after"})
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
            **refusal(403, "Reading what others wrote cannot be recorded."),
            **NOT_FOUND_REFUSAL,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The calls that the filters pick, and whatever is needed to rebuild what they sent."""
        wanted = request.query_params.get("format", "")
        if wanted not in FORMATS:
            raise InvalidInput(
                f"There is no format {wanted[:40]!r}. Choose one of {', '.join(FORMATS)}.", field="format"
            )
        person = person_asking(request)
        kept_sizes = _kept_sizes(request)
        # Only to wait for `after`: the export then has one moment of its own.
        with reading(request, "model_calls"):
            calls = filtered(ModelCallFilter, request, _visible_calls(person))
        pieces = (
            audit_export.csv(calls)
            if wanted == "csv"
            else _content(request, wanted, calls, person, kept_sizes)
        )
        response = StreamingHttpResponse(_Begun(pieces), content_type=_MEDIA_TYPES[wanted])
        day = bootstrap.SystemClock().now().date().isoformat()
        response["Content-Disposition"] = f'attachment; filename="verbatim-audit-{day}.{_ENDINGS[wanted]}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


def _visible_calls(person: User) -> QuerySet[Any]:
    return model_calls.list_model_calls(owner_id=None if person.is_auditor or person.is_staff else person.pk)


def _content(
    request: Request, wanted: str, calls: QuerySet[Any], person: User, kept_sizes: Sequence[int]
) -> Iterator[bytes]:
    with ExitStack() as stack:
        try:
            snapshot = stack.enter_context(audit_export.open_export(calls, kept_sizes=kept_sizes))
        except NothingToExport as error:
            raise NotRecordedYet(str(error)) from error
        record_foreign_reading(person, [owner for owner in snapshot.owner_ids() if owner != person.pk])
        yield from _pieces(request, wanted, snapshot)


def _pieces(request: Request, wanted: str, snapshot: ExportSnapshot) -> Iterator[bytes]:
    if wanted == "jsonl":
        return audit_export.jsonl(snapshot)
    picked = {name: str(value) for name, value in request.query_params.items() if name not in _NOT_FILTERS}
    return audit_export.bundle(snapshot, picked=picked, at=bootstrap.SystemClock().now())


def record_foreign_reading(reader: User, owner_ids: Sequence[UUID]) -> None:
    """Record, before anything is handed out, that what these people wrote is read by somebody else.

    Raises PermissionDenied where that cannot be done: nobody's words leave without a trace.
    """
    if owner_ids:
        raise PermissionDenied(
            f"This export holds what {len(owner_ids)} other people wrote, and that it is read cannot be recorded here. "
            "Export the csv, which says nothing of what was said, or use `manage.py export_audit` on the machine."
        )


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


class _Begun:
    """Pieces of which the first is there already, so that what goes wrong before it is a proper refusal.

    Closing it, as the server does when the client has gone, gives back the database's connection.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._first: bytes | None = next(pieces, b"")

    def __iter__(self) -> _Begun:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._pieces)

    def close(self) -> None:
        if isinstance(self._pieces, Generator):
            self._pieces.close()
