"""From a command to its commit, on the store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from backend.application.history import rebuild_own_prompt, rebuild_prompt
from backend.application.ports import AppendConflict, ClaimLost, Companion, IdempotencyKey, InstallationDefaults
from backend.domain import commands as c
from backend.domain import errors
from backend.domain.conversation import Conversation
from backend.domain.model_call import ModelCall
from backend.event_store.memory import InMemoryEventStore
from tests.support.builders import OWNER, STRANGER, Sent, World, finished, make_id


def key(name: str = "k", path: str = "POST /x/", digest: str = "d") -> IdempotencyKey:
    return IdempotencyKey(OWNER, name, path, digest)


class RivalStore(InMemoryEventStore):
    """Somebody else is faster `conflicts` times."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = conflicts
        self.refused: list[list[UUID]] = []

    def append(self, *aggregates: Conversation | ModelCall, companions: Sequence[Companion] = ()) -> int:
        if self.conflicts:
            self.conflicts -= 1
            self.refused.append([aggregate.id for aggregate in aggregates])
            raise AppendConflict("a rival was first")
        return super().append(*aggregates, companions=companions)


def test_a_conversation_starts_with_the_installations_defaults() -> None:
    world = World()
    body = world.run(c.StartConversation(OWNER)).body
    assert body["settings"] == {"system_prompt": "You are a helpful assistant.", "model": "scripted-model", "params": {}}
    assert (body["title"], body["version"], body["selected_leaf_id"]) == ("New conversation", 3, None)


def test_a_sent_message_queues_a_call_whose_digest_is_that_of_the_rebuilt_prompt() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id, "Hello")
    assert list(world.store.queue) == [sent.call_id]
    rebuilt = rebuild_prompt(world.store, world.call(sent.call_id))
    assert rebuilt.identical
    assert [m["content"] for m in rebuilt.prompt.messages] == ["You are a helpful assistant.", "Hello"]
    assert world.call(sent.call_id).prompt_request.version == sent.version


def test_a_commands_own_model_and_parameters_hold_for_its_call_only() -> None:
    world = World()
    conversation_id = world.start(params={"seed": 1})
    sent = world.send(conversation_id, model="another", params={"temperature": 0})
    request = world.call(sent.call_id).prompt_request
    assert (request.model, request.params) == ("another", {"temperature": "0"})
    assert world.conversation(conversation_id).settings.model == "scripted-model"


def test_without_any_model_a_message_is_refused_by_name() -> None:
    world = World(defaults=InstallationDefaults("New conversation", "", model=""))
    conversation_id, end = world.start(), world.store.end()
    with pytest.raises(errors.InvalidInput, match="No model is chosen") as refusal:
        world.send(conversation_id)
    assert "model" in refusal.value.fields
    assert world.store.end() == end
    world.send(conversation_id, model="chosen-here")


def test_the_same_key_gives_the_first_answer_and_stores_nothing_more() -> None:
    world = World()
    first = world.run(c.StartConversation(OWNER, title="Once"), key=key())
    end = world.store.end()
    assert world.run(c.StartConversation(OWNER, title="Once"), key=key()) == first
    assert world.store.end() == end


@pytest.mark.parametrize("other", [key(path="POST /y/"), key(digest="e")])
def test_the_same_key_for_another_request_is_refused(other: IdempotencyKey) -> None:
    world = World()
    world.run(c.StartConversation(OWNER), key=key())
    with pytest.raises(errors.IdempotencyKeyReused):
        world.run(c.StartConversation(OWNER), key=other)


def test_the_same_key_of_somebody_else_is_another_key() -> None:
    world = World()
    first = world.run(c.StartConversation(OWNER), key=key())
    theirs = IdempotencyKey(STRANGER, "k", "POST /x/", "d")
    assert world.run(c.StartConversation(STRANGER), key=theirs).body["id"] != first.body["id"]


