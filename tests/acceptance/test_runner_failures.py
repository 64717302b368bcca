"""Runners fail in many ways; each has an outcome, keeps what came, and says what happened."""

from __future__ import annotations

import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.stack import running_stack, wait_until

FAILURES = {
    "an error status": (
        Script().respond(500, {"error": {"message": "out of memory"}}),
        "failed",
        "",
        "out of memory",
    ),
    "a refusal": (
        Script().respond(400, {"error": {"message": "bad temperature"}}),
        "failed",
        "",
        "bad temperature",
    ),
    "an empty error": (Script().respond(502, "", "text/plain"), "failed", "", "HTTP 502"),
    "an unknown model": (
        Script().respond(404, "no such model", "text/plain"),
        "failed",
        "",
        "does not have this model",
    ),
    "a full context": (
        Script().respond(
            400,
            {
                "error": {
                    "type": "exceed_context_size_error",
                    "message": "too big",
                    "n_prompt_tokens": 9000,
                    "n_ctx": 8192,
                }
            },
        ),
        "failed",
        "",
        "808 too many",
    ),
    "no answer at all": (Script().cut(), "failed", "", "without an answer"),
    "a cut in mid-stream": (Script().text("Half a sen").cut(), "interrupted", "Half a sen", "broke"),
    "an end without a reason": (Script().text("Suddenly").end(), "interrupted", "Suddenly", ""),
    "an error in the stream": (
        Script().text("So far").error(message="cuda died"),
        "failed",
        "So far",
        "cuda died",
    ),
    "a full context while writing": (Script().text("Long").complete("length"), "truncated", "Long", ""),
    "nonsense": (Script().text("ok").raw(b"data: {nonsense\n\n"), "failed", "ok", "cannot be read"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_has_its_outcome_keeps_its_text_and_says_why(
    case: str, person: ApiClient, runner: ScriptedRunner
) -> None:
    script, outcome, content, words = FAILURES[case]
    runner.play(script)
    conversation = person.start_conversation()

    reply = person.say(conversation["id"], "Hello")

    assert (reply["outcome"], reply["content"]) == (outcome, content)
    if words:
        assert words in reply["error"]["message"]
    call = person.get(f"/api/model-calls/{reply['call_id']}/")
    assert call["outcome"] == outcome
    ends = [e for e in call["events"] if e["topic"] not in ("ModelCallRequested.v1", "ModelCallStarted.v1")]
    assert len(ends) == 1, "exactly one end"


def test_after_a_failure_the_message_can_be_answered_again(person: ApiClient, runner: ScriptedRunner) -> None:
    runner.play(Script().respond(500, {"error": {"message": "no"}}))
    conversation = person.start_conversation()
    failed = person.say(conversation["id"], "Hello")

    path = f"/api/conversations/{conversation['id']}/messages/{failed['id']}/regenerate/"
    again = person.command("POST", path, {}, status=202)
    reply = person.wait_for_reply(conversation["id"], again["reply_id"])

    assert reply["outcome"] == "complete"
    assert reply["parent_id"] == failed["parent_id"]
    assert reply["sibling_ids"] == [failed["id"], reply["id"]]


def test_an_unreachable_runner_loses_no_message() -> None:
    with (
        running_stack(MODEL_RUNNER_URL="http://127.0.0.1:9/v1", MODEL_RUNNER_MODEL="any") as stack,
        ApiClient(stack.url) as person,
    ):
        person.sign_up()
        conversation = person.start_conversation()
        reply = person.say(conversation["id"], "Is anybody there?")
        rows: list[Json] = person.transcript(conversation["id"])
        models = person.get("/api/models/")

    assert rows[0]["content"] == "Is anybody there?"
    assert reply["outcome"] == "failed"
    assert "127.0.0.1:9 does not answer" in reply["error"]["message"]
    assert models["runners"][0]["reachable"] is False
    assert models["runners"][0]["error"]


def test_stop_keeps_what_came_and_closes_the_runners_connection(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(Script().text("Before the stop").hold().text(" never seen").complete())
    conversation = person.start_conversation()
    with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = person.send(conversation["id"], "Tell me everything")
        wait_until(lambda: live.chunks_of(sent["call_id"]), "the first chunk")
        for _ in range(2):  # a repeat is as welcome as the first
            person.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
        reply = person.wait_for_reply(conversation["id"], sent["reply_id"])

    assert (reply["outcome"], reply["content"]) == ("cancelled", "Before the stop")
    wait_until(lambda: runner.completions[-1].closed_early, "the runner to see the closed connection")
    person.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
    topics = [e["topic"] for e in person.get(f"/api/model-calls/{sent['call_id']}/")["events"]]
    assert topics.count("ModelCallCancelRequested.v1") == 1
    assert topics[-1] == "ModelCallCancelled.v1"


def test_a_reply_to_a_deleted_conversation_is_stopped_and_still_recorded(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(Script().text("Half").hold())
    conversation = person.start_conversation()
    with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = person.send(conversation["id"], "Hello")
        wait_until(lambda: live.chunks_of(sent["call_id"]), "the first chunk")
        person.command("DELETE", f"/api/conversations/{conversation['id']}/", status=202)
        person.command("POST", f"/api/conversations/{conversation['id']}/restore/", status=200)
        reply = person.wait_for_reply(conversation["id"], sent["reply_id"])

    assert (reply["outcome"], reply["content"]) == ("cancelled", "Half")
