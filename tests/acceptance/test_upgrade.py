"""A database that an earlier release has written, taken over by this one: all that was said is there, proven, and goes on.

The events in it are as that release wrote them, and the read tables as it made them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.databases import TestServer
from tests.support.stack import Stack, running_stack, wait_until

RELEASES = Path(__file__).parent / "older_releases"
EMAIL = "ann@example.org"
SPOKEN = [
    "Two and two?",
    "Four.",
    "Three times three, are you sure?",
    "Nine, surely.",
    "And then?",
    "Half a",
]


def load(release: str, database_url: str) -> None:
    """What `pg_dump --inserts` has written, without what only psql, or only a newer PostgreSQL, understands."""
    text = gzip.decompress((RELEASES / f"release-{release}.sql.gz").read_bytes()).decode("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("\\", "SET transaction_timeout"))]
    with psycopg.connect(database_url) as connection:
        connection.execute("\n".join(lines).encode())


def read_tables(database_url: str) -> dict[str, list[Json]]:
    """Their rows by table, without what only says how far a row has come, or helps a stream that was cut just now."""
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'read\\_%' ORDER BY 1"
        ).fetchall()
        found = {
            str(name): [
                row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {name} t ORDER BY t::text")
            ]
            for (name,) in names
        }
    for row in found["read_transcript_head"]:
        del row["version"]
    for row in found["read_live_changes"]:
        row["data"].pop("chunk_count", None)
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def call_outcomes(person: ApiClient) -> list[str]:
    calls: list[Json] = person.get("/api/model-calls/", limit=50)["results"]
    return sorted(call["outcome"] for call in calls)


@pytest.fixture(params=["0.2.0"])
def upgraded(
    request: pytest.FixtureRequest, own_runner: ScriptedRunner, test_server: TestServer
) -> Iterator[Stack]:
    """This release, started on the other one's database as an operator does it."""
    with test_server.empty() as database_url:
        load(request.param, database_url)
        with running_stack(
            DATABASE_URL=database_url,
            MODEL_RUNNER_URL=own_runner.url,
            MODEL_RUNNER_MODEL=MODEL_ID,
            TITLES="off",
        ) as stack:
            yield stack


def test_what_an_earlier_release_has_stored_is_there_proven_and_goes_on(
    upgraded: Stack, own_runner: ScriptedRunner
) -> None:
    with ApiClient(upgraded.url) as ann:
        ann.log_in(EMAIL)
        listed = {row["title"]: row for row in ann.get("/api/conversations/")["results"]}
        assert set(listed) == {"Sums", "Sums (fork)"}
        sums = listed["Sums"]["id"]
        rows = ann.transcript(sums)
        assert [row["content"] for row in rows] == SPOKEN
        assert rows[3]["reasoning"] == ""
        assert [row["outcome"] for row in rows if row["role"] == "assistant"] == [
            "complete",
            "complete",
            "interrupted",
        ]
        assert ann.get("/api/search/", q="surely")["results"]
        assert call_outcomes(ann) == ["complete"] * 5 + ["interrupted"]

        as_upgraded = read_tables(upgraded.database_url)
        rebuilt = upgraded.manage("rebuild_projection", "--all")
        assert rebuilt.returncode == 0, rebuilt.stdout
        wait_until(
            lambda: ann.http.get(f"/api/conversations/{sums}/").status_code == 200, "the read tables again"
        )
        assert read_tables(upgraded.database_url) == as_upgraded

        own_runner.play(Script().text("On we go.").complete())
        assert ann.say(sums, "Shall we?")["outcome"] == "complete"
        assert [row["content"] for row in ann.transcript(sums)] == [*SPOKEN, "Shall we?", "On we go."]
    for what in (("prompts", "--all"), ("coverage",), ("log",)):
        told = upgraded.manage("verify", *what)
        assert told.returncode == 0, told.stdout
