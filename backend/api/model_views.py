"""Which models there are to talk to, from the configured runner."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api import runner_status
from backend.api.output_serializers import ModelListOutput
from backend.api.read_side import AFTER_PARAMETER, QUERY_REFUSALS, after_position
from backend.api.runner_status import RunnerStatus
from backend.application.runner_port import RunnerModel

_NAMES: Final = {"smollm2-135m-instruct": "SmolLM2 135M"}


class ModelListView(APIView):
    @extend_schema(
        operation_id="list_models",
        parameters=[AFTER_PARAMETER],
        responses={200: ModelListOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """The models of the configured runner, and whether it can be reached; if not, why not."""
        after_position(request)
        position = bootstrap.event_store().end()
        status = runner_status.current()
        models = _with_the_configured_one(status.models)
        if status.reachable and models:
            # Conversations of an installation without MODEL_RUNNER_MODEL begin with this one.
            bootstrap.remember_first_model(models[0].id)
            bootstrap.models_seen().remember_listed(status.name, models)
        chosen = settings.MODEL_RUNNER_MODEL or (models[0].id if models else None)
        return Response(
            {
                "results": [_model(model, status, is_default=model.id == chosen) for model in models],
                "runners": [
                    {
                        "name": status.name,
                        "url": status.url,
                        "kind": status.kind,
                        "reachable": status.reachable,
                        "error": status.error,
                    }
                ],
                "position": str(position),
            }
        )


def _with_the_configured_one(models: tuple[RunnerModel, ...]) -> tuple[RunnerModel, ...]:
    """The installation's own choice comes even where the runner does not list it, or cannot be asked."""
    configured = settings.MODEL_RUNNER_MODEL
    if not configured or any(model.id == configured for model in models):
        return models
    return (RunnerModel(configured, demonstration=settings.MODEL_RUNNER_IS_BUILT_IN), *models)


def _model(model: RunnerModel, status: RunnerStatus, *, is_default: bool) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": _NAMES.get(model.id, model.id.rpartition("/")[2] or model.id),
        "runner": status.name,
        "context_tokens": model.context_tokens,
        "reachable": status.reachable,
        "demonstration": model.demonstration,
        "default": is_default,
    }
