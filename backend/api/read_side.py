"""What every query shares: `?after=`, one moment for rows and position, pages.

A query waits until its read model has passed the position asked for, then reads rows and position in
one snapshot. It never writes and never looks into the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from backend.api.live_frames import LARGEST_POSITION
from backend.api.serializers import refusal
from projections import tracking

AFTER_TIMEOUT_S: Final = 2.0
RETRY_AFTER_S: Final = 1

AFTER_PARAMETER = OpenApiParameter(
    "after",
    str,
    description="A position from an earlier answer: wait until what is read has passed it, at most 2 seconds.",
)
QUERY_REFUSALS = {
    **refusal(400, "A parameter does not fit; `errors` names it."),
    **refusal(401, "Not logged in."),
    **refusal(503, "The read model is behind or being rebuilt; see Retry-After."),
}
NOT_FOUND_REFUSAL = refusal(404, "There is no such thing, or it is somebody else's.")


class ReadModelUnavailable(APIException):
    """503 with Retry-After: asking again in a moment is the right thing to do."""

    status_code = 503
    default_code = "read_model_behind"
    wait = RETRY_AFTER_S


def parse_position(text: str, *, field: str) -> int:
    """A position as an answer gave it. Raises ValidationError naming the field."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > LARGEST_POSITION:
        raise ValidationError({field: ["This is no position. Give the `position` of an earlier answer."]})
    return int(text)


def after_position(request: Request) -> int | None:
    """The position in `?after=`, or None. Raises ValidationError."""
    text = request.query_params.get("after")
    return None if text is None else parse_position(text, field="after")


@contextmanager
def reading(request: Request, read_model: str) -> Iterator[tracking.Snapshot]:
    """One moment of a read model, not older than `?after=`. Raises ReadModelUnavailable."""
    after = after_position(request)
    if after is not None and not tracking.wait_until(read_model, after, timeout_s=AFTER_TIMEOUT_S):
        raise ReadModelUnavailable(
            f"The read model {read_model} has not reached position {after} within {AFTER_TIMEOUT_S:.0f} seconds. "
            "Ask again in a moment.",
            code="read_model_behind",
        )
    try:
        with tracking.snapshot(read_model) as snapshot:
            yield snapshot
    except tracking.Rebuilding as error:
        raise ReadModelUnavailable(
            f"The read model {read_model} is being rebuilt. Ask again in a moment.",
            code="read_model_rebuilding",
        ) from error


def whole_number_parameter(name: str, low: int, high: int, description: str) -> OpenApiParameter:
    """How `whole_number`, read with the same limits, is described."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return OpenApiParameter(name, schema, description=description)


def whole_number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    """A whole number from the query string. Raises ValidationError naming the parameter."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high:
        return int(text)
    raise ValidationError({name: [f"Expected a whole number from {low} to {high}, found {text[:40]!r}."]})


def address_with(request: Request, **changes: Any) -> str:
    """This request's own address with some parameters replaced, or left out where None."""
    parameters = request.query_params.copy()
    for name, value in changes.items():
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    query = parameters.urlencode()
    return request.build_absolute_uri(f"{request.path}?{query}" if query else request.path)
