"""One line for each request, whichever way it goes through the web process, and an id by which it is found again.

Paths are told without what follows the question mark: what people look for stands there.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from backend.logs.context import Correlation, at_work_on
from backend.logs.format import FIELDS

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER: Final = b"x-request-id"
# Asked for every few seconds, by machines.
OF_MACHINES: Final = ("/healthz", "/readyz", "/metrics")
_TOLD_IN_FULL: Final = ("/api/", "/_allauth/", "/v1/", "/assets/")
_PLAIN_IN_PATHS: Final = "/:@!$&'()*+,;="
_GIVEN_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_UUID: Final = r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
_IN_PATH: Final = (
    ("conversation_id", re.compile(rf"/conversations/{_UUID}")),
    ("call_id", re.compile(rf"/model-calls/{_UUID}")),
)
logger = logging.getLogger(__name__)


def logged(application: Application, *, believes_ids: bool) -> Application:
    """The same application, with a line in the log for each request.

    believes_ids: whether an id that a request brings is taken over, since only a proxy of ours can have written it.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        request_id = (_given(scope) if believes_ids else "") or secrets.token_hex(8)
        with at_work_on(request_id=request_id, **_ids_in(scope["path"])) as correlation:
            await _answer(application, scope, receive, send, correlation)

    return wrapped


async def _answer(
    application: Application, scope: Scope, receive: Receive, send: Send, correlation: Correlation
) -> None:
    began = time.perf_counter()
    status = 0

    async def noting(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            message = {**message, "headers": [*message["headers"], (HEADER, correlation.request_id.encode())]}
        await send(message)

    try:
        await application(scope, receive, noting)
    finally:
        fields = {
            "method": scope["method"],
            "path": _shown(scope["path"]),
            "status": status,
            "duration_ms": round((time.perf_counter() - began) * 1000, 1),
        }
        level = logging.DEBUG if scope["path"] in OF_MACHINES else logging.INFO
        logger.log(
            level, "%s %s %s %s ms", *(fields[name] for name in ("method", "path", "status", "duration_ms")),
            extra={FIELDS: fields},
        )  # fmt: skip


class FailuresOnly(logging.Filter):
    """Of what Django says of requests, faults only, and their paths as here: it tells each 5xx with the whole path."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info:
            return False
        if isinstance(record.args, tuple):
            record.args = tuple(
                _shown(each) if isinstance(each, str) and each.startswith("/") else each
                for each in record.args
            )
        return True


def _given(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER and _GIVEN_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return ""


def _shown(path: str) -> str:
    """As it was asked for, in one line; of the pages' own addresses only the beginning: one of them holds the key that
    resets a password."""
    path = quote(path, safe=_PLAIN_IN_PATHS, errors="backslashreplace")
    if path.startswith(_TOLD_IN_FULL):
        return path
    first, _, rest = path.removeprefix("/").partition("/")
    return f"/{first}/..." if rest else path


def _ids_in(path: str) -> dict[str, str]:
    return {name: found[1] for name, pattern in _IN_PATH if (found := pattern.search(path))}
