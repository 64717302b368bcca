"""Erasing beside read models that are behind, at work, or made anew: the rows end up the same in every case."""

from __future__ import annotations

import threading
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from backend.domain import commands as c
from backend.domain.errors import CallsUnderWay, ConversationIsErased, DomainError, ForksRemain
from backend.domain.events import ConversationErased
from backend.event_store.store import PostgresEventStore
from projections.model_calls.read_table import ModelCallRow
from projections.registry import PROJECTORS
from projections.tracking import wait_until
from projections.transcript.read_table import TranscriptRow
from tests.integration.projections.stories import (
    Story,
    all_events,
    present_rows,
    put,
    rows_from_scratch,
    told_in_memory,
)
from tests.integration.projections.workers import worker_thread


def finish_calls(story: Story) -> None:
    for call_id, _ in list(story.calls):
        try:
            if story.store.read_call(call_id).open_attempt is None:
                story.begin(call_id)
            story.end(call_id, "The end", outcome="complete")
        except DomainError:
            continue  # it has ended


def erase_some(story: Story, count: int) -> int:
    """Erase conversations of the story until so many are gone; those that others go on from are left alone."""
    gone = 0
    for conversation_id, _ in list(story.conversations):
        try:
            story.run(c.EraseConversations((conversation_id,), by="Ada", reason="asked for"))
        except (CallsUnderWay, ForksRemain, ConversationIsErased):
            continue
        gone += 1
        if gone == count:
            break
    return gone


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rows_are_the_same_whenever_a_read_model_meets_the_erasure(
    fresh_database: str, store: PostgresEventStore, seed: int
) -> None:
    story = Story(store, seed)
    story.tell(250)
    finish_calls(story)
    with worker_thread(fresh_database, batch_size=7):
        # The worker is in the middle of all that when payloads begin to go.
        eraser = threading.Thread(target=erase_some, args=(story, 6))
        eraser.start()
        eraser.join()
        story.tell(50)
        end = all_events(fresh_database)[-1].position
        assert all(wait_until(projector.name, end, timeout_s=30) for projector in PROJECTORS)
        live = present_rows()
    erased = [e.event for e in all_events(fresh_database) if isinstance(e.event, ConversationErased)]
    assert len(erased) >= 3, "the story leaves too little to erase"
    assert any(event.calls for event in erased)
    assert live == rows_from_scratch(fresh_database)
    for event in erased:
        assert not TranscriptRow.objects.filter(conversation_id=event.originator_id).exists()
        calls = ModelCallRow.objects.filter(conversation_id=event.originator_id)
        assert {call.id for call in calls} == {call.call_id for call in event.calls}
        assert all(call.erased is not None and call.erased["by"] == "Ada" for call in calls)


ERASED = """convert_to('{"erased":{"sha256":"' || encode(sha256(state), 'hex') || '"}}', 'UTF8')"""


@pytest.mark.parametrize(
    "change",
    [
        f"state = {ERASED}, topic = 'Other.v1'",
        f"state = {ERASED}, originator_version = originator_version + 100000",
        f"state = {ERASED}, originator_id = gen_random_uuid()",
        f"state = {ERASED}, notification_id = notification_id + 100000",
        "state = convert_to('{\"erased\":{\"sha256\":\"' || repeat('0', 64) || '\"}}', 'UTF8')",
        f"state = {ERASED} || ' '",
        "state = '{}'",
        "state = state",
    ],
)
def test_the_database_lets_no_other_change_through(fresh_database: str, change: str) -> None:
    put(told_in_memory(seed=1, steps=30), fresh_database)
    with psycopg.connect(fresh_database) as connection:
        connection.execute("SELECT set_config('verbatim.erasing', 'payloads', true)")
        with pytest.raises(InsufficientPrivilege, match="replace a payload by its own digest"):
            connection.execute(f"UPDATE events SET {change} WHERE notification_id = 1")


def test_only_a_transaction_that_says_so_may_erase_and_it_may_not_delete(fresh_database: str) -> None:
    put(told_in_memory(seed=1, steps=30), fresh_database)
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        with pytest.raises(InsufficientPrivilege, match="Events are immutable: UPDATE"):
            connection.execute(f"UPDATE events SET state = {ERASED} WHERE notification_id = 1")
        connection.execute("SELECT set_config('verbatim.erasing', 'payloads', false)")
        for statement in ("DELETE FROM events", "TRUNCATE events"):
            with pytest.raises(InsufficientPrivilege, match="Events are immutable"):
                connection.execute(statement)
        connection.execute(f"UPDATE events SET state = {ERASED} WHERE notification_id = 1")
        with pytest.raises(InsufficientPrivilege, match="once"):
            connection.execute(f"UPDATE events SET state = {ERASED} WHERE notification_id = 1")


def test_what_an_erasure_says_and_who_read_what_can_never_be_erased(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    story.tell(120)
    story.look()
    assert erase_some(story, 1) == 1
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute("SELECT set_config('verbatim.erasing', 'payloads', false)")
        for topic in ("ConversationErased.v1", "AuditTrailOpened.v1", "AuditRead.v1"):
            assert connection.execute("SELECT 1 FROM events WHERE topic = %s", (topic,)).fetchone()
            with pytest.raises(InsufficientPrivilege):
                connection.execute(f"UPDATE events SET state = {ERASED} WHERE topic = %s", (topic,))


def test_a_fork_and_an_erasure_at_the_same_moment_never_both_stand(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=4)
    owner = story.owners[0]
    for number in range(12):
        source = story.start(owner, title="A title of its own")
        message_id = UUID(story.send(source, owner, f"Question {number}")["message_id"])
        story.answer(story.calls[-1][0], "Answer")
        other = Story(store, seed=100 + number)
        outcomes: list[str] = []
        commands = (
            (other, c.ForkConversation(owner, source, message_id)),
            (story, c.EraseConversations((source,), by="Ada", reason="asked for")),
        )
        threads = [threading.Thread(target=_race, args=(*each, outcomes)) for each in commands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) in (["ConversationIsErased", "done"], ["ForksRemain", "done"])


def _race(story: Story, command: c.Command, outcomes: list[str]) -> None:
    try:
        story.run(command)
        outcomes.append("done")
    except DomainError as refusal:
        outcomes.append(type(refusal).__name__)
