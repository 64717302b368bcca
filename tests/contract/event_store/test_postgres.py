"""What only the real store can be asked: size, concurrency, broken connections, and the guard of the table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final, LiteralString
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent
from psycopg.sql import Composable

from backend.application.ports import AppendConflict, Companion, IdempotencyKey, QueueCall, Receipt
from backend.domain import commands as c
from backend.domain.conversation import Conversation
from backend.event_store.codec import UnreadableEvent
from backend.event_store.connection import open_datastore
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.recorder import APPEND_LOCK, EVENTS_TABLE, LOCK_TIMEOUT_S, VerbatimRecorder
from backend.event_store.store import PostgresEventStore
from backend.event_store.subscription import EventReader
from backend.model_calls.companions import COMPANION_STEPS
from tests.contract.event_store.conftest import OnPostgres
from tests.contract.event_store.test_contract import conversation
from tests.support.builders import OWNER, Stamps, World

LOCK_OF_EARLIER_RELEASES: Final = "LOCK TABLE events IN EXCLUSIVE MODE"
"""What copies of a release before 0.4 take before they append; they may still run during an upgrade."""


class Refused(Exception):
    pass


RECEIPT = Receipt(IdempotencyKey(OWNER, "an intent", "POST /api/conversations/", "digest"), 201, {})


def with_step(url: str, step: Any) -> PostgresEventStore:
    """A store whose QueueCall companion does something of the test's own."""
    return PostgresEventStore(url, {**COMPANION_STEPS, QueueCall: step})


def test_an_event_of_five_megabytes_is_stored_and_read_back(on_postgres: OnPostgres) -> None:
    made = conversation()
    made.change_system_prompt("x" * 5_000_000, Stamps())
    on_postgres.store.append(made)
    last = on_postgres.store.read_history(made.id)[-1].events[-1]
    assert len(getattr(last, "text")) == 5_000_000  # noqa: B009  the event's class is not known to the type checker


def test_a_companion_that_raises_stores_nothing_and_leaves_the_store_usable(fresh_database: str) -> None:
    def refuse(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
        cursor.execute("INSERT INTO model_call_worker (worker_id) VALUES ('from the companion')")
        raise Refused

    store = with_step(fresh_database, refuse)
    try:
        with pytest.raises(Refused):
            store.append(conversation(), companions=[QueueCall(uuid4(), None, OWNER)])
        with psycopg.connect(fresh_database) as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM model_call_worker").fetchone() == (0,)
        store.append(conversation())
    finally:
        store.close()


def test_eight_concurrent_repeats_of_one_command_make_one_event(on_postgres: OnPostgres) -> None:
    key = IdempotencyKey(OWNER, "one intent", "POST /api/conversations/", "digest")
    barrier = threading.Barrier(8)

    def start(place: int) -> Any:
        world = World(on_postgres.store)
        world.ids._name = f"client {place}"
        barrier.wait(10)
        return world.run(c.StartConversation(OWNER, title="Once"), key=key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert [type(r.event).__name__ for r in on_postgres.read_after(0, 100)] == [
        "ConversationStarted",
        "SystemPromptChanged",
        "ModelSettingsChanged",
    ]


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET topic = 'x'", "DELETE FROM events", "TRUNCATE events"]
)
def test_the_database_refuses_to_change_events(on_postgres: OnPostgres, statement: str) -> None:
    on_postgres.store.append(conversation())
    before = on_postgres.read_after(0, 10)
    with psycopg.connect(on_postgres.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
    assert on_postgres.read_after(0, 10) == before


def append_as_before_0_4(on_postgres: OnPostgres) -> None:
    """As a copy of an earlier release appends, which may still run during an upgrade."""
    with psycopg.connect(on_postgres.url, autocommit=True) as connection:
        state = VerbatimMapper().to_stored_event(conversation().pending_events[1]).state
        with connection.transaction():
            connection.execute(LOCK_OF_EARLIER_RELEASES)
            for _ in range(3):
                connection.execute(
                    "INSERT INTO events (originator_id, originator_version, topic, state)"
                    " VALUES (gen_random_uuid(), 2, 'SystemPromptChanged.v1', %s)",
                    (state,),
                )


@pytest.mark.parametrize("earlier_releases", [0, 8])
def test_a_reader_beside_sixteen_writers_misses_nothing_and_sees_positions_in_order(
    on_postgres: OnPostgres, earlier_releases: int
) -> None:
    writers, appends = 16, 15
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        reader = EventReader(on_postgres.url)
        with reader.listen() as listener:
            while True:
                finished = done.is_set()
                found = reader.read_after(seen[-1] if seen else 0, 50)
                seen.extend(r.position for r in found)
                if finished and not found:
                    break
                listener.wait(0.05)
        reader.close()

    follower = threading.Thread(target=follow)
    follower.start()

    def write(writer: int) -> None:
        for _ in range(appends):
            if writer < earlier_releases:
                append_as_before_0_4(on_postgres)
            else:
                on_postgres.store.append(conversation())

    try:
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
    finally:
        done.set()
        follower.join(60)
    assert len(seen) == writers * appends * 3
    assert seen == sorted(set(seen))


def test_rivals_on_one_stream_get_consecutive_versions_and_lose_nothing(on_postgres: OnPostgres) -> None:
    made = conversation()
    on_postgres.store.append(made)

    def rename(place: int) -> None:
        while True:
            fresh = Conversation.from_events(on_postgres.store.read_history(made.id)[-1].events)
            assert fresh is not None
            fresh.rename(f"Name {place}", Stamps(f"rival {place}"))
            try:
                on_postgres.store.append(fresh)
            except AppendConflict:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rename, range(8)))
    events = on_postgres.store.read_history(made.id)[-1].events
    assert [event.originator_version for event in events] == list(range(1, 12))


