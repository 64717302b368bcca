"""What only the real store has: readers by position, listeners, receipts that age, and a guard that cannot be switched off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from backend.application.ports import IdempotencyKey, Receipt
from backend.event_store.codec import UnreadableEvent
from backend.event_store.receipts import REMOVE_OLD_RECEIPTS
from backend.event_store.subscription import EventReader
from tests.contract.event_store.conftest import OnPostgres
from tests.support.core import Core
from tests.support.facts import OWNER

KEY = IdempotencyKey(OWNER, "key-1", "POST /x/", "aa" * 32)


@pytest.fixture
def core(on_postgres: OnPostgres) -> Core:
    return Core(on_postgres.store)


@pytest.fixture
def reader(on_postgres: OnPostgres) -> Iterator[EventReader]:
    opened = EventReader(on_postgres.url)
    yield opened
    opened.close()


def test_a_reader_goes_on_from_any_position_in_pages(core: Core, reader: EventReader) -> None:
    assert (reader.end(), reader.read_after(0, 10), reader.count_after(0)) == (0, [], 0)
    for _ in range(3):
        core.start()
    end = reader.end()
    seen: list[int] = []
    while page := reader.read_after(seen[-1] if seen else 0, 4):
        seen += [recorded.position for recorded in page]
    assert (len(seen), seen[-1]) == (9, end)
    assert seen == sorted(seen)
    assert reader.count_after(seen[3]) == 5
    assert reader.read_after(end, 4) == []


def test_a_reader_survives_the_loss_of_its_connection(
    core: Core, reader: EventReader, on_postgres: OnPostgres
) -> None:
    core.start()
    assert len(reader.read_after(0, 10)) == 3
    with psycopg.connect(on_postgres.url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(psycopg.OperationalError):
        reader.read_after(0, 10)
    assert len(reader.read_after(0, 10)) == 3
    core.start()
    assert len(reader.read_after(0, 10)) == 6, "the store, too, has a live connection again"


def test_a_listener_hears_an_append_as_soon_as_it_listens(core: Core, reader: EventReader) -> None:
    with reader.listen() as listener:
        assert listener.wait(0.05) is False
        core.start()
        assert listener.wait(10) is True
        waiting = threading.Timer(0.2, core.start)
        waiting.start()
        begun = time.monotonic()
        assert listener.wait(30) is True
        assert time.monotonic() - begun < 15, "it was woken, it did not wait to the end"
        waiting.join()


def test_a_reader_names_the_event_it_cannot_read(
    core: Core, reader: EventReader, on_postgres: OnPostgres
) -> None:
    core.start()
    stream = uuid4()
    with psycopg.connect(on_postgres.url) as connection:
        connection.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, 7, %s, %s)",
            (stream, "ConversationPinned.v1", b"[]"),
        )
    assert len(reader.read_after(0, 3)) == 3, "what lies before it is still read"
    with pytest.raises(UnreadableEvent, match=f"Event 7 of stream {stream}"):
        reader.read_after(3, 1)


def test_a_receipt_is_honoured_for_a_day_and_then_forgotten(core: Core, on_postgres: OnPostgres) -> None:
    first = on_postgres.store.append(companions=[Receipt(KEY, 200, {"n": 1})])
    assert first == 0
    age(on_postgres, "23 hours 59 minutes")
    assert on_postgres.store.find_receipt(OWNER, "key-1") is not None
    age(on_postgres, "2 minutes")
    assert on_postgres.store.find_receipt(OWNER, "key-1") is None
    later = replace(KEY, path="POST /y/")
    on_postgres.store.append(companions=[Receipt(later, 201, {"n": 2})])
    found = on_postgres.store.find_receipt(OWNER, "key-1")
    assert found is not None
    assert (found.key, found.status, found.body["n"]) == (later, 201, 2)


def test_old_receipts_are_pruned_and_young_ones_stay(on_postgres: OnPostgres) -> None:
    on_postgres.store.append(companions=[Receipt(KEY, 200, {})])
    age(on_postgres, "25 hours")
    on_postgres.store.append(companions=[Receipt(replace(KEY, key="young"), 200, {})])
    with psycopg.connect(on_postgres.url, row_factory=dict_row) as connection:
        assert connection.execute(REMOVE_OLD_RECEIPTS).rowcount == 1
        assert connection.execute(REMOVE_OLD_RECEIPTS).rowcount == 0
    assert on_postgres.store.find_receipt(OWNER, "young") is not None


def age(on_postgres: OnPostgres, interval: str) -> None:
    with psycopg.connect(on_postgres.url) as connection:
        connection.execute("UPDATE append_receipt SET at = at - %s::interval", (interval,))


@pytest.mark.parametrize(
    "statement", ["DELETE FROM events", "UPDATE events SET state = ''", "TRUNCATE events CASCADE"]
)
def test_events_are_guarded_also_from_a_session_that_switches_triggers_off(
    core: Core, on_postgres: OnPostgres, statement: str
) -> None:
    core.start()
    with psycopg.connect(on_postgres.url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Events are immutable"):
            connection.execute(statement)
    assert len(on_postgres.read_after(0, 10)) == 3
