"""A reply from its request to its record: text, chunks, outcome, measurements."""

from __future__ import annotations

import json

import pytest

from backend.application.runner_port import (
    Finished,
    ResponseIdentity,
    RunnerFailure,
    ToolCallFragment,
    Usage,
)
from tests.integration.model_calls.world import (
    STREAM_CUT,
    BrokenRunner,
    Ears,
    HeldRunner,
    World,
    eventually,
    working,
)

pytestmark = pytest.mark.asyncio


async def test_a_reply_is_streamed_in_order_and_recorded_whole(world: World, ears: Ears) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask("What is an event?")
        stream = await runner.stream()
        stream.give(ResponseIdentity("chatcmpl-1", "scripted-model", "fp"))
        for place, word in enumerate(["An ", "event ", "is ", "a ", "fact."]):
            stream.say(word)
            await world.chunks_beyond(asked, place)
        stream.give(Finished("stop"))
        stream.give(Usage(12, 5))
        stream.end()
        reply = await world.reply_of(asked)

    assert (reply.content, reply.outcome, reply.finish_reason, reply.error) == (
        "An event is a fact.",
        "complete",
        "stop",
        None,
    )
    assert [chunk["seq"] for chunk in world.chunks(asked)] == [0, 1, 2, 3, 4]
    assert "".join(chunk["text"] for chunk in world.chunks(asked)) == reply.content
    await eventually(lambda: ears.text(asked) == reply.content)
    assert ears.frames[0] == {
        "c": str(asked.call_id),
        "r": str(asked.reply_id),
        "v": str(asked.conversation_id),
        "o": str(world.owner_id),
        "state": "started",
    }

    (topic, end) = world.ends(asked)[0]
    assert topic == "ModelCallCompleted.v1"
    assert (end["attempt"], end["final"], end["chunk_count"], end["delivered_characters"]) == (1, True, 5, 19)
    assert (end["usage"], end["usage_source"]) == ({"prompt_tokens": 12, "completion_tokens": 5}, "runner")
    assert (end["response_id"], end["response_model"], end["system_fingerprint"]) == (
        "chatcmpl-1",
        "scripted-model",
        "fp",
    )
    assert 0 <= end["first_token_ms"] <= end["duration_ms"]
    assert end["content"] is None, "the reply holds the text, and nothing holds it twice"
    assert world.queue() == []


async def test_the_runner_receives_exactly_the_recorded_bytes(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask("Grüße 👋")
        stream = await runner.stream()
        stream.give(Finished("stop"))
        stream.end()
        await world.reply_of(asked)
    sent = json.loads(stream.body)
    assert sent["messages"][-1] == {"role": "user", "content": "Grüße 👋"}
    assert world.call(asked).body_length == len(stream.body)


async def test_what_the_worker_records_belongs_to_the_request_that_set_it_off(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner) as worker:
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Hi")
        stream.give(Finished("stop"))
        stream.end()
        await world.reply_of(asked)
        worker_id = worker.worker_id
    rows = world.store.read_stream(asked.call_id, 0, 10)
    assert len({row.payload["correlation_id"] for row in rows}) == 1
    assert [row.payload["actor"] for row in rows[1:]] == [f"model-calls:{worker_id}"] * 2


async def test_reasoning_and_tool_calls_are_kept_apart(world: World, ears: Ears) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("", reasoning="Let me think.")
        stream.give(ToolCallFragment(1, "b", "second", "{"))
        stream.give(ToolCallFragment(0, "a", "first", '{"x":'))
        stream.give(ToolCallFragment(0, arguments="1}"))
        stream.give(ToolCallFragment(1, arguments="}"))
        stream.give(Finished("tool_calls"))
        stream.end()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.reasoning, reply.outcome) == ("", "Let me think.", "complete")
    assert reply.tool_calls == [
        {"id": "a", "type": "function", "function": {"name": "first", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "second", "arguments": "{}"}},
    ]
    await eventually(lambda: [frame["g"] for frame in ears.frames if "g" in frame] == ["Let me think."])


