"""Waiting for read models, and rows with the position they belong to."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import DatabaseError, connections, transaction

from projections.batches import apply_batch, ensure_places, places
from projections.conversation_list.projector import ConversationListProjector
from projections.conversation_list.read_table import ConversationListRow
from projections.position_table import ProjectionPosition
from projections.registry import PROJECTORS, UnknownReadModel
from projections.tracking import ReadModelBehind, position_of, snapshot, statuses, wait_until
from tests.integration.projections.stories import told_in_memory

pytestmark = pytest.mark.usefixtures("fresh_database")


def test_a_read_model_that_never_ran_is_at_the_beginning() -> None:
    assert [(s.name, s.position, s.state) for s in statuses()] == [(p.name, 0, "running") for p in PROJECTORS]
    assert position_of("transcript") == 0
    assert wait_until("transcript", 0, timeout_s=0)
    with snapshot("transcript") as found:
        assert found.position == 0


def test_waiting_ends_as_soon_as_the_position_is_passed_and_not_before() -> None:
    ensure_places(PROJECTORS)

    def move_on() -> None:
        time.sleep(0.15)
        ProjectionPosition.objects.filter(name="transcript").update(position=8)
        connections.close_all()

    mover = threading.Thread(target=move_on)
    began = time.monotonic()
    mover.start()
    assert wait_until("transcript", 7, timeout_s=5)
    assert 0.14 < time.monotonic() - began < 3
    mover.join()


def test_waiting_gives_up_in_time() -> None:
    began = time.monotonic()
    assert not wait_until("transcript", 1, timeout_s=0.1)
    assert 0.05 < time.monotonic() - began < 5


def test_unknown_read_models_are_refused_by_name() -> None:
    with pytest.raises(UnknownReadModel, match="no read model 'chats'"):
        wait_until("chats", 1)


def test_a_snapshot_shows_rows_and_position_of_one_moment_whatever_happens_meanwhile() -> None:
    ensure_places(PROJECTORS)
    events = told_in_memory(seed=1, steps=30)
    first = apply_batch(ConversationListProjector, places()["conversation_list"], events[:3])

    def more() -> None:
        apply_batch(ConversationListProjector, first, events[3:])
        connections.close_all()

    with snapshot("conversation_list") as found:
        before = list(ConversationListRow.objects.order_by("id").values())
        other = threading.Thread(target=more)
        other.start()
        other.join()
        assert list(ConversationListRow.objects.order_by("id").values()) == before
        assert found.position == position_of("conversation_list") == 3

    with snapshot("conversation_list") as found:
        assert found.position == events[-1].position
        assert list(ConversationListRow.objects.order_by("id").values()) != before


def test_a_snapshot_that_has_to_wait_too_long_says_so() -> None:
    with (
        pytest.raises(ReadModelBehind, match="transcript has not reached position 5 yet"),
        snapshot("transcript", after=5, timeout_s=0.05),
    ):
        pytest.fail("there is nothing to see yet")
    ensure_places(PROJECTORS)
    ProjectionPosition.objects.update(position=5)
    with snapshot("transcript", after=5, timeout_s=0.05) as found:
        assert found.position == 5


def test_nothing_can_be_written_inside_a_snapshot() -> None:
    with pytest.raises(DatabaseError, match="read-only transaction"), snapshot("transcript"):
        ProjectionPosition.objects.create(name="other")


def test_a_snapshot_inside_a_transaction_is_refused_because_it_would_see_an_older_moment() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), snapshot("transcript"):
        pytest.fail("this is not a moment of its own")
