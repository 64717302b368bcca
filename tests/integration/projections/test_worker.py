"""The worker follows the store, applies nothing twice, survives its surroundings, and stops when asked."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import psycopg
import pytest

from backend.domain import events as e
from backend.event_store.store import PostgresEventStore
from projections import worker
from projections.batches import (
    Fenced,
    Place,
    PoisonEvent,
    apply_batch,
    ensure_places,
    is_database_trouble,
    places,
)
from projections.conversation_list.projector import ConversationListProjector
from projections.conversation_list.read_table import ConversationListRow
from projections.position_table import ProjectionPosition
from projections.projector import Projector
from projections.registry import PROJECTORS
from projections.tracking import position_of, statuses, wait_until, worker_is_active
from tests.integration.projections.stories import (
    Story,
    all_events,
    empty,
    present_rows,
    rows_from_scratch,
    rows_of,
)
from tests.integration.projections.workers import eventually, worker_thread


def test_the_worker_catches_up_from_an_empty_positions_table_and_then_follows(
    fresh_database: str, store: PostgresEventStore
) -> None:
    assert not ProjectionPosition.objects.exists()
    story = Story(store, seed=1)
    story.tell(150)

    with worker_thread(fresh_database, batch_size=50):
        eventually(worker_is_active, "a worker is active")
        end = len(all_events(fresh_database))
        assert end > 60
        assert all(wait_until(projector.name, end, timeout_s=10) for projector in PROJECTORS)
        for _ in range(40):
            position = int(story.run_start()["position"])
            assert all(wait_until(projector.name, position, timeout_s=10) for projector in PROJECTORS)
        live = present_rows()

    assert live == rows_from_scratch(fresh_database)
    assert not worker_is_active()


def test_a_command_is_visible_within_a_fraction_of_the_fallback_interval(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    with worker_thread(fresh_database):
        eventually(worker_is_active, "a worker is active")
        assert wait_until("live_changes", int(story.run_start()["position"]), timeout_s=10)
        took = []
        for _ in range(10):
            position = int(story.run_start()["position"])
            began = time.monotonic()
            assert wait_until("live_changes", position)
            took.append(time.monotonic() - began)

    assert sorted(took)[5] < worker.WAIT_S / 4, took


def test_a_batch_that_holds_events_of_live_changes_is_announced_with_its_position(
    fresh_database: str, store: PostgresEventStore
) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as listener:
        listener.execute("LISTEN live_changes")
        with worker_thread(fresh_database):
            position = int(Story(store, seed=1).run_start()["position"])
            heard: list[int] = []
            for notification in listener.notifies(timeout=10):
                heard.append(int(notification.payload))
                if heard[-1] >= position:
                    break

    assert heard[-1] == position


def test_a_worker_with_a_stale_position_applies_nothing(
    fresh_database: str, store: PostgresEventStore
) -> None:
    Story(store, seed=1).tell(20)
    events = all_events(fresh_database)
    ensure_places(PROJECTORS)
    stale = places()[ConversationListProjector.name]
    apply_batch(ConversationListProjector, stale, events[:5])
    before = rows_of(ConversationListProjector)

    with pytest.raises(Fenced):
        apply_batch(ConversationListProjector, stale, events)

    assert rows_of(ConversationListProjector) == before
    assert position_of("conversation_list") == events[4].position


@pytest.mark.parametrize("state", ["stopped", "rebuilding"])
def test_a_worker_that_missed_a_change_of_state_applies_nothing(
    fresh_database: str, store: PostgresEventStore, state: str
) -> None:
    Story(store, seed=1).tell(5)
    ensure_places(PROJECTORS)
    believed = places()[ConversationListProjector.name]
    ProjectionPosition.objects.filter(name=ConversationListProjector.name).update(state=state)

    with pytest.raises(Fenced):
        apply_batch(ConversationListProjector, believed, all_events(fresh_database))

    assert not ConversationListRow.objects.exists()
    if state == "stopped":
        with pytest.raises(Fenced):
            apply_batch(ConversationListProjector, Place(0, "stopped"), all_events(fresh_database))


def test_a_worker_goes_on_from_where_somebody_else_has_moved_its_read_models(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    with worker_thread(fresh_database):
        assert wait_until("live_changes", int(story.run_start()["position"]), timeout_s=10)
        for projector in PROJECTORS:
            empty(projector)
        ProjectionPosition.objects.update(position=0)
        position = int(story.run_start()["position"])
        assert all(wait_until(projector.name, position, timeout_s=10) for projector in PROJECTORS)
        live = present_rows()

    assert live == rows_from_scratch(fresh_database)


class Picky(ConversationListProjector):
    """Does not take a conversation of a certain title."""

    name = "conversation_list"
    refuses: ClassVar[str] = ""

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        if event.title == self.refuses:
            raise ValueError(f"cannot take {event.title}")
        super().on_conversation_renamed(event, position)


def test_a_poison_event_stops_its_read_model_only_and_is_tried_again_by_the_next_worker(
    fresh_database: str, store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(store, seed=1)
    first = story.start()
    owner = story.conversations[0][1]
    before = int(story.rename(first, owner, "harmless")["position"])
    poison = int(story.rename(first, owner, "poison")["position"])
    last = int(story.rename(first, owner, "later")["position"])
    monkeypatch.setattr(Picky, "refuses", "poison")
    projectors: tuple[type[Projector], ...] = (Picky, *PROJECTORS[1:])

    with worker_thread(fresh_database, projectors):
        assert all(wait_until(projector.name, last, timeout_s=10) for projector in projectors[1:])
        eventually(lambda: statuses()[0].state == "stopped", "the read model is stopped")
        status = statuses()[0]
        assert status.position == before
        assert status.error == f"position {poison}, ConversationRenamed.v1: ValueError: cannot take poison"
        assert ConversationListRow.objects.get().title == "harmless"
        assert wait_until("transcript", int(story.run_start()["position"]), timeout_s=10)
        assert statuses()[0] == status

    monkeypatch.setattr(Picky, "refuses", "nothing")
    with worker_thread(fresh_database, projectors):
        assert wait_until("conversation_list", last, timeout_s=10)
        assert (statuses()[0].state, statuses()[0].error) == ("running", "")


def test_a_poison_event_amid_a_batch_is_found_and_those_before_it_are_applied(
    fresh_database: str,
    store: PostgresEventStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = Story(store, seed=1)
    conversation_id = story.start()
    owner = story.conversations[0][1]
    for title in ("one", "two", "poison", "three"):
        poison = int(story.rename(conversation_id, owner, title)["position"]) - 1
    monkeypatch.setattr(Picky, "refuses", "poison")
    ensure_places(PROJECTORS)

    with pytest.raises(PoisonEvent, match=f"position {poison}, ") as stopped:
        apply_batch(Picky, places()[Picky.name], all_events(fresh_database))

    assert stopped.value.after == position_of(Picky.name) == poison - 1
    assert ConversationListRow.objects.get().title == "two"
    assert "trying them one by one: ValueError: cannot take poison" in caplog.text


def test_an_event_that_no_release_can_read_stops_the_read_models_right_before_it(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    readable = int(story.run_start()["position"])
    with psycopg.connect(fresh_database) as other:
        other.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state)"
            " VALUES (gen_random_uuid(), 1, 'FromTheFuture.v9', '{}')"
        )

    with worker_thread(fresh_database):
        eventually(lambda: all(s.state == "stopped" for s in statuses()), "all read models are stopped")

    assert [status.position for status in statuses()] == [readable] * len(PROJECTORS)
    assert all("FromTheFuture.v9" in status.error for status in statuses())
    assert all(f"the event after position {readable}" in status.error for status in statuses())


def test_a_worker_that_stands_by_stops_when_asked(fresh_database: str) -> None:
    with worker_thread(fresh_database):
        eventually(worker_is_active, "a worker is active")
        stop_event = threading.Event()
        second = threading.Thread(
            target=worker.run, args=(stop_event,), kwargs={"database_url": fresh_database}
        )
        second.start()
        time.sleep(0.1)
        assert second.is_alive()
        stop_event.set()
        second.join(5)
        assert not second.is_alive()


def test_an_error_that_is_not_the_databases_absence_is_not_waited_out(fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as other:
        with pytest.raises(psycopg.errors.UndefinedTable) as missing:
            other.execute("SELECT 1 FROM no_such_table")
        assert not is_database_trouble(missing.value)
        other.execute("SET statement_timeout TO 1")
        with pytest.raises(psycopg.errors.QueryCanceled) as stopped:
            other.execute("SELECT pg_sleep(5)")
        assert is_database_trouble(stopped.value)
    with pytest.raises(psycopg.OperationalError) as closed:
        other.execute("SELECT 1")
    assert is_database_trouble(closed.value)
    assert not is_database_trouble(psycopg.DataError("PostgreSQL text fields cannot contain NUL"))
    assert not is_database_trouble(ValueError("anything"))
