"""What goes wrong under /v1, in OpenAI's shape and with the status its clients expect. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain import outcomes
from backend.model_calls.live_reply import Ending

INVALID: Final = "invalid_request_error"
AUTHENTICATION: Final = "authentication_error"
RATE: Final = "rate_limit_error"
SERVER: Final = "server_error"

DO_NOT_REPEAT: Final = {"X-Should-Retry": "false"}
"""Read by the official clients, which would repeat most failures by themselves: here something was generated already."""
RETRY_AFTER: Final = {"Retry-After": "2"}


@dataclass
class OpenAIError(Exception):
    """A request that is answered with an error. param: the field it is about. headers: of the answer."""

    status: int
    message: str
    code: str | None
    type: str = INVALID
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def body_bytes(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "replace")


def invalid(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400
) -> OpenAIError:
    return OpenAIError(status, message, code, INVALID, param)


def not_authenticated(message: str) -> OpenAIError:
    headers = {"WWW-Authenticate": "Bearer"}
    return OpenAIError(401, message, "invalid_api_key", AUTHENTICATION, headers=headers)


def unknown_model(model: str, known: list[str]) -> OpenAIError:
    listed = ", ".join(sorted(known)[:20]) or "none"
    return invalid(
        f"The model {model[:200]!r} does not exist here. Models that do: {listed}. GET /v1/models lists them.",
        param="model",
        code="model_not_found",
        status=404,
    )


def too_many_calls() -> OpenAIError:
    return OpenAIError(
        429,
        "Too many calls are being carried out at the same time. Wait a moment, then ask again.",
        "rate_limit_exceeded",
        RATE,
        headers=RETRY_AFTER,
    )


def too_many_requests(wait_s: float) -> OpenAIError:
    return OpenAIError(
        429,
        "This account has asked for more at a time than this installation allows. No model was asked; wait, then ask again.",
        "rate_limit_exceeded",
        RATE,
        headers={"Retry-After": str(math.ceil(wait_s))},
    )


def not_recordable() -> OpenAIError:
    return OpenAIError(
        503,
        "The database does not answer at the moment, so the call could not be recorded and was not made. "
        "Ask again in a few seconds.",
        "database_unavailable",
        SERVER,
        headers=RETRY_AFTER,
    )


def unexpected() -> OpenAIError:
    return OpenAIError(
        500,
        "Something went wrong on our side. It is in the server's log; ask again later.",
        "internal_error",
        SERVER,
        headers=DO_NOT_REPEAT,
    )


def not_recorded() -> OpenAIError:
    return OpenAIError(
        500,
        "This process lost its hold on the call, so its end is recorded by another one, as interrupted.",
        "interrupted",
        SERVER,
        headers=DO_NOT_REPEAT,
    )


def error_of_ending(ending: Ending, *, had_token: bool) -> OpenAIError | None:
    """How a call that did not come to its end is told; None for one that did.

    had_token: something had been generated, so that asking again would repeat it.
    """
    if ending.outcome in {outcomes.COMPLETE, outcomes.TRUNCATED}:
        return None
    if ending.call_error is None:
        return OpenAIError(
            400,
            "The call was cancelled before the reply had ended.",
            "call_cancelled",
            headers=DO_NOT_REPEAT,
        )
    message, code, status = ending.call_error.message, ending.call_error.code, ending.call_error.http_status
    match code:
        case "context_overflow":
            return invalid(message, param="messages", code="context_length_exceeded")
        case "access_ended":
            return not_authenticated(message)
        case "model_not_found":
            return invalid(message, param="model", code="model_not_found", status=404)
        case "runner_refused" if status in {400, 413, 422}:
            return invalid(message, code=code, status=status)
        case "runner_busy":
            return OpenAIError(429, message, "rate_limit_exceeded", RATE, headers=RETRY_AFTER)
        case "first_token_timeout" | "stream_silent":
            return OpenAIError(504, message, code, SERVER, headers=DO_NOT_REPEAT)
        case "runner_unreachable" | "runner_loading" | "runner_not_configured" | "worker_stopped" if (
            not had_token
        ):
            return OpenAIError(503, message, code, SERVER, headers=RETRY_AFTER)
        case _:
            headers = RETRY_AFTER if ending.safe_to_retry else DO_NOT_REPEAT
            return OpenAIError(502, message, code, SERVER, headers=headers)
