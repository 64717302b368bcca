"""Each event gets its place in the log once, in order, whoever does it and however often, and the tree is the standard's."""

from __future__ import annotations

import threading

import psycopg
import pytest

from backend.audit.merkle import Growing, parts, root
from backend.transparency.hashes import BLOCK, Connection, LogIncomplete, StoredHashes
from backend.transparency.sequencer import sequence, size_of
from tests.integration.projections.talk import Talk
from tests.integration.transparency.support import fill, tree_over_events


def stored_root(connection: Connection) -> bytes:
    return root(size_of(connection), StoredHashes(connection).subtree)


def leaves(connection: Connection) -> list[tuple[int, int]]:
    return connection.execute("SELECT index, position FROM log_leaf ORDER BY index").fetchall()


def test_an_empty_store_has_an_empty_log(connection: Connection) -> None:
    assert sequence(connection) == 0
    assert size_of(connection) == 0


def test_what_was_recorded_before_and_what_comes_later_is_added_once(
    connection: Connection, talk: Talk
) -> None:
    [(count,)] = connection.execute("SELECT count(*) FROM events").fetchall()
    assert sequence(connection) == sequence(connection) == count
    fill(connection, 3)
    assert sequence(connection) == count + 3
    positions = [row[0] for row in connection.execute("SELECT notification_id FROM events ORDER BY 1")]
    assert leaves(connection) == list(enumerate(positions))
    assert stored_root(connection) == tree_over_events(connection).root()


def test_positions_may_have_gaps(connection: Connection) -> None:
    fill(connection, 2)
    connection.execute("SELECT nextval('events_notification_id_seq') FROM generate_series(1, 5)")
    fill(connection, 1)
    assert sequence(connection) == 3
    assert [index for index, _ in leaves(connection)] == [0, 1, 2]
    assert stored_root(connection) == tree_over_events(connection).root()


@pytest.mark.parametrize("batch", [1, 7, 256, 1000])
def test_the_tree_is_the_same_however_it_grew(connection: Connection, batch: int) -> None:
    events = 3 if batch == 1 else 3 * BLOCK + 5
    fill(connection, events)
    assert sequence(connection, batch) == events
    tree = tree_over_events(connection)
    assert stored_root(connection) == tree.root()
    stored = StoredHashes(connection)
    for size in (1, 2, events // 2, events - 1, events):
        again = Growing(size, [stored.subtree(level, index) for level, index in parts(size)])
        assert again.size == size
    [(subtrees,)] = connection.execute("SELECT count(*) FROM log_subtree").fetchall()
    assert subtrees == events // BLOCK


def test_several_at_once_add_each_event_once(fresh_database: str, connection: Connection) -> None:
    errors: list[BaseException] = []

    def add() -> None:
        try:
            with psycopg.connect(fresh_database, autocommit=True) as own:
                for _ in range(5):
                    fill(own, 20)
                    sequence(own, 9)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sequence(connection) == 400
    assert stored_root(connection) == tree_over_events(connection).root()


def test_a_batch_that_dies_leaves_nothing_behind(fresh_database: str, connection: Connection) -> None:
    fill(connection, 600)
    sequence(connection, 200)
    fill(connection, 600)
    dying = psycopg.connect(fresh_database, autocommit=True)
    dying.execute("BEGIN")
    sequence(dying)
    assert size_of(dying) == 1200
    dying.close()
    assert size_of(connection) == 600
    assert sequence(connection) == 1200
    assert stored_root(connection) == tree_over_events(connection).root()


@pytest.mark.parametrize("table", ["log_leaf", "log_subtree", "log_checkpoint"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {} = NULL"])
def test_the_database_refuses_to_change_the_log(connection: Connection, table: str, statement: str) -> None:
    column = {"log_leaf": "hash", "log_subtree": "hash", "log_checkpoint": "note"}[table]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added to"):
        connection.execute(statement.format(table, column))


def test_a_log_with_a_gap_is_not_gone_on_with(connection: Connection) -> None:
    fill(connection, 5)
    sequence(connection)
    connection.execute("ALTER TABLE log_leaf DISABLE TRIGGER log_leaf_refuse_change")
    connection.execute("DELETE FROM log_leaf WHERE index = 4 - 1")
    connection.execute("DELETE FROM log_leaf WHERE index = 2")
    fill(connection, 1)
    with pytest.raises(LogIncomplete, match=r"lacks leaf 2\. Run `make verify`"):
        sequence(connection)