@pytest.mark.parametrize("companions", [[], [RECEIPT]], ids=["in one message", "after a receipt"])
def test_a_connection_lost_after_the_commit_still_answers_with_the_positions(
    on_postgres: OnPostgres, monkeypatch: pytest.MonkeyPatch, companions: list[Companion]
) -> None:
    _break_commits(monkeypatch, really_commit=True)
    made = conversation()
    position = on_postgres.store.append(made, companions=companions)
    monkeypatch.undo()
    assert [r.position for r in on_postgres.read_after(0, 10)][-1] == position


def test_a_connection_lost_before_the_commit_is_an_error_and_nothing_is_stored(
    on_postgres: OnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_commits(monkeypatch, really_commit=False)
    with pytest.raises(OperationalError):
        on_postgres.store.append(conversation())
    monkeypatch.undo()
    assert on_postgres.read_after(0, 10) == []
    on_postgres.store.append(conversation())


def _break_commits(monkeypatch: pytest.MonkeyPatch, *, really_commit: bool) -> None:
    """Make the end of each transaction lose its connection, after or instead of the commit."""
    execute = psycopg.Cursor.execute

    def broken(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        text = query.as_string(self) if isinstance(query, Composable) else query
        if not text.endswith("COMMIT"):
            return execute(self, query, *args, **options)
        if really_commit:
            execute(self, query, *args, **options)
        self.connection.close()
        raise psycopg.OperationalError("the connection was lost")

    monkeypatch.setattr(psycopg.Cursor, "execute", broken)


@pytest.mark.parametrize(
    "lock",
    [LOCK_OF_EARLIER_RELEASES, f"SELECT pg_advisory_xact_lock({APPEND_LOCK})"],
    ids=["by an earlier release", "by this one"],
)
def test_another_append_gives_an_error_in_the_end_and_not_a_hang(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch, lock: LiteralString
) -> None:
    # One second instead of five keeps the test short; that there is a limit is what counts.
    assert LOCK_TIMEOUT_S == 5
    monkeypatch.setattr("backend.event_store.connection.LOCK_TIMEOUT_S", 1)
    store = PostgresEventStore(fresh_database, COMPANION_STEPS)
    try:
        with psycopg.connect(fresh_database) as connection:
            connection.execute(lock)
            with pytest.raises(OperationalError, match="lock timeout"):
                store.append(conversation())
        store.append(conversation())
    finally:
        store.close()


def test_whoever_appends_waits_for_an_append_that_is_not_committed(fresh_database: str) -> None:
    """By either lock, so that no position becomes visible before a lower one."""
    inserted, may_commit = threading.Event(), threading.Event()

    def stand_still(*_: Any) -> None:
        inserted.set()
        assert may_commit.wait(20)

    def stored() -> list[StoredEvent]:
        return [VerbatimMapper().to_stored_event(event) for event in conversation().pending_events]

    datastore = open_datastore(fresh_database)
    recorder = VerbatimRecorder(datastore, events_table_name=EVENTS_TABLE)
    with closing(datastore), ThreadPoolExecutor(2) as pool:
        first = pool.submit(recorder.insert_events, stored(), after=[stand_still])
        try:
            assert inserted.wait(20)
            second = pool.submit(recorder.insert_events, stored())
            with psycopg.connect(fresh_database) as earlier_release:
                earlier_release.execute("SET lock_timeout = '300ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    earlier_release.execute(LOCK_OF_EARLIER_RELEASES)
            assert not second.done()
        finally:
            may_commit.set()
        assert (first.result(20), second.result(20)) == ([1, 2, 3], [4, 5, 6])


def test_an_event_that_cannot_be_read_is_named(on_postgres: OnPostgres) -> None:
    stream = uuid4()
    with psycopg.connect(on_postgres.url) as connection:
        connection.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, 1, %s, %s)",
            (stream, "FromTheFuture.v9", b"{}"),
        )
    with pytest.raises(UnreadableEvent, match=rf"Event 1 of stream {stream} \(FromTheFuture\.v9\)"):
        on_postgres.store.read_history(stream)


def test_events_written_by_one_process_are_the_bytes_the_mapper_gives(on_postgres: OnPostgres) -> None:
    made = conversation()
    expected = [VerbatimMapper().to_stored_event(event).state for event in made.pending_events]
    on_postgres.store.append(made)
    assert [row.payload_bytes for row in on_postgres.store.read_stream(made.id, 0, 10)] == expected
