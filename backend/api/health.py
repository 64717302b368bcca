"""Whether this installation is alive, and whether it is ready: `/healthz` and `/readyz`.

For supervisors and load balancers, so both answer quickly, without a login, and say nothing of content.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC
from typing import Any, Final

import psycopg
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from eventsourcing.persistence import PersistenceError

from backend import bootstrap
from backend.api import runner_status
from backend.api.runner_status import RunnerStatus
from backend.bootstrap.database_rights import warn_of_rights
from backend.model_calls.queue_figures import workers_alive
from backend.model_runner.runner_settings import RunnerSettings
from backend.transparency.reading import log_standing
from projections import tracking
from projections.position_table import STOPPED

CONNECT_TIMEOUT_S: Final = 2
HEARTBEAT_LIMIT_S: Final = 10

_migrated = False


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers. Nothing else is looked at."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when messages are accepted, answered and shown; otherwise 503, and which part is missing.

    The runner is reported, but an installation without one is still ready: it accepts messages, and
    says on each reply what is wrong.
    """
    parts, ready = _parts()
    parts["runner"] = _runner()
    body = {"status": "ready" if ready else "not ready", "parts": parts}
    response = JsonResponse(body, status=200 if ready else 503)
    response["Cache-Control"] = "no-store"
    if not ready:
        response["Retry-After"] = "1"
    return response


def _parts() -> tuple[dict[str, Any], bool]:
    try:
        # Pools wait for a database that is away; a connection of one's own says so at once.
        own = psycopg.connect(bootstrap.database_url(), connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
    except psycopg.Error:
        return {"database": {"state": "unreachable"}}, False
    with closing(own):
        return _parts_of(own)


def _parts_of(own: psycopg.Connection[Any]) -> tuple[dict[str, Any], bool]:
    parts: dict[str, Any] = {"database": {"state": "ok"}}
    try:
        pending = _pending_migrations()
        parts["migrations"] = {"state": "pending" if pending else "applied", "pending": pending}
        if pending:
            return parts, False
        end = bootstrap.event_store().end()
        parts["event_store"] = {"state": "ok", "position": str(end)}
        worker_active = tracking.worker_is_active()
        statuses = tracking.statuses()
        parts["projections"] = {
            status.name: {
                "position": str(status.position),
                "lag": max(0, end - status.position),
                "state": status.state if worker_active else "no worker",
            }
            for status in statuses
        }
        parts["log"] = _log(own, end, worker_active)
        behind = any(status.state == STOPPED and status.position < end for status in statuses)
        alive = workers_alive(own, HEARTBEAT_LIMIT_S)
        parts["model_calls"] = {"state": "ok" if alive else "no worker", "workers_alive": alive}
    except (DatabaseError, PersistenceError, psycopg.Error):
        parts["database"] = {"state": "unreachable"}
        return parts, False
    return parts, worker_active and not behind and alive > 0


def _log(own: psycopg.Connection[Any], end: int, worker_active: bool) -> dict[str, Any]:
    """Of the transparency log, which the projection worker keeps. However late it is, messages are answered."""
    standing = log_standing(own)
    signed_at = standing.checkpoint_at
    return {
        "position": str(standing.position),
        "lag": max(0, end - standing.position),
        "state": "running" if worker_active else "no worker",
        "checkpoint_at": signed_at and signed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


def _pending_migrations() -> int:
    """How many are missing; once all are there, that is not looked up again, nor what the role may do with the tables."""
    global _migrated
    if _migrated:
        return 0
    executor = MigrationExecutor(connection)
    pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    _migrated = pending == 0
    if _migrated:
        warn_of_rights(bootstrap.database_url())
    return pending


def _runner() -> dict[str, Any]:
    """Of the first runner, the one that conversations begin with; `others` by name."""
    statuses = {status.runner.name: status for status in runner_status.last_known()}
    first, *others = bootstrap.runners().all
    told = _state_of(first, statuses.get(first.name))
    return {
        **told,
        "others": {runner.name: _state_of(runner, statuses.get(runner.name)) for runner in others},
    }


def _state_of(runner: RunnerSettings, status: RunnerStatus | None) -> dict[str, Any]:
    if status is None:
        return {"state": "unknown", "kind": runner.kind}
    state = "reachable" if status.reachable else "unreachable"
    return {"state": state, "kind": runner.kind, "error": status.error, "models": len(status.models)}