def test_a_refusal_is_not_kept() -> None:
    world = World()
    conversation_id = world.start()
    with pytest.raises(errors.UnknownParent):
        world.run(c.SendUserMessage(OWNER, conversation_id, "x", parent_id=make_id("nowhere")), key=key())
    assert world.run(c.SendUserMessage(OWNER, conversation_id, "x"), key=key()).status == 202


def test_a_lost_race_is_decided_again_with_the_same_ids() -> None:
    store = RivalStore(0)
    world = World(store)
    conversation_id = world.start()
    store.conflicts = 9
    sent = world.send(conversation_id)
    assert world.asked_to_pause == 9
    assert {tuple(ids) for ids in store.refused} == {(conversation_id, sent.call_id)}
    assert rebuild_prompt(store, world.call(sent.call_id)).identical


def test_ten_lost_races_are_told() -> None:
    world = World(RivalStore(10))
    with pytest.raises(errors.TooManyConflicts):
        world.run(c.StartConversation(OWNER))


def test_a_stale_expected_version_is_refused_and_a_fresh_one_is_not() -> None:
    world = World()
    conversation_id = world.start()
    with pytest.raises(errors.VersionConflict):
        world.send(conversation_id, expected_version=2)
    assert world.send(conversation_id, expected_version=3).version == 5


@pytest.mark.parametrize(
    "command",
    [
        lambda cid: c.SendUserMessage(STRANGER, cid, "Hi"),
        lambda cid: c.RegenerateReply(STRANGER, cid, make_id("x")),
        lambda cid: c.ChangeConversation(STRANGER, cid, title="Mine"),
        lambda cid: c.DeleteConversation(STRANGER, cid),
        lambda cid: c.RestoreConversation(STRANGER, cid),
    ],
)
def test_somebody_elses_conversation_is_unknown(command: Any) -> None:
    world = World()
    conversation_id, end = world.start(), world.store.end()
    with pytest.raises(errors.UnknownConversation):
        world.run(command(conversation_id))
    with pytest.raises(errors.UnknownConversation):
        world.run(command(make_id("nowhere")))
    assert world.store.end() == end


def test_somebody_elses_call_is_unknown() -> None:
    world = World()
    sent = world.send(world.start())
    with pytest.raises(errors.UnknownModelCall):
        world.run(c.CancelModelCall(STRANGER, sent.call_id))
    with pytest.raises(errors.UnknownModelCall):
        rebuild_own_prompt(world.store, sent.call_id, STRANGER)
    assert rebuild_own_prompt(world.store, sent.call_id, None).identical, "an auditor may"


def test_a_conversation_is_no_call_and_a_call_no_conversation() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    with pytest.raises(errors.UnknownModelCall):
        world.call(conversation_id)
    with pytest.raises(errors.UnknownConversation):
        world.conversation(sent.call_id)


def test_change_makes_an_event_for_each_thing_that_changed() -> None:
    world = World()
    conversation_id = world.start()
    change = c.ChangeConversation(
        OWNER, conversation_id, title="New", pinned=True, archived=True, system_prompt="x", model="m", params={"seed": 1}
    )
    body = world.run(change).body
    assert body["version"] == 3 + 5
    assert (body["title"], body["pinned"], body["archived"]) == ("New", True, True)
    assert body["settings"] == {"system_prompt": "x", "model": "m", "params": {"seed": "1"}}
    assert world.run(change).body["version"] == 8, "a second time nothing changes"


def test_regenerate_makes_a_sibling_reply() -> None:
    world = World()
    conversation_id = world.start()
    first = world.turn(conversation_id)
    again = Sent.of(world.run(c.RegenerateReply(OWNER, conversation_id, first.reply_id)))
    nodes = world.conversation(conversation_id).nodes
    assert nodes[again.reply_id].parent_id == nodes[first.reply_id].parent_id == first.message_id
    assert rebuild_prompt(world.store, world.call(again.call_id)).prompt.body == (
        rebuild_prompt(world.store, world.call(first.call_id)).prompt.body
    )


