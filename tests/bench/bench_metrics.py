"""How long a look at /metrics takes among 100,000 calls, and what counting costs each request.

Run by `make bench`. The calls are those of bench_ledger.py, put into the read tables by SQL; /metrics is asked for over HTTP, on
the whole product. Also shown is how long an upgrade needs to count the calls that are there. LEDGER_BENCH=1000000 takes more.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_ledger import CALLS, FILL, GOAL_MS, measure
from tests.support.stack import running_stack

TIMES = 20_000
GOAL_US = 50


def main() -> int:
    with running_stack() as stack, httpx.Client(base_url=stack.url) as prometheus:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute(FILL, {"calls": CALLS})
            began = time.perf_counter()
            connection.execute(import_module("projections.migrations.0007_call_figures").FILL)
            print(f"{CALLS:,} calls, counted by the upgrade in {time.perf_counter() - began:.1f} s")
        measure("GET /healthz (floor)", lambda: prometheus.get("/healthz"))
        text = prometheus.get("/metrics").text
        assert "verbatim_up 1.0" in text, text
        assert "verbatim_first_token_seconds_bucket" in text, text
        look = measure(f"GET /metrics ({len(text) / 1000:.0f} kB)", lambda: prometheus.get("/metrics"))
    request = asyncio.run(cost_of_counting())
    print(f"a look: p95 {look:.1f} ms   goal <= {GOAL_MS} ms")
    print(f"counting a request: {request:.1f} µs   goal <= {GOAL_US} µs")
    return 0 if look <= GOAL_MS and request <= GOAL_US else 1


async def cost_of_counting() -> float:
    """Microseconds that a request takes longer because it is counted."""
    os.environ.update(DJANGO_SETTINGS_MODULE="backend.config.settings", VERBATIM_WITHOUT_DATABASE="1")
    import django

    django.setup()
    from backend.api.metrics.requests import counted

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nowhere(message: Any) -> None:
        """A server that answers in no time."""

    async def receive() -> None:
        """Nothing to be had."""

    took = []
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
    for application in (answer, counted(answer)):
        await application(scope, receive, nowhere)
        began = time.perf_counter()
        for _ in range(TIMES):
            await application(scope, receive, nowhere)
        took.append((time.perf_counter() - began) / TIMES * 1_000_000)
    return took[1] - took[0]


if __name__ == "__main__":
    sys.exit(main())
