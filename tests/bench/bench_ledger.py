"""How long a page (50 rows) of the ledger takes among 100,000 calls, however it is filtered and sorted.

Run by `make bench`. The rows are put into the read table by SQL: 40 people, 12 models, two years. An administrator asks
for all of them, over HTTP, on the whole product. The floor is GET /healthz in the same run. Also shown is whether
PostgreSQL finds each page by an index. LEDGER_BENCH=1000000 takes more calls.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.api_client import ApiClient
from tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from django.test import Client

CALLS = int(os.environ.get("LEDGER_BENCH", "100000"))
REPEATS = 40
GOAL_MS = 50

# Texts as large as real rows have: three events, one attempt, a digest.
FILL = """
INSERT INTO read_model_calls (
    id, owner_id, conversation_id, reply_id, version, purpose, source, runner, model, params, leaf_id,
    conversation_version, builder, serializer, trimming, body_sha256, body_length, requested_at, started_at, ended_at,
    outcome, cancel_requested, attempts, prompt_tokens, completion_tokens, usage_source, duration_ms, first_token_ms,
    chunk_count, delivered_characters, finish_reason, response_id, response_model, system_fingerprint, error, events)
SELECT gen_random_uuid(), ('00000000-0000-4000-8000-' || lpad((n %% 40)::text, 12, '0'))::uuid,
    ('c0000000-0000-4000-8000-' || lpad((n %% (%(calls)s / 20))::text, 12, '0'))::uuid, gen_random_uuid(), 3,
    CASE WHEN n %% 20 = 0 THEN 'title' WHEN n %% 500 = 1 THEN 'replay' WHEN n %% 10 = 2 THEN 'external' ELSE 'reply' END,
    CASE WHEN n %% 10 = 2 THEN 'openai' WHEN n %% 7 = 0 THEN 'api' ELSE 'browser' END,
    CASE WHEN n %% 3 = 0 THEN 'gpu-box' ELSE 'built-in' END,
    'model-' || CASE WHEN n %% 25000 = 7 THEN 'seldom' ELSE (n %% 11)::text END,
    '{"temperature": "0.7", "max_tokens": "1024"}', gen_random_uuid(), 12, 'chat/1', 'jcs-rfc8785/1', NULL,
    repeat('ab', 32), 4000 + n %% 9000, moment, moment, moment + interval '3 seconds', outcome, false,
    jsonb_build_array(jsonb_build_object('attempt', 1, 'runner', 'built-in', 'worker', repeat('w', 40),
        'started_at', moment, 'ended_at', moment, 'outcome', outcome, 'duration_ms', 3000)),
    CASE WHEN outcome = 'complete' THEN hashint4(n) & 4095 END, CASE WHEN outcome = 'complete' THEN hashint4(-n) & 1023 END,
    'runner', CASE WHEN outcome <> 'pending' THEN hashint4(n + 1) & 65535 END,
    CASE WHEN outcome = 'complete' THEN hashint4(n + 2) & 2047 END, 80, 400, 'stop', 'chatcmpl-' || n, 'model', NULL,
    NULL, jsonb_build_array(
        jsonb_build_object('version', 1, 'topic', 'ModelCallRequested.v2', 'position', 3 * n, 'at', moment),
        jsonb_build_object('version', 2, 'topic', 'ModelCallStarted.v1', 'position', 3 * n + 1, 'at', moment),
        jsonb_build_object('version', 3, 'topic', 'ModelCallCompleted.v1', 'position', 3 * n + 2, 'at', moment))