# ---- calls ------------------------------------------------------------------------------------


def test_a_call_that_nobody_claimed_is_cancelled_with_its_reply_in_one_commit() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    world.run(c.CancelModelCall(OWNER, sent.call_id))
    assert world.call(sent.call_id).outcome == "cancelled"
    assert world.conversation(conversation_id).nodes[sent.reply_id].outcome == "cancelled"
    assert not world.store.queue
    assert not world.store.announced_cancels


@pytest.mark.parametrize("started", [False, True])
def test_a_claimed_call_is_only_asked_to_stop(started: bool) -> None:
    world = World()
    sent = world.send(world.start())
    claim = world.begin(sent.call_id) if started else world.claim(sent.call_id)
    for _ in range(3):
        assert world.run(c.CancelModelCall(OWNER, sent.call_id)).status == 202
    assert world.store.announced_cancels == [sent.call_id]
    call = world.call(sent.call_id)
    assert (call.outcome, call.cancel_requested) == ("pending", True)
    world.record(sent.call_id, claim, "Half", attempt=int(started), outcome="cancelled", finish_reason=None)
    assert world.call(sent.call_id).outcome == "cancelled"


def test_cancelling_too_late_stores_nothing() -> None:
    world = World()
    sent = world.turn(world.start())
    end = world.store.end()
    assert world.run(c.CancelModelCall(OWNER, sent.call_id)).status == 202
    assert world.store.end() == end


def test_reply_and_end_are_one_commit() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    claim, before = world.begin(sent.call_id), world.store.end()
    position = int(world.record(sent.call_id, claim, "All of it").body["position"])
    written = world.store.read_after(before, 10)
    assert [type(r.event).__name__ for r in written] == ["ReplyRecorded", "ModelCallCompleted"]
    assert position == written[-1].position
    assert not world.store.queue


def test_a_worker_that_lost_its_claim_stores_nothing() -> None:
    world = World()
    sent = world.send(world.start())
    stale = world.begin(sent.call_id, "slow")
    fresh = world.claim(sent.call_id, "sweeper")
    end = world.store.end()
    with pytest.raises(ClaimLost):
        world.record(sent.call_id, stale, worker="slow")
    with pytest.raises(ClaimLost):
        world.record(sent.call_id, fresh, worker="slow")
    assert world.store.end() == end
    world.record(sent.call_id, fresh, "Half", worker="sweeper", outcome="interrupted", finish_reason=None)
    with pytest.raises(errors.AttemptRefused):
        world.record(sent.call_id, stale, worker="slow")


def test_deleting_asks_running_calls_to_stop_and_their_replies_are_still_recorded() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    claim = world.begin(sent.call_id)
    world.run(c.DeleteConversation(OWNER, conversation_id))
    assert world.call(sent.call_id).cancel_requested
    assert world.store.announced_cancels == [sent.call_id]
    world.record(sent.call_id, claim, "Half", outcome="cancelled", finish_reason=None)
    assert world.conversation(conversation_id).nodes[sent.reply_id].outcome == "cancelled"
    end = world.store.end()
    world.run(c.DeleteConversation(OWNER, conversation_id))
    assert world.store.end() == end
    with pytest.raises(errors.ConversationIsDeleted):
        world.send(conversation_id)
    world.run(c.RestoreConversation(OWNER, conversation_id))
    world.send(conversation_id)


def test_a_result_that_is_not_final_leaves_the_reply_pending() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    claim = world.begin(sent.call_id)
    command = c.RecordModelCallResult(
        sent.call_id, finished(outcome="failed", final=False, finish_reason=None), "", "", (), None, "worker-1", claim
    )
    world.run(command)
    assert world.conversation(conversation_id).nodes[sent.reply_id].is_pending
    assert list(world.store.queue) == [sent.call_id]
