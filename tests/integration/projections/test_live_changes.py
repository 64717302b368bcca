"""What listening browsers are told, and for how long it is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.application.ports import RecordedEvent
from backend.domain import commands as c
from projections.batches import Fenced, Place, apply_batch, ensure_places, places, tidy
from projections.live_changes.projector import KEPT, LiveChangesProjector
from projections.live_changes.queries import changes_after, oldest_cursor
from projections.live_changes.read_table import LiveChangeRow, LiveStreamRow
from projections.registry import PROJECTORS
from tests.integration.projections.stories import apply, empty, in_memory, rows_of
from tests.integration.projections.talk import Talk

pytestmark = pytest.mark.usefixtures("fresh_database")


def test_each_event_is_told_with_its_ids_and_without_texts() -> None:
    store, story = in_memory(seed=1)
    conversation_id = story.start()
    owner = story.conversations[0][1]
    sent = story.send(conversation_id, owner, "A secret question")
    story.answer(story.calls[0][0], "A secret answer", outcome="failed")
    story.rename(conversation_id, owner, "A secret title")
    apply(LiveChangesProjector, store.read_after(0, 100))

    changes = changes_after(position=0, owner_id=owner)
    message, reply, call = sent["message_id"], sent["reply_id"], sent["call_id"]
    error = {"code": "stream_cut", "message": "It\ufffd broke."}
    call_error = {"code": "stream_cut", "message": "The line\ufffd broke."}
    ids = {"message_id": reply, "reply_id": reply, "call_id": call}
    call_ids = {"call_id": call, "reply_id": reply}
    assert [(change.kind, change.data) for change in changes] == [
        ("conversation_started", {"version": 1}),
        ("system_prompt_changed", {"version": 2}),
        ("model_settings_changed", {"version": 3}),
        ("user_message_sent", {"version": 4, "message_id": message, "parent_id": None}),
        ("reply_requested", {"version": 5, "parent_id": message, "continues": None, **ids}),
        ("model_call_requested", {"version": 1, "purpose": "reply", **call_ids}),
        ("model_call_started", {"version": 2, "attempt": 1, **call_ids}),
        ("reply_recorded", {"version": 6, "outcome": "failed", "error": error, **ids}),
        (
            "model_call_failed",
            {
                "version": 3,
                "attempt": 1,
                "outcome": "failed",
                "final": True,
                "error": call_error,
                "chunk_count": len("A secret answer"),
                **call_ids,
            },
        ),
        ("conversation_renamed", {"version": 7}),
    ]
    assert {change.conversation_id for change in changes} == {conversation_id}
    assert [change.position for change in changes] == list(range(1, 11))
    assert [c.position for c in changes_after(position=4, owner_id=owner, limit=2)] == [5, 6]


def test_branches_and_replays_are_told_with_their_ids() -> None:
    talk = Talk()
    one = talk.say("One?")
    first = talk.reply("first", outcome="truncated")
    replay_id = talk.story.replay(talk.id, talk.owner, model="big")
    call = talk.story.advance(replay_id)
    assert call is not None
    replayed = talk.story.conversation(talk.id).selected_leaf_id
    talk.story.answer(call, "", outcome="failed")
    talk.story.advance(replay_id)
    again = talk.story.resume(replay_id)
    assert again is not None
    reply = talk.store.read_call(again).reply_id
    talk.story.answer(again, "Yes")
    talk.story.advance(replay_id)
    cancelled = talk.story.replay(talk.id, talk.owner, model="big", leaf_id=first)
    talk.story.run(c.CancelReplay(talk.owner, talk.id, cancelled))
    talk.select(first)
    talk.hide(first)
    talk.show(first)
    rest = talk.go_on(first, "rest")
    apply(LiveChangesProjector, talk.store.read_after(0, 1000))

    told: dict[str, list[dict[str, object]]] = {}
    for change in changes_after(position=0, owner_id=talk.owner):
        told.setdefault(change.kind, []).append({k: v for k, v in change.data.items() if k != "version"})
    replay, other = {"replay_id": str(replay_id)}, {"replay_id": str(cancelled)}
    assert told["replay_requested"] == [
        {**replay, "leaf_id": str(first), "turns_total": 1},
        {**other, "leaf_id": str(first), "turns_total": 1},
    ]
    [stopped] = told["replay_stopped"]
    assert stopped["error"] == {
        "code": "reply_failed",
        "message": "The reply to turn 1 of 1 ended as failed; it says why. "
        "Resume the replay to ask for it again.",
    }
    assert stopped == {**replay, "turn": 1, "error": stopped["error"]}
    assert told["replay_resumed"] == [replay]
    assert told["replay_finished"] == [{**replay, "leaf_id": str(reply)}]
    assert told["replay_cancelled"] == [other]
    assert told["branch_selected"][0] == {"leaf_id": str(first)}
    assert told["branch_hidden"] == told["branch_shown"] == [{"leaf_id": str(first)}]
    asked, by_replay, by_resumed, continued = told["reply_requested"]
    assert asked["parent_id"] == str(one)
    assert {"replay_id", "turn"}.isdisjoint(asked)
    assert by_replay["message_id"] == str(replayed)
    assert (by_replay["replay_id"], by_replay["turn"]) == (str(replay_id), 1)
    assert (by_resumed["reply_id"], by_resumed["turn"]) == (str(reply), 1)
    assert (continued["reply_id"], continued["continues"]) == (str(rest), str(first))


def old_and_new() -> tuple[int, list[RecordedEvent]]:
    """A story of which the first half is older than what is kept; the last old position, and all events."""
    store, story = in_memory(seed=1)
    story.began = datetime.now(UTC) - KEPT - timedelta(hours=1)
    story.tell(60)
    last_old = store.end()
    story.began = datetime.now(UTC) - timedelta(hours=1)
    story.tell(60)
    return last_old, store.read_after(0, store.end())


def test_old_changes_are_dropped_at_once_when_they_come_late_and_the_horizon_says_so() -> None:
    last_old, events = old_and_new()
    assert oldest_cursor() == 0

    apply(LiveChangesProjector, events)

    assert oldest_cursor() == last_old
    kept = changes_after(position=0, owner_id=None, limit=10_000)
    assert [change.position for change in kept] == list(range(last_old + 1, len(events) + 1))


def test_tidying_drops_what_has_grown_old_and_later_events_still_find_their_owner() -> None:
    store, story = in_memory(seed=1)
    story.tell(80)
    aged = store.end()
    ensure_places(PROJECTORS)
    place = apply_batch(LiveChangesProjector, places()["live_changes"], store.read_after(0, aged))
    LiveChangeRow.objects.update(at=datetime.now(UTC) - KEPT - timedelta(seconds=1))
    ended = LiveStreamRow.objects.filter(ended_position__isnull=False).count()
    assert ended > 0

    tidy(LiveChangesProjector, place)

    assert oldest_cursor() == aged
    assert not LiveChangeRow.objects.exists()
    assert not LiveStreamRow.objects.filter(ended_position__isnull=False).exists()
    story.tell(80)
    apply_batch(LiveChangesProjector, place, store.read_after(aged, 10_000))
    kept = changes_after(position=aged, owner_id=None, limit=10_000)
    assert [change.position for change in kept] == list(range(aged + 1, store.end() + 1))


def test_delivering_old_events_again_brings_nothing_back() -> None:
    last_old, events = old_and_new()
    apply(LiveChangesProjector, events)
    before = rows_of(LiveChangesProjector)

    apply(LiveChangesProjector, events[last_old // 2 :])
    apply(LiveChangesProjector, events)
    after = rows_of(LiveChangesProjector)

    assert after["LiveChangeRow"] == before["LiveChangeRow"]
    assert after["LiveHorizonRow"] == before["LiveHorizonRow"]
    empty(LiveChangesProjector)
    apply(LiveChangesProjector, events)
    assert rows_of(LiveChangesProjector) == before


def test_tidying_is_fenced() -> None:
    ensure_places(PROJECTORS)
    with pytest.raises(Fenced):
        tidy(LiveChangesProjector, Place(5, "running"))
