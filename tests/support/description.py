"""The description of the interface, docs/openapi.yaml, and what an answer has that it does not tell of.

Schemathesis reads both. Nothing here makes requests.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DESCRIPTION: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
_CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@cache
def operations() -> dict[str, Any]:
    """By method and address, as in `PATCH /api/presets/{preset_id}/`."""
    found = {}
    for result in schemathesis.openapi.from_path(DESCRIPTION).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        found[operation.label] = operation
    return found


def undescribed(case: Any, answer: Any) -> list[tuple[str, str]]:
    """(kind, all about it) of each thing that the description does not tell of. answer: of requests or httpx, read."""
    try:
        case.validate_response(answer, checks=_CHECKS)
    except FailureGroup as failures:
        return [
            (f"{case.operation.label}: {type(failure).__name__}, {answer.status_code}", str(failure))
            for failure in failures.exceptions
        ]
    return []
