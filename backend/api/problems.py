"""One shape for every error of the interface: application/problem+json (RFC 9457) with a stable code."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.db import InterfaceError as DjangoInterfaceError
from django.db import OperationalError as DjangoOperationalError
from django.http import Http404, HttpRequest, HttpResponse
from eventsourcing.persistence import InterfaceError as StoreInterfaceError
from eventsourcing.persistence import OperationalError as StoreOperationalError
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from backend.accounts.people import NotAnAdministrator
from backend.domain import errors
from backend.event_store.codec import UnreadableEvent
from backend.transparency.hashes import LogIncomplete
from backend.transparency.log import NotInLog
from backend.transparency.signing import LogContradicted

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

_STATUS_OF_REFUSAL: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.IdempotencyKeyReused, 422),
    (NotAnAdministrator, 403),
)
_DATABASE_AWAY = (
    StoreOperationalError,
    StoreInterfaceError,
    DjangoOperationalError,
    DjangoInterfaceError,
    psycopg.OperationalError,
    PoolTimeout,
)


class ProblemResponse(Response):
    """A response whose body is a problem; the framework renders it as JSON under its own media type."""

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            data=body, status=body["status"], headers=dict(headers or {}), content_type=CONTENT_TYPE
        )

    @property
    def rendered_content(self) -> Any:
        """JSON also where the answer itself would have been something else: the description is YAML."""
        self["Content-Type"] = CONTENT_TYPE
        return JSONRenderer().render(self.data)


def problem_body(
    status: int, code: str, detail: str, fields: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """The JSON of a problem. `errors` is there only for refusals that name a field."""
    body: dict[str, Any] = {
        "type": f"urn:verbatim:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if fields:
        body["errors"] = dict(fields)
    return body


def plain_problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A problem outside the framework's views: middleware, unknown paths, the live stream."""
    response = HttpResponse(
        json.dumps(problem_body(status, code, detail)), status=status, content_type=CONTENT_TYPE
    )
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """What a view raised, as a problem. Unexpected errors are logged and told without details."""
    match error:
        case errors.DomainError():
            status = next((s for kind, s in _STATUS_OF_REFUSAL if isinstance(error, kind)), 400)
            return ProblemResponse(problem_body(status, error.code, str(error), error.fields))
        case exceptions.APIException():
            return _framework_problem(error)
        case Http404():
            return ProblemResponse(problem_body(404, "not_found", "There is nothing at this address."))
        case PermissionDenied():
            return ProblemResponse(
                problem_body(403, "permission_denied", str(error) or "You may not do this.")
            )
        case RequestDataTooBig():
            return ProblemResponse(too_large())
        case _ if isinstance(error, _DATABASE_AWAY):
            logger.warning("The database did not answer: %s", error)
            return ProblemResponse(database_away(), {"Retry-After": str(RETRY_AFTER_SECONDS)})
        case UnreadableEvent() | LogIncomplete() | LogContradicted() | NotInLog():
            logger.error("The record was changed behind our back: %s", error)
            return ProblemResponse(record_damaged())
        case _:
            logger.error("A request failed unexpectedly.", exc_info=error)
            return ProblemResponse(unexpected())


def too_large() -> dict[str, Any]:
    return problem_body(413, "request_too_large", "The request is larger than 1 MB. Send a smaller one.")


def database_away() -> dict[str, Any]:
    return problem_body(
        503, "database_unavailable", "The database does not answer at the moment. Try again in a few seconds."
    )


def record_damaged() -> dict[str, Any]:
    """What exactly is in the log, for those who may look; it may hold words of somebody."""
    return problem_body(
        500,
        "record_damaged",
        "What was recorded here has been changed in the database, so it cannot be shown or proven. "
        "Ask an administrator to run `make verify`, which names every event that is not as it was.",
    )


def unexpected() -> dict[str, Any]:
    return problem_body(
        500, "internal_error", "Something went wrong on our side. It is in the server's log; try again later."
    )


def _framework_problem(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if retry_after := getattr(error, "retry_after_seconds", None):
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, exceptions.ValidationError):
        fields = dict(_field_errors(error.detail))
        first = next(iter(fields.items()), None)
        detail = f"{first[0]}: {first[1][0]}" if first else "The request does not fit."
        return ProblemResponse(problem_body(error.status_code, "invalid_input", detail, fields), headers)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return ProblemResponse(problem_body(error.status_code, code, str(error.detail)), headers)


def _field_errors(detail: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Field names, dotted where nested, with what is wrong with each."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _field_errors(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        for place, inner in enumerate(detail):
            if inner:
                yield from _field_errors(inner, f"{path}.{place}" if path else str(place))
    else:
        texts = detail if isinstance(detail, list) else [detail]
        yield path or "non_field_errors", [str(text) for text in texts]


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's own CSRF check failed, outside the framework's views (allauth's paths)."""
    return plain_problem(
        403,
        "csrf_failed",
        "The CSRF token is missing or wrong. Fetch /_allauth/browser/v1/config and send the request again.",
    )


def unknown_path(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain_problem(404, "not_found", "There is nothing at this address.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Refused outside the framework's views: by the sign-up policy, for instance."""
    return plain_problem(403, "permission_denied", str(exception or "") or "You may not do this.")


def server_error(request: HttpRequest) -> HttpResponse:
    """An error outside the framework's views. Django calls this while it still handles the exception."""
    if isinstance(sys.exception(), _DATABASE_AWAY):
        body = database_away()
        return plain_problem(503, body["code"], body["detail"], {"Retry-After": str(RETRY_AFTER_SECONDS)})
    body = unexpected()
    return plain_problem(500, body["code"], body["detail"])


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that Django itself does not take: too large, or for another host."""
    match exception:
        case RequestDataTooBig():
            body = too_large()
            return plain_problem(413, body["code"], body["detail"])
        case DisallowedHost():
            return plain_problem(
                400,
                "host_not_allowed",
                "This installation does not answer to the name in the address. Use one that it knows, or add the "
                "name to ALLOWED_HOSTS and start it again.",
            )
        case _:
            return plain_problem(400, "bad_request", "The request cannot be understood.")
