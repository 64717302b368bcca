"""What a model answered in a call: its reply's text, a title's own, and nothing before the end."""

from __future__ import annotations

from backend.application.call_content import recorded_reply
from backend.domain import commands as c
from tests.support.builders import World, finished


def test_the_answer_of_a_call_is_its_replys_text_with_reasoning_and_tool_calls() -> None:
    world = World()
    conversation_id = world.start()
    sent = world.send(conversation_id)
    claim = world.begin(sent.call_id)
    tool_calls = ({"id": "t1", "function": {"name": "f", "arguments": "{}"}},)
    world.run(
        c.RecordModelCallResult(
            sent.call_id, finished(), "Hi.", "They greet.", tool_calls, None, "worker-1", claim
        )
    )
    again = world.turn(conversation_id, "And now?", "Now too.")

    reply = recorded_reply(world.store, world.call(sent.call_id))

    assert (reply.content, reply.reasoning, list(reply.tool_calls), reply.outcome) == (
        "Hi.",
        "They greet.",
        list(tool_calls),
        "complete",
    )
    assert recorded_reply(world.store, world.call(again.call_id)).content == "Now too."


def test_before_its_end_a_call_has_no_answer_yet() -> None:
    world = World()
    sent = world.send(world.start())
    assert recorded_reply(world.store, world.call(sent.call_id)).outcome == "pending"
    world.begin(sent.call_id)
    reply = recorded_reply(world.store, world.call(sent.call_id))
    assert (reply.content, reply.outcome) == ("", "pending")


def test_an_attempt_that_is_followed_by_another_is_not_the_answer() -> None:
    world = World()
    sent = world.send(world.start())
    claim = world.begin(sent.call_id)
    failed = finished(outcome="failed", final=False, finish_reason=None)
    world.run(
        c.RecordModelCallResult(sent.call_id, failed, "", "", (), None, "worker-1", claim, again_after_s=0.0)
    )
    assert recorded_reply(world.store, world.call(sent.call_id)).outcome == "pending"


def test_a_reply_that_was_cut_off_is_told_with_what_came_of_it() -> None:
    world = World()
    sent = world.send(world.start())
    world.record(sent.call_id, world.begin(sent.call_id), "Half a", outcome="interrupted", finish_reason=None)
    reply = recorded_reply(world.store, world.call(sent.call_id))
    assert (reply.content, reply.outcome) == ("Half a", "interrupted")


def test_the_answer_of_a_call_for_a_title_stands_in_its_own_last_event() -> None:
    world = World(titles=True)
    conversation_id = world.start()
    world.turn(conversation_id)
    call_id = world.conversation(conversation_id).title_call_id
    assert call_id is not None
    world.record(call_id, world.begin(call_id), "not kept here", content="Greetings")

    reply = recorded_reply(world.store, world.call(call_id))

    assert (reply.content, reply.outcome) == ("Greetings", "complete")