async def test_text_that_nothing_can_store_is_replaced_not_fatal(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("a\x00b\ud800c")
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
    assert reply.content == "a\ufffdb\ufffdc"


async def test_a_piece_larger_than_a_notification_is_split_and_arrives_whole(
    world: World, ears: Ears
) -> None:
    text = 'é"\\\n👋' * 5_000
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say(text)
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
        await eventually(lambda: ears.text(asked) == text)
    assert reply.content == text
    assert "".join(chunk["text"] for chunk in world.chunks(asked)) == text
    assert max(ears.payload_sizes) <= 7_900


@pytest.mark.parametrize(
    ("finish_reason", "outcome", "code"),
    [
        ("stop", "complete", None),
        ("length", "truncated", "length"),
        ("content_filter", "truncated", "content_filter"),
        (None, "interrupted", "no_finish_reason"),
    ],
)
async def test_the_finish_reason_decides_whether_a_reply_is_complete(
    world: World, finish_reason: str | None, outcome: str, code: str | None
) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Half a tho")
        if finish_reason:
            stream.give(Finished(finish_reason))
        stream.end()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("Half a tho", outcome)
    assert (reply.error.code if reply.error else None) == code
    if reply.error:
        assert "is kept" in reply.error.message


async def test_an_end_before_the_first_word_is_a_failure(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        (await runner.stream()).end()
        reply = await world.reply_of(asked)
    assert reply.outcome == "failed"
    assert reply.error is not None
    assert reply.error.code == "empty_response"


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (STREAM_CUT, "interrupted"),
        (RunnerFailure("stream_silent", "The model runner said nothing for 60 s."), "interrupted"),
        (RunnerFailure("runner_error", "The model runner reported: out of memory."), "failed"),
        (ValueError("a fault of ours"), "failed"),
    ],
)
async def test_a_failure_in_mid_stream_keeps_the_text(world: World, failure: Exception, outcome: str) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("Up to here")
        stream.fail(failure)
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("Up to here", outcome)
    assert reply.error is not None
    assert reply.error.message.endswith("The text up to there is kept.")
    assert world.ends(asked)[0][1]["error"]["code"] == reply.error.code


async def test_a_cut_after_the_finish_takes_nothing_from_the_reply(world: World) -> None:
    runner = HeldRunner()
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("All said.")
        stream.give(Finished("stop"))
        stream.fail(STREAM_CUT)
        reply = await world.reply_of(asked)
    assert (reply.outcome, reply.error) == ("complete", None)


@pytest.mark.parametrize(
    "failure",
    [
        RunnerFailure(
            "model_not_found", "The model runner at held does not have this model.", http_status=404
        ),
        RunnerFailure("stream_cut", "The connection to the model runner broke.", http_status=200),
        RunnerFailure("runner_refused", "The model runner refused the request.", http_status=400),
        RuntimeError("a fault of ours"),
    ],
)
async def test_a_failure_before_the_first_word_is_failed_with_the_reason(
    world: World, failure: Exception
) -> None:
    async with working(world, BrokenRunner(failure)):
        asked = world.ask()
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("", "failed")
    assert reply.error is not None
    assert reply.error.message
    (topic, end) = world.ends(asked)[0]
    assert topic == "ModelCallFailed.v1"
    assert end["attempt"] == 1
    assert end["first_token_ms"] is None
    assert end["error"]["http_status"] == getattr(failure, "http_status", None)


async def test_a_prompt_that_differs_from_the_record_is_not_sent(world: World) -> None:
    asked = world.ask()
    genuine = world.store.read_call

    def tampered(call_id: object) -> object:
        call = genuine(asked.call_id)
        call.body_sha256 = "0" * 64
        return call

    world.store.read_call = tampered  # type: ignore[method-assign, assignment]
    runner = HeldRunner()
    async with working(world, runner):
        reply = await world.reply_of(asked)
    assert runner.streams == []
    assert reply.outcome == "failed"
    assert reply.error is not None
    assert reply.error.code == "prompt_mismatch"
    assert world.topics(asked) == ["ModelCallRequested.v2", "ModelCallFailed.v1"]
    assert world.ends(asked)[0][1]["attempt"] == 0
    assert world.queue() == []
