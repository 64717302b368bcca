"""A conversation as a file to keep: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from backend import bootstrap
from backend.api.asking import id_of_asking
from backend.api.read_side import NOT_FOUND_REFUSAL
from backend.api.serializers import refusal
from backend.application.export import as_json, as_markdown, exported

_REFUSALS = {**refusal(401, "Not logged in."), **NOT_FOUND_REFUSAL}


class _FileView(APIView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Whatever is accepted, the file is what it is; only a problem is rendered, and only as JSON."""
        return super().perform_content_negotiation(request, force=True)


class ExportMarkdownView(_FileView):
    @extend_schema(
        operation_id="export_markdown",
        responses={
            (200, "text/markdown"): OpenApiResponse(
                OpenApiTypes.STR, "All branches, the selected one first."
            ),
            **_REFUSALS,
        },
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        """The whole conversation as Markdown, to download."""
        export = exported(bootstrap.event_store(), conversation_id, id_of_asking(request))
        return _file(as_markdown(export), "text/markdown", f"{export.file_name}.md")


class ExportJsonView(_FileView):
    @extend_schema(
        operation_id="export_json",
        responses={
            (200, "application/json"): OpenApiResponse(
                OpenApiTypes.OBJECT,
                "Format verbatim-conversation/1: settings as they changed, every message.",
            ),
            **_REFUSALS,
        },
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        """The whole conversation as JSON, to download."""
        export = exported(bootstrap.event_store(), conversation_id, id_of_asking(request))
        text = json.dumps(as_json(export), ensure_ascii=False, indent=1)
        return _file(text + "\n", "application/json", f"{export.file_name}.json")


def _file(text: str, media_type: str, name: str) -> HttpResponse:
    # What a model writes may hold half of a character, which no file can.
    body = text.encode("utf-8", "replace")
    response = HttpResponse(body, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
