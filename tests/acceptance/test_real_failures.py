"""The real, built-in model fails in ways that can be brought about: killed, full, and stopped by a person."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.api_client import ApiClient, Json
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.real_model

STORY = "Tell me a very long story about the sea, with many chapters."


@pytest.fixture(scope="module")
def real_stack() -> Iterator[Stack]:
    with running_stack(MODEL_CONTEXT="512", TITLES="off") as stack:
        yield stack


@pytest.fixture
def writer(real_stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(real_stack.url) as client:
        client.sign_up()
        yield client


def test_a_context_that_fills_up_while_it_writes_truncates_the_reply(
    writer: ApiClient,
) -> None:
    conversation = writer.start_conversation(params={"temperature": 0})
    reply = writer.say(conversation["id"], STORY, timeout_s=120)

    assert reply["outcome"] == "truncated"
    assert reply["error"]["code"] == reply["finish_reason"] == "length"
    assert reply["content"]
    assert reply["usage"]["prompt_tokens"] + reply["usage"]["completion_tokens"] == 512


def test_a_conversation_longer_than_the_model_takes_is_told_by_how_much(writer: ApiClient) -> None:
    conversation = writer.start_conversation(params={"temperature": 0, "max_tokens": 8})
    # Rare words have more tokens than an estimate by their length expects.
    reply = writer.say(conversation["id"], "ζ ж ש क 漢 " * 60, timeout_s=120)

    assert (reply["outcome"], reply["content"]) == ("failed", "")
    assert reply["error"]["code"] == "context_overflow"
    assert "the model takes 512" in reply["error"]["message"]
    assert "Retry with fewer earlier messages" in reply["error"]["message"]


def test_killed_in_mid_reply_it_keeps_the_text_and_the_next_message_is_answered_by_itself(
    real_stack: Stack, writer: ApiClient
) -> None:
    conversation = writer.start_conversation(params={"temperature": 0})
    with writer.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = writer.send(conversation["id"], STORY)
        wait_until(lambda: len(live.chunks_of(sent["call_id"])) > 3, "the first words", timeout_s=120)
        killed = real_stack.kill_part("runner")
        wait_until(lambda: "finished" in live.states_of(sent["call_id"]), "the reply's end")
        reply = writer.transcript(conversation["id"])[-1]
        shown = live.text_of(sent["call_id"])
    real_stack.wait_for_new_part("runner", killed)
    second = writer.start_conversation(params={"temperature": 0, "max_tokens": 4})
    answer = writer.say(second["id"], "Say hello.", timeout_s=120)

    assert reply["outcome"] == "interrupted"
    assert reply["error"]["code"] == "stream_cut"
    assert reply["error"]["message"].endswith("The text up to there is kept.")
    assert shown == reply["content"] != ""
    assert answer["content"]
    assert answer["error"] is None or answer["error"]["code"] == "length"
    call: Json = writer.get(f"/api/model-calls/{answer['call_id']}/", after=writer.last_position)
    assert all(
        entry["error"]["code"] in ("runner_unreachable", "runner_loading") for entry in call["attempts"][:-1]
    )


def test_stopped_while_it_writes_it_is_free_for_the_next_one(writer: ApiClient) -> None:
    first = writer.start_conversation(params={"temperature": 0})
    with writer.live(cursor=first["position"], conversation_id=first["id"]) as live:
        sent = writer.send(first["id"], STORY)
        wait_until(lambda: live.chunks_of(sent["call_id"]), "the first words", timeout_s=120)
        writer.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
        stopped = writer.wait_for_reply(first["id"], sent["reply_id"])
    began = time.monotonic()
    second = writer.start_conversation(params={"temperature": 0, "max_tokens": 2})
    answer = writer.say(second["id"], "Say hello.")

    assert stopped["outcome"] == "cancelled"
    assert stopped["content"]
    assert answer["content"]
    assert time.monotonic() - began < 20
