"""`manage.py verify coverage` on PostgreSQL: long histories hold, and what somebody took away is named."""

from __future__ import annotations

from io import StringIO

import psycopg
import pytest
from django.core.management import call_command

from tests.integration.commands.support import Told, remove, store
from tests.integration.projections.stories import put, told_in_memory
from tests.integration.projections.talk import Talk


def verify_coverage() -> Told:
    out, status = StringIO(), 0
    try:
        call_command("verify", "coverage", stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    *lines, summary = out.getvalue().splitlines()
    return Told(status, lines, summary)


def queue_what_is_under_way(database_url: str) -> None:
    """As the appends would have done: histories told in memory have their queue there."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO model_call_queue (call_id, owner_id, queued_at, not_before, priority, claim)"
            " SELECT DISTINCT originator_id, gen_random_uuid(), now(), now(), 0, 0 FROM events AS call"
            " WHERE topic LIKE 'ModelCallRequested.%' AND NOT EXISTS ("
            "   SELECT 1 FROM events AS ended WHERE ended.originator_id = call.originator_id"
            "   AND ended.topic ~ '^ModelCall(Completed|Failed|Cancelled|Interrupted)'"
            "   AND convert_from(ended.state, 'UTF8') LIKE '%\"final\":true%')"
        )


def test_an_empty_store_holds(fresh_database: str) -> None:
    told = verify_coverage()
    assert (told.status, told.lines) == (0, [])
    assert told.summary.startswith("0 calls: 0 attempts (none ended), 0 replies, each has its one end.")


@pytest.mark.parametrize("seed", [3, 5])
def test_long_histories_hold(fresh_database: str, seed: int) -> None:
    put(told_in_memory(seed, steps=1500), fresh_database)
    queue_what_is_under_way(fresh_database)
    told = verify_coverage()
    assert (told.status, told.lines) == (0, [])
    assert "each has its one end" in told.summary


@pytest.mark.parametrize(("topic", "kind"), [("ModelCallStarted", "attempt"), ("ModelCallCompleted", "call")])
def test_an_event_of_a_call_that_was_taken_away_is_found(fresh_database: str, topic: str, kind: str) -> None:
    talk = Talk()
    talk.say("Question")
    talk.reply("Answer")
    store(talk, fresh_database)
    assert verify_coverage().status == 0
    with psycopg.connect(fresh_database) as connection:
        [(stream, version)] = connection.execute(
            "SELECT originator_id, originator_version FROM events WHERE topic LIKE %s", (f"{topic}.%",)
        ).fetchall()
    remove(fresh_database, stream, version)
    told = verify_coverage()
    assert told.status == 1
    assert any(line.startswith(f"{kind}: ") and str(stream) in line for line in told.lines)


def test_a_reply_that_was_taken_away_is_found(fresh_database: str) -> None:
    talk = Talk()
    talk.say("Question")
    talk.reply("Answer")
    store(talk, fresh_database)
    with psycopg.connect(fresh_database) as connection:
        [(stream, version)] = connection.execute(
            "SELECT originator_id, originator_version FROM events WHERE topic LIKE 'ReplyRecorded.%'"
        ).fetchall()
    remove(fresh_database, stream, version)
    [line] = verify_coverage().lines
    assert line.startswith("reply: Reply ")
    assert f"of conversation {stream} was requested, but never recorded" in line
