"""How far replays have come, as told by the read model and by the conversations themselves."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from backend.domain import commands as c
from backend.domain.outcomes import COMPLETE, TRUNCATED
from projections.replays.projector import ReplaysProjector
from projections.replays.queries import ReplayProgress, get_replay, list_replays
from tests.integration.projections.stories import apply, in_memory, rows_of
from tests.integration.projections.talk import Talk

pytestmark = pytest.mark.usefixtures("fresh_database")


def talk_of(turns: int) -> Talk:
    talk = Talk()
    for number in range(turns):
        talk.say(f"Question {number}")
        talk.reply(f"Answer {number}")
    return talk


def progress(talk: Talk, replay_id: UUID) -> ReplayProgress:
    talk.project()
    found = get_replay(replay_id=replay_id, owner_id=talk.owner)
    assert found is not None
    return found


def step(talk: Talk, replay_id: UUID) -> UUID:
    call_id = talk.story.advance(replay_id)
    assert call_id is not None
    return call_id


def test_a_replay_is_followed_from_its_request_to_its_end() -> None:
    talk = talk_of(2)
    source_leaf = talk.story.conversation(talk.id).selected_leaf_id
    replay_id = talk.story.replay(talk.id, talk.owner, model="big", params={"temperature": 0.5})

    asked = progress(talk, replay_id)
    assert (asked.conversation_id, asked.source_leaf_id) == (talk.id, source_leaf)
    assert (asked.model, asked.params, asked.system_prompt) == ("big", {"temperature": "0.5"}, None)
    assert (asked.state, asked.turns_done, asked.turns_total) == ("running", 0, 2)
    assert (asked.leaf_id, asked.call_ids, asked.error, asked.ended_at) == (None, (), None, None)

    first = step(talk, replay_id)
    begun = progress(talk, replay_id)
    assert (begun.state, begun.turns_done, begun.call_ids) == ("running", 0, (first,))
    assert begun.leaf_id == talk.store.read_call(first).reply_id

    talk.story.answer(first, "Answer", outcome="truncated")
    second = step(talk, replay_id)
    talk.story.answer(second, "Answer")
    ran = progress(talk, replay_id)
    assert (ran.state, ran.turns_done, ran.call_ids) == ("running", 2, (first, second))

    assert talk.story.advance(replay_id) is None
    done = progress(talk, replay_id)
    assert (done.state, done.turns_done) == ("finished", 2)
    assert done.leaf_id == talk.store.read_call(second).reply_id
    assert done.ended_at is not None
    assert done.requested_at == asked.requested_at < done.ended_at


def test_a_replay_that_stopped_says_why_and_goes_on_when_resumed() -> None:
    talk = talk_of(2)
    replay_id = talk.story.replay(talk.id, talk.owner, system_prompt="Be\x7f brief.")
    first = step(talk, replay_id)
    talk.story.answer(first, "", outcome="failed")
    talk.story.advance(replay_id)

    stopped = progress(talk, replay_id)
    assert (stopped.state, stopped.turns_done, stopped.call_ids) == ("failed", 0, (first,))
    assert stopped.error is not None
    assert stopped.error["code"] == "reply_failed"
    assert stopped.ended_at is not None
    assert stopped.system_prompt == "Be\x7f brief."

    again = talk.story.resume(replay_id)
    assert again is not None
    resumed = progress(talk, replay_id)
    assert (resumed.state, resumed.error, resumed.ended_at) == ("running", None, None)
    assert (resumed.call_ids, resumed.turns_done) == ((again,), 0)

    talk.story.answer(again, "Answer")
    second = step(talk, replay_id)
    went_on = progress(talk, replay_id)
    assert (went_on.call_ids, went_on.turns_done) == ((again, second), 1)


def test_a_cancelled_replay_stays_cancelled_whatever_its_last_call_still_says() -> None:
    talk = talk_of(1)
    replay_id = talk.story.replay(talk.id, talk.owner, model="big")
    call_id = step(talk, replay_id)
    talk.story.begin(call_id)
    talk.story.run(c.CancelReplay(talk.owner, talk.id, replay_id))
    talk.story.end(call_id, "Half", outcome="cancelled")

    cancelled = progress(talk, replay_id)
    assert (cancelled.state, cancelled.turns_done, cancelled.error) == ("cancelled", 0, None)
    assert cancelled.call_ids == (call_id,)
    assert cancelled.ended_at is not None


def test_replays_of_a_conversation_are_listed_newest_first_and_for_their_owner_only() -> None:
    talk = talk_of(1)
    older = talk.story.replay(talk.id, talk.owner, model="big")
    newer = talk.story.replay(talk.id, talk.owner, system_prompt="Be brief.")
    reply_id = talk.story.conversation(talk.id).selected_leaf_id
    assert reply_id is not None
    fork = talk.fork(reply_id)
    inherited = talk.story.replay(fork.id, fork.owner, model="big")
    call_id = step(talk, newer)
    talk.story.answer(call_id, "Answer")
    talk.project()

    listed = list_replays(conversation_id=talk.id, owner_id=talk.owner)
    assert [(r.id, r.turns_done, r.call_ids) for r in listed] == [(newer, 1, (call_id,)), (older, 0, ())]
    [of_fork] = list_replays(conversation_id=fork.id, owner_id=fork.owner)
    assert (of_fork.id, of_fork.source_leaf_id, of_fork.turns_total) == (inherited, reply_id, 1)
    assert list_replays(conversation_id=talk.id, owner_id=uuid4()) == ()
    assert get_replay(replay_id=newer, owner_id=uuid4()) is None
    assert get_replay(replay_id=uuid4(), owner_id=talk.owner) is None
    assert get_replay(replay_id=newer, owner_id=None) == listed[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_progress_is_what_the_conversations_know(seed: int) -> None:
    store, story = in_memory(seed)
    story.tell(1200)
    apply(ReplaysProjector, store.read_after(0, store.end()))
    states = set()

    for replay_id, conversation_id, owner_id in story.replays:
        conversation = story.conversation(conversation_id)
        known = conversation.replay(replay_id)
        shown = get_replay(replay_id=replay_id, owner_id=owner_id)
        assert shown is not None
        assert (shown.state, shown.leaf_id) == (known.state, known.reply_id)
        assert (shown.model, shown.params, shown.system_prompt) == (
            known.model,
            known.params,
            known.system_prompt,
        )
        assert (shown.source_leaf_id, shown.turns_total) == (known.leaf_id, known.turns_total)
        assert len(shown.call_ids) == known.turn
        replies = [store.read_call(call_id).reply_id for call_id in shown.call_ids]
        outcomes = [conversation.nodes[reply_id].outcome for reply_id in replies if reply_id]
        assert shown.turns_done == sum(outcome in (COMPLETE, TRUNCATED) for outcome in outcomes)
        assert (shown.error is not None) == (shown.state == "failed")
        assert (shown.ended_at is None) == (shown.state == "running")
        states.add(shown.state)

    assert len(states) >= 3, states


def test_late_repeats_of_any_event_leave_a_replay_as_it_is() -> None:
    talk = talk_of(1)
    replay_id = talk.story.replay(talk.id, talk.owner, model="big")
    call_id = step(talk, replay_id)
    talk.story.answer(call_id, "", outcome="failed")
    talk.story.advance(replay_id)
    talk.story.resume(replay_id)
    events = talk.store.read_after(0, talk.store.end())
    apply(ReplaysProjector, events)
    before = rows_of(ReplaysProjector)

    for recorded in events:
        apply(ReplaysProjector, [recorded])
        assert rows_of(ReplaysProjector)["ReplayRow"] == before["ReplayRow"], recorded.event.TOPIC
