"""Rebuilding beside a running worker, being killed in the middle of it, and the commands for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import ClassVar

import pytest
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from backend.domain import events as e
from backend.event_store.store import PostgresEventStore
from projections.batches import PoisonEvent, ensure_places
from projections.conversation_list.projector import ConversationListProjector
from projections.conversation_list.read_table import ConversationListRow, ConversationSettingsRow
from projections.locks import lock_session, rebuild_keys
from projections.position_table import ProjectionPosition
from projections.projector import Projector
from projections.rebuild import NOT_EMPTIED, Progress, RebuildRunning, rebuild
from projections.registry import PROJECTORS, read_model_names
from projections.tracking import Rebuilding, snapshot, statuses, wait_until
from tests.integration.projections.stories import (
    Story,
    all_events,
    empty,
    present_rows,
    put,
    rows_from_scratch,
    rows_of,
    told_in_memory,
)
from tests.integration.projections.workers import MANAGE, eventually, manage, worker_thread


def ignore(progress: Progress) -> None:
    """For rebuilds whose progress nobody watches."""


def state_of(read_model: str) -> str:
    return next(status.state for status in statuses() if status.name == read_model)


@pytest.mark.parametrize("projector", PROJECTORS, ids=lambda projector: projector.name)
def test_a_rebuild_replaces_whatever_the_tables_held(fresh_database: str, projector: type[Projector]) -> None:
    end = put(told_in_memory(seed=1, steps=200), fresh_database)
    wanted = rows_from_scratch(fresh_database)[projector.name]
    projector.tables[0]._default_manager.first().delete()  # type: ignore[union-attr]
    seen: list[Progress] = []

    done = rebuild(projector, database_url=fresh_database, report=seen.append, batch_size=100)

    assert rows_of(projector) == wanted
    assert (done.events, done.position) == (len(all_events(fresh_database)), end)
    assert [progress.events for progress in seen] == [*range(100, done.events, 100), done.events]
    assert {status.name: status.position for status in statuses()}[projector.name] == end


def test_a_rebuild_beside_a_running_worker_and_a_running_writer_ends_with_exact_rows(
    fresh_database: str, store: PostgresEventStore
) -> None:
    put(told_in_memory(seed=1, steps=300), fresh_database)
    story = Story(store, seed=2)
    with worker_thread(fresh_database):
        writer = threading.Thread(target=story.tell, args=(40,))
        writer.start()
        for projector in PROJECTORS:
            rebuild(projector, database_url=fresh_database, report=ignore, batch_size=50)
        writer.join()
        end = all_events(fresh_database)[-1].position
        assert all(wait_until(projector.name, end, timeout_s=20) for projector in PROJECTORS)
        live = present_rows()

    assert live == rows_from_scratch(fresh_database)


def test_queries_are_refused_while_a_read_model_is_rebuilt(fresh_database: str) -> None:
    put(told_in_memory(seed=1, steps=50), fresh_database)
    refused: list[str] = []

    def ask(progress: Progress) -> None:
        with pytest.raises(Rebuilding) as told, snapshot("transcript"):
            refused.append("not refused")
        refused.append(str(told.value))
        with snapshot("conversation_list") as other:
            assert other.position == 0

    rebuild(PROJECTORS[1], database_url=fresh_database, report=ask, batch_size=1000)

    assert refused == ["The read model transcript is being rebuilt. Try again in a moment."]
    with snapshot("transcript") as found:
        assert found.position == all_events(fresh_database)[-1].position


def test_a_second_rebuild_of_the_same_read_model_is_refused(fresh_database: str) -> None:
    with lock_session(fresh_database) as other:
        assert other.try_take(rebuild_keys("transcript"))
        with pytest.raises(RebuildRunning, match="transcript is being rebuilt already"):
            rebuild(PROJECTORS[1], database_url=fresh_database, report=ignore)


@pytest.mark.parametrize("emptied", [True, False])
def test_the_worker_finishes_a_rebuild_that_was_killed(fresh_database: str, emptied: bool) -> None:
    events = told_in_memory(seed=1, steps=200)
    end = put(events, fresh_database)
    wanted = rows_from_scratch(fresh_database)
    ensure_places(PROJECTORS)
    ProjectionPosition.objects.update(position=end)
    # As a rebuild leaves it that dies after the mark, or after the emptying.
    ConversationListRow.objects.update(title="spoiled")
    ProjectionPosition.objects.filter(name="conversation_list").update(
        state="rebuilding", position=0 if emptied else NOT_EMPTIED
    )
    if emptied:
        empty(ConversationListProjector)

    with lock_session(fresh_database) as other:
        assert other.try_take(rebuild_keys("conversation_list"))
        with worker_thread(fresh_database):
            assert wait_until("transcript", end, timeout_s=10)
            assert statuses()[0].state == "rebuilding"
            assert statuses()[0].position <= 0, "somebody still holds the rebuild's lock"
            other.release(rebuild_keys("conversation_list"))
            eventually(lambda: statuses()[0].state == "running", "the worker finishes the rebuild")
            assert statuses()[0].position == end
            eventually(lambda: other.try_take(rebuild_keys("conversation_list")), "its lock is free again")

    assert present_rows() == wanted


def test_an_installation_from_before_forks_gets_its_settings_table_from_the_worker(
    fresh_database: str,
) -> None:
    end = put(told_in_memory(seed=1, steps=200), fresh_database)
    wanted = rows_from_scratch(fresh_database)["conversation_list"]
    assert wanted["ConversationSettingsRow"]
    ensure_places(PROJECTORS)
    ProjectionPosition.objects.update(position=end)
    MigrationExecutor(connection).migrate([("projections", "0001_initial")])
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("projections"))
    assert not ConversationSettingsRow.objects.exists()
    with pytest.raises(Rebuilding), snapshot("conversation_list"):
        pytest.fail("asked before the settings of old conversations are known")

    with worker_thread(fresh_database, projectors=(ConversationListProjector,)):
        eventually(lambda: statuses()[0].state == "running", "the worker rebuilds conversation_list")

    assert rows_of(ConversationListProjector) == wanted


class Refusing(ConversationListProjector):
    """Takes no renaming."""

    name: ClassVar[str] = "conversation_list"

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        raise ValueError("no renaming")


def test_a_rebuild_that_meets_a_poison_event_stops_the_read_model_there(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    conversation_id = story.start()
    poison = int(story.rename(conversation_id, story.conversations[0][1], "other")["position"])

    with pytest.raises(
        PoisonEvent, match=f"position {poison}, ConversationRenamed.v1: ValueError: no renaming"
    ):
        rebuild(Refusing, database_url=fresh_database, report=ignore)

    assert (statuses()[0].state, statuses()[0].position) == ("stopped", poison - 1)


def test_the_commands_rebuild_report_and_refuse(fresh_database: str) -> None:
    end = put(told_in_memory(seed=1, steps=60), fresh_database)
    count = len(all_events(fresh_database))
    connections.close_all()

    before = manage("projection_status", database_url=fresh_database)
    assert before.returncode == 0, before.stderr
    heading, *lines = before.stdout.splitlines()
    assert heading.split("  ")[0] == "read model"
    *of_read_models, last = lines[: len(PROJECTORS) + 1]
    assert [line.split()[0] for line in of_read_models] == [projector.name for projector in PROJECTORS]
    assert all(
        line.split()[1:] == ["0", str(end), str(count), "events", "running"] for line in of_read_models
    )
    assert last.startswith("No projection worker is active.")

    one = manage("rebuild_projection", "transcript", database_url=fresh_database)
    assert one.returncode == 0, one.stderr
    assert f"transcript: rebuilt from {count} events" in one.stdout
    every = manage("rebuild_projection", "--all", database_url=fresh_database)
    assert every.returncode == 0, every.stderr
    assert len(every.stdout.splitlines()) == len(PROJECTORS)
    assert present_rows() == rows_from_scratch(fresh_database)

    unknown = manage("rebuild_projection", "transcripts", database_url=fresh_database)
    assert unknown.returncode == 2
    names = ", ".join(read_model_names())
    assert unknown.stderr.strip().endswith(
        f"There is no read model 'transcripts'. The known ones are: {names}."
    )
    for arguments in ((), ("transcript", "--all")):
        neither = manage("rebuild_projection", *arguments, database_url=fresh_database)
        assert neither.returncode == 2
        assert f"The known ones are: {names}." in neither.stderr

    ProjectionPosition.objects.filter(name="transcript").update(state="stopped", error="position 7:\nbroken")
    connections.close_all()
    stopped = manage("projection_status", database_url=fresh_database)
    assert stopped.returncode == 1
    line = next(line for line in stopped.stdout.splitlines() if line.startswith("transcript"))
    assert line.endswith("stopped  position 7: broken")


def test_a_rebuild_that_is_interrupted_says_who_finishes_it(fresh_database: str) -> None:
    # Enough events for the rebuild to be in the middle when the interrupt comes.
    put(told_in_memory(seed=1, steps=5000), fresh_database)
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), "rebuild_projection", "live_changes"],
        env={**os.environ, "DATABASE_URL": fresh_database},
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background may have been started with interrupts ignored, which is inherited.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )
    eventually(lambda: state_of("live_changes") == "rebuilding", "the rebuild has begun")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 130, said
    assert said.strip().endswith(
        "live_changes is rebuilt in part only. The projection worker finishes the rebuild; or start it again."
    )
    with worker_thread(fresh_database):
        eventually(lambda: state_of("live_changes") == "running", "the worker finishes it")
    assert present_rows() == rows_from_scratch(fresh_database)


def test_commands_say_in_one_line_that_the_database_is_away_or_not_migrated(empty_database: str) -> None:
    away = "postgresql://nobody@/nothing?host=/nowhere"
    for command in (["projection_status"], ["rebuild_projection", "transcript"]):
        for address, wanted in ((empty_database, "migrate"), (away, "The database does not answer")):
            done = manage(*command, database_url=address)
            assert done.returncode == 1, done.stderr
            assert "Traceback" not in done.stderr
            assert wanted in done.stderr.splitlines()[-1]
