"""How many calls wait and how many are being carried out, by runner. Only looks."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from backend.model_calls.leases import OF_WEB

_COUNT: Final = """
SELECT coalesce(runner, ''), count(*) FILTER (WHERE claimed_by IS NULL), count(*) FILTER (WHERE claimed_by IS NOT NULL),
    coalesce(extract(epoch FROM clock_timestamp() - min(queued_at) FILTER (WHERE claimed_by IS NULL)), 0)::float8
FROM model_call_queue GROUP BY 1
"""
_WORKERS: Final = (
    "SELECT count(*) FROM model_call_worker"
    " WHERE NOT dead AND heartbeat_at > clock_timestamp() - make_interval(secs => %s) AND NOT starts_with(worker_id, %s)"
)


def queue_figures(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, int, float]]:
    """By runner (empty for calls of a time with one only): waiting, running, seconds that the first has waited."""
    rows = connection.execute(_COUNT).fetchall()
    return {str(runner): (int(waiting), int(running), float(age)) for runner, waiting, running, age in rows}


def workers_alive(connection: psycopg.Connection[Any], silent_s: float) -> int:
    """How many workers that take anybody's calls gave a sign of life within the last seconds."""
    row = connection.execute(_WORKERS, (silent_s, OF_WEB)).fetchone()
    return int(row[0]) if row else 0
