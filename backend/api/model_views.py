"""Which models there are to talk to, from all configured runners."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.api import runner_status
from backend.api.model_outputs import ModelListOutput
from backend.api.read_side import AFTER_PARAMETER, QUERY_REFUSALS, after_position
from backend.api.runner_status import RunnerStatus
from backend.application.runner_port import RunnerModel
from backend.bootstrap.runners import Offer, offers

_NAMES: Final = {"smollm2-135m-instruct": "SmolLM2 135M"}


class ModelListView(APIView):
    @extend_schema(
        operation_id="list_models",
        parameters=[AFTER_PARAMETER],
        responses={200: ModelListOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """The models of all configured runners, and whether each can be reached; if not, why not."""
        after_position(request)
        position = bootstrap.event_store().end()
        statuses = runner_status.current()
        _remember(statuses)
        listed = offers(_with_the_configured_one(statuses))
        default = _default_of(listed)
        by_name = {status.runner.name: status for status in statuses}
        return Response(
            {
                "results": [
                    _model(offer, by_name[offer.runner], is_default=offer is default) for offer in listed
                ],
                "runners": [_runner(status) for status in statuses],
                "position": str(position),
            }
        )


def _remember(statuses: tuple[RunnerStatus, ...]) -> None:
    """Keep what was told for commands, which never ask a runner."""
    for status in statuses:
        if status.reachable:
            bootstrap.models_seen().remember_listed(status.runner.name, status.models)
    first = statuses[0]
    if first.reachable and first.models:
        # Conversations of an installation without MODEL_RUNNER_MODEL begin with this one.
        bootstrap.remember_first_model(first.models[0].id)


def _with_the_configured_one(statuses: tuple[RunnerStatus, ...]) -> list[tuple[str, tuple[RunnerModel, ...]]]:
    """The installation's own choice comes even where no runner lists it, or none can be asked."""
    listed = [(status.runner.name, status.models) for status in statuses]
    if not settings.MODEL_RUNNER_MODEL or _default_of(offers(listed)) is not None:
        return listed
    configured = bootstrap.runners().choose(settings.MODEL_RUNNER_MODEL)
    own = RunnerModel(configured.model, demonstration=settings.MODEL_RUNNER_IS_BUILT_IN)
    return [(name, (own, *models) if name == configured.name else models) for name, models in listed]


def _default_of(listed: list[Offer]) -> Offer | None:
    """The model of new conversations; the configured one may be named with its runner where its id alone would do."""
    if not settings.MODEL_RUNNER_MODEL:
        return listed[0] if listed else None
    configured = bootstrap.runners().choose(settings.MODEL_RUNNER_MODEL)
    wanted = (configured.name, configured.model)
    return next((offer for offer in listed if (offer.runner, offer.model.id) == wanted), None)


def _model(offer: Offer, status: RunnerStatus, *, is_default: bool) -> dict[str, Any]:
    model = offer.model
    return {
        "id": offer.id,
        "name": _NAMES.get(model.id, model.id.rpartition("/")[2] or model.id),
        "runner": offer.runner,
        "context_tokens": model.context_tokens,
        "size_bytes": model.size_bytes,
        "loaded": model.loaded,
        "reachable": status.reachable,
        "error": model.error,
        "demonstration": model.demonstration,
        "default": is_default,
    }


def _runner(status: RunnerStatus) -> dict[str, Any]:
    runner = status.runner
    return {
        "name": runner.name,
        "url": client_address(runner.url),
        "kind": runner.kind,
        "limit": runner.limit,
        "reachable": status.reachable,
        "error": status.error,
        "models": len(status.models),
    }


def client_address(url: str) -> str:
    """The address without the account that may stand in it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