FROM (
    SELECT n, now() - (%(calls)s - n) * (interval '730 days' / %(calls)s) AS moment,
        CASE WHEN n %% 30000 = 9 THEN 'interrupted' WHEN n %% 200 = 3 THEN 'failed' WHEN n %% 90 = 5 THEN 'cancelled'
            WHEN n %% 25 = 4 THEN 'truncated' ELSE 'complete' END AS outcome
    FROM generate_series(1, %(calls)s) AS n
) AS calls
"""

OWNER = "00000000-0000-4000-8000-000000000007"
CONVERSATION = "c0000000-0000-4000-8000-000000000007"

PAGES: dict[str, dict[str, str]] = {
    "the newest": {},
    "one person's": {"user": OWNER},
    "one conversation's": {"conversation": CONVERSATION},
    "failed": {"outcome": "failed"},
    "interrupted (4 in 100,000)": {"outcome": "interrupted"},
    "one person's interrupted": {"user": OWNER, "outcome": "interrupted"},
    "pending (none)": {"outcome": "pending"},
    "a model that is seldom used": {"model": "model-seldom"},
    "a model that there is not": {"model": "no-such-model"},
    "one runner's, by programs": {"runner": "gpu-box", "source": "openai"},
    "replays that were cut short": {"purpose": "replay", "outcome": "truncated"},
    "slow ones": {"duration_ms_min": "65500"},
    "none is so slow": {"duration_ms_min": "70000"},
    "a late first token": {"first_token_ms_min": "2040", "first_token_ms_max": "2047"},
    "between two token counts": {"prompt_tokens_min": "4000", "completion_tokens_max": "5"},
    "a week last year": {"created_after": "-370", "created_before": "-363"},
    "failed, a week last year": {"outcome": "failed", "created_after": "-370", "created_before": "-363"},
    "slowest first": {"ordering": "-duration_ms"},
    "quickest first": {"ordering": "duration_ms"},
    "most tokens first, one model": {"ordering": "-prompt_tokens", "model": "model-3"},
    "latest first token, failed": {"ordering": "-first_token_ms", "outcome": "failed"},
    "fewest tokens out, interrupted": {"ordering": "completion_tokens", "outcome": "interrupted"},
    "oldest first": {"ordering": "requested_at"},
}


def main() -> int:
    with running_stack() as stack, ApiClient(stack.url) as person:
        person.sign_up()
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute(FILL, {"calls": CALLS})
            connection.execute("VACUUM ANALYZE read_model_calls")
            table, indexes = _sizes(connection)
            print(f"{CALLS:,} calls: table {table / 2**20:.0f} MB, indexes {indexes / 2**20:.0f} MB")
            plans = Plans(stack, person.email)
            measure("GET /healthz (floor)", lambda: person.http.get("/healthz"))
            measure("GET /api/me/ (who asks)", lambda: person.get("/api/me/"))
            worst = 0.0
            for name, asked in PAGES.items():
                worst = max(worst, page(person, plans, name, asked))
            for pages in (1, 40):
                deep = deep_page(person, pages)
                worst = max(worst, measure(f"page {pages + 1}", lambda: fetch(person, deep)))  # noqa: B023  called at once
            measure("200 rows at once", lambda: fetch(person, path_of({"limit": "200"})))
    print(f"the slowest page: p95 {worst:.1f} ms   goal <= {GOAL_MS} ms")
    return 0 if worst <= GOAL_MS else 1


def page(person: ApiClient, plans: Plans, name: str, asked: dict[str, str]) -> float:
    path = path_of(asked)
    rows = len(fetch(person, path)["results"])
    return measure(f"{name} ({rows} rows)", lambda: fetch(person, path), note=plans.of(path))


def path_of(asked: dict[str, str]) -> str:
    """The address of a page; days before now become moments."""
    now = datetime.now(UTC)
    return "/api/model-calls/?" + urlencode(
        {
            name: (now + timedelta(days=int(value))).isoformat() if name.startswith("created_") else value
            for name, value in asked.items()
        }
    )


def fetch(person: ApiClient, path: str) -> Any:
    response = person.http.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def deep_page(person: ApiClient, pages: int) -> str:
    path = path_of({})
    for _ in range(pages):
        path = fetch(person, path)["next"]
    return path


def measure(name: str, ask: Callable[[], object], *, note: str = "") -> float:
    """Print p50 and p95 in milliseconds; returns p95."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    ordered = sorted(times)
    p95 = ordered[int(REPEATS * 0.95)]
    print(f"{name:<44} p50 {statistics.median(times):6.1f} ms   p95 {p95:6.1f} ms   {note}")
    return p95


class Plans:
    """How PostgreSQL finds a page: the same request once more in this process, and its query explained."""

    def __init__(self, stack: Stack, email: str) -> None:
        os.environ.update(
            DATABASE_URL=stack.database_url,
            DATA_DIR=str(stack.data_dir),
            SECRET_KEY="only-for-measurements-" + "x" * 40,
            DJANGO_SETTINGS_MODULE="backend.config.settings",
        )
        import django

        django.setup()
        from django.contrib.auth import get_user_model
        from django.test import Client

        self._client = Client(SERVER_NAME="localhost")
        self._client.force_login(
            get_user_model()._default_manager.get(email=email),
            backend="allauth.account.auth_backends.AuthenticationBackend",
        )

    def of(self, path: str) -> str:
        """The index that is used, or `the whole table`."""
        return plan_of(self._client, path)


def plan_of(client: Client, path: str) -> str:
    """The index by which this page of the ledger is found, or `the whole table`."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        response = client.get(path)
    assert response.status_code == 200, response.content
    [sql] = [query["sql"] for query in asked if 'FROM "read_model_calls"' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    if "Seq Scan" in plan:
        return "the whole table"
    return ", ".join(sorted(set(re.findall(r"\bread_model_calls_(\w+)", plan)))) or plan


def _sizes(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[int, int]:
    row = connection.execute(
        "SELECT pg_table_size('read_model_calls'), pg_indexes_size('read_model_calls')"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


if __name__ == "__main__":
    sys.exit(main())
