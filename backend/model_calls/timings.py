"""How long things may take in a model-call worker. Tests shorten them; the product uses these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerTimings:
    """All in seconds, except retry_pace, and stream_limit: how many replies one worker writes at the same time.

    lease_s: a worker silent for longer is dead. stop_grace_s: what running replies get to finish when
    the worker is told to stop; stop_limit_s: what recording the rest may take after that. retry_pace: 1 for the
    pauses of retrying.py, less for shorter ones. reconnect_longest_s: short, because until the worker has reached the
    database again, text that the database forgot in a crash is in its memory alone.
    """

    heartbeat_s: float = 2.0
    lease_s: float = 10.0
    sweep_s: float = 1.0
    stop_grace_s: float = 3.0
    stop_limit_s: float = 4.0
    reconnect_first_s: float = 0.1
    reconnect_longest_s: float = 0.5
    chunks_kept_s: float = 600.0
    stream_limit: int = 256
    retry_pace: float = 1.0
