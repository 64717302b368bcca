"""Projection workers as processes: killed, cut off, told to stop. The rows are exact whatever happens."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from backend.application.ports import RecordedEvent
from backend.event_store.store import PostgresEventStore
from projections.registry import PROJECTORS
from projections.tracking import position_of, wait_until, worker_is_active
from tests.integration.projections.stories import Story, present_rows, put, rows_from_scratch, told_in_memory
from tests.integration.projections.workers import eventually, worker_process

EVENTS = 2000
KILLS = 5


def put_in_small_commits(events: Sequence[RecordedEvent], database_url: str) -> None:
    for start in range(0, len(events), 12):
        put(events[start : start + 12], database_url)


def has_passed(position: int) -> bool:
    return position_of("transcript") >= position


def test_killing_the_worker_five_times_amid_two_thousand_events_leaves_the_rows_exact(
    fresh_database: str, tmp_path: Path
) -> None:
    events = told_in_memory(seed=11, steps=2500)[:EVENTS]
    assert len(events) == EVENTS
    chance = random.Random(11)
    share = EVENTS // (KILLS + 1)
    reached: list[int] = []

    for kill in range(KILLS):
        mine = events[kill * share : (kill + 1) * share]
        first = put(mine[:1], fresh_database)
        enough = first + chance.randrange(share // 2)
        writer = threading.Thread(target=put_in_small_commits, args=(mine[1:], fresh_database))
        with worker_process(fresh_database, tmp_path / "worker.log") as process:
            eventually(partial(has_passed, first), "the worker works")
            writer.start()
            eventually(partial(has_passed, enough), "the worker is in the middle")
            time.sleep(chance.random() * 0.02)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        writer.join()
        reached.append(position_of("transcript"))

    end = put(events[KILLS * share :], fresh_database)
    assert reached == sorted(set(reached)), "each worker went on from where the one before it had come"
    assert reached[-1] < end
    with worker_process(fresh_database, tmp_path / "worker.log") as process:
        assert all(wait_until(projector.name, end, timeout_s=20) for projector in PROJECTORS)
        process.terminate()
        assert process.wait(10) == 0
    live = present_rows()

    assert live == rows_from_scratch(fresh_database)


def test_a_worker_standing_by_takes_over_when_the_active_one_is_killed(
    fresh_database: str, store: PostgresEventStore, tmp_path: Path
) -> None:
    story = Story(store, seed=1)
    second_log = tmp_path / "second.log"
    with worker_process(fresh_database, tmp_path / "first.log") as first:
        eventually(worker_is_active, "the first worker is active")
        with worker_process(fresh_database, second_log) as second:
            eventually(lambda: "stands by" in second_log.read_text(), "the second worker stands by")
            assert wait_until("transcript", int(story.run_start()["position"]), timeout_s=10)
            first.kill()
            first.wait()
            position = int(story.run_start()["position"])
            assert all(wait_until(projector.name, position, timeout_s=10) for projector in PROJECTORS)
            assert "is the active one" in second_log.read_text()
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
    assert not worker_is_active()
    live = present_rows()
    assert live == rows_from_scratch(fresh_database)


def test_losing_the_database_again_and_again_loses_and_doubles_nothing(
    fresh_database: str, tmp_path: Path
) -> None:
    events = told_in_memory(seed=3, steps=300)
    share = -(-len(events) // 4)
    log = tmp_path / "worker.log"
    with worker_process(fresh_database, log) as process:
        eventually(worker_is_active, "the worker is active")
        end = 0
        for part in range(4):
            end = put(events[part * share : (part + 1) * share], fresh_database)
            cut_all_connections(fresh_database)
        assert all(wait_until(projector.name, end, timeout_s=20) for projector in PROJECTORS)
        assert process.poll() is None
    live = present_rows()

    assert "lost the database, trying again" in log.read_text()
    assert live == rows_from_scratch(fresh_database)


def cut_all_connections(database_url: str) -> None:
    """End every session of this database. Our own pool is closed first, so only the worker is hurt."""
    connection = connections["default"]
    connection.close()
    assert isinstance(connection, DatabaseWrapper)
    connection.close_pool()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_stops_cleanly_when_told(
    fresh_database: str, tmp_path: Path, sent: signal.Signals
) -> None:
    with worker_process(fresh_database, tmp_path / "worker.log") as process:
        eventually(worker_is_active, "the worker is active")
        process.send_signal(sent)
        began = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - began < 6


def test_a_worker_on_a_database_without_tables_says_what_to_do(empty_database: str, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with worker_process(empty_database, log) as process:
        assert process.wait(20) == 1
    last = log.read_text().strip().splitlines()[-1]
    assert "migrate" in last, log.read_text()
