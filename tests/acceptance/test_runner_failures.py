"""Runners fail in many ways; each has an outcome, keeps what came, and says what happened.

The table is failure_cases.py. Every case is played over a real connection through the whole product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise

import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.acceptance.cases_of_differences import REFUSED
from tests.acceptance.failure_case import CancelledAt, FailureCase, RefusedBefore
from tests.acceptance.failure_cases import CASES, words_of
from tests.support.api_client import ApiClient, Json, LiveStream
from tests.support.full_listener import full_listener
from tests.support.stack import Stack, running_stack, wait_until

# Longer than what is waited for a connection, which is another case.
FIRST_TOKEN_S = 6.0
SILENCE_S = 2.0
NOBODY = "127.0.0.1:9"
NO_HOST = "no-such-host.invalid"


@pytest.fixture(scope="module")
def full_port() -> Iterator[int]:
    with full_listener() as port:
        yield port


@pytest.fixture(scope="module")
def failing_stack(shared_runner: ScriptedRunner, full_port: int) -> Iterator[Stack]:
    with running_stack(
        MODEL_RUNNER_URL=shared_runner.url,
        MODEL_RUNNER_MODEL=MODEL_ID,
        MODEL_RUNNER_FIRST_TOKEN_TIMEOUT=f"{FIRST_TOKEN_S:g}",
        MODEL_RUNNER_SILENCE_TIMEOUT=f"{SILENCE_S:g}",
        MODEL_RUNNERS="gone nowhere full secure narrow",
        MODEL_RUNNER_GONE_URL=f"http://{NOBODY}/v1",
        MODEL_RUNNER_NOWHERE_URL=f"http://{NO_HOST}/v1",
        MODEL_RUNNER_FULL_URL=f"http://127.0.0.1:{full_port}/v1",
        MODEL_RUNNER_SECURE_URL=shared_runner.url.replace("http://", "https://"),
        MODEL_RUNNER_NARROW_URL=shared_runner.url,
        MODEL_RUNNER_NARROW_LIMIT="1",
        # A title's call would be answered with the script of a case.
        TITLES="off",
    ) as stack:
        yield stack
        # Whichever cases were played, in whichever order.
        for arguments in (("prompts", "--all"), ("coverage",), ("log",)):
            verified = stack.manage("verify", *arguments)
            assert verified.returncode == 0, verified.stdout
            print(verified.stdout)


@pytest.fixture
def stack(failing_stack: Stack) -> Stack:
    return failing_stack


@pytest.fixture(scope="module")
def somebody(failing_stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(failing_stack.url) as client:
        client.sign_up()
        yield client


def id_of(case: FailureCase | RefusedBefore) -> str:
    return case.name.replace(" ", "-")


@pytest.mark.parametrize("case", CASES, ids=id_of)
def test_a_failure_has_its_outcome_keeps_what_came_and_says_why(
    case: FailureCase, somebody: ApiClient, runner: ScriptedRunner, full_port: int
) -> None:
    model = MODEL_ID if case.asked == "scripted" else f"{case.asked}::{MODEL_ID}"
    conversation = somebody.start_conversation(model=model)
    stop = stopping(case.cancel, somebody, runner)
    runner.play(*case.scripts)
    if case.refuse_s:
        runner.refuse_for(case.refuse_s)

    with somebody.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = somebody.send(conversation["id"], "Hello")
        if case.cancel is not None:
            stop(sent["call_id"], live)
        wait_until(
            lambda: "finished" in live.states_of(sent["call_id"]), "the end of the reply", timeout_s=90
        )
    message, reply = somebody.transcript(conversation["id"])
    call = ended_call(somebody, sent["call_id"])

    assert message["content"] == "Hello", "no failure takes a message"
    assert (reply["outcome"], reply["content"], reply["reasoning"]) == (
        case.outcome,
        case.text,
        case.reasoning,
    )
    assert reply["tool_calls"] == list(case.tool_calls)
    place = {"gone": NOBODY, "nowhere": NO_HOST, "full": f"127.0.0.1:{full_port}"}.get(
        case.asked, runner.url.split("/")[2]
    )
    words = words_of(case, place, first_token_s=FIRST_TOKEN_S, silence_s=SILENCE_S)
    assert reply["error"] == (None if case.code is None else {"code": case.code, "message": words})
    assert live.text_of(sent["call_id"]) == case.text, "what was shown is what is stored"
    check_call(call, case)
    check_attempts(call, case, live.states_of(sent["call_id"]))
    if case.asked == "scripted" and not case.refuse_s:
        assert len(runner.completions) == case.attempts, "the runner is asked once for each attempt"


def check_call(call: Json, case: FailureCase) -> None:
    """What the audit says of the call as a whole."""
    assert call["outcome"] == case.outcome
    assert (call["error"] is not None) == case.is_error_of_the_call
    if case.is_error_of_the_call:
        assert (call["error"]["code"], call["error"]["http_status"]) == (case.code, case.http_status)
    assert {name: call[name] for name in case.recorded} == dict(case.recorded)
    assert call["queue"] is None


def check_attempts(call: Json, case: FailureCase, states: list[str]) -> None:
    """Each attempt has one start and one end, the pauses between them are long enough, and the page was told."""
    between_attempts = case.cancel == "pausing"
    # A cancel that meets no running attempt ends the call by itself, as attempt 0.
    numbers = [*range(1, case.attempts + 1), *([0] if between_attempts or not case.attempts else [])]
    assert [entry["attempt"] for entry in call["attempts"]] == numbers
    topics = [event["topic"].partition(".")[0] for event in call["events"]]
    assert topics.count("ModelCallStarted") == case.attempts
    ends = [topic for topic in topics if topic not in BEFORE_THE_END]
    assert len(ends) == len(numbers), "exactly one end for each attempt"
    for (before, after), pause in zip(pairwise(call["attempts"][: case.attempts]), case.pauses, strict=True):
        waited = datetime.fromisoformat(after["started_at"]) - datetime.fromisoformat(before["ended_at"])
        assert waited.total_seconds() >= pause - 0.05
    assert states.count("retrying") == (1 if between_attempts else max(case.attempts - 1, 0))


BEFORE_THE_END = {"ModelCallRequested", "ModelCallStarted", "ModelCallCancelRequested"}


def ended_call(person: ApiClient, call_id: str) -> Json:
    """The call's page once its end is on it: each read model goes on by itself."""
    path = f"/api/model-calls/{call_id}/"
    wait_until(lambda: person.get(path)["outcome"] != "pending", "the call's end")
    return person.get(path)


def stopping(
    at: CancelledAt | None, person: ApiClient, runner: ScriptedRunner
) -> Callable[[str, LiveStream], None]:
    """What stops a call at this moment of its life; everything that must be there before is made now."""
    others: list[str] = []
    if at == "queued":
        runner.play(Script().text("Mine").hold())
        other = person.start_conversation(model=f"narrow::{MODEL_ID}")
        others.append(person.send(other["id"], "First!")["call_id"])
        wait_until(lambda: runner.completions, "the call that takes the only place")

    def queue_of(call_id: str) -> Json:
        waiting: Json = person.get(f"/api/model-calls/{call_id}/", after=person.last_position)["queue"] or {}
        return waiting

    def stop(call_id: str, live: LiveStream) -> None:
        if at == "queued":
            wait_until(lambda: queue_of(call_id).get("place") == 1, "the place in the queue")
        elif at == "pausing":
            wait_until(lambda: queue_of(call_id).get("retry_at"), "the pause before the next attempt")
        elif at == "writing":
            wait_until(lambda: live.chunks_of(call_id), "the first chunk")
        else:
            wait_until(lambda: runner.completions, "the runner to be asked")
        person.command("POST", f"/api/model-calls/{call_id}/cancel/", status=202)
        if at in ("asked", "reading", "writing"):
            wait_until(lambda: runner.completions[-1].closed_early, "the runner to see the closed connection")
        for other_call in others:
            person.command("POST", f"/api/model-calls/{other_call}/cancel/", status=202)

    return stop


@pytest.mark.parametrize("refused", REFUSED, ids=id_of)
def test_what_no_model_can_answer_is_refused_before_anything_is_stored_or_sent(
    refused: RefusedBefore, somebody: ApiClient, runner: ScriptedRunner
) -> None:
    somebody.get("/api/models/")  # what a model takes is known once its runner was asked
    conversation = somebody.start_conversation()
    body = {"content": "Hello", **refused.changes}

    answer = somebody.request("POST", f"/api/conversations/{conversation['id']}/messages/", body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (refused.status, refused.code)
    assert refused.says in answer.text
    assert somebody.transcript(conversation["id"]) == []
    assert somebody.get(f"/api/conversations/{conversation['id']}/")["version"] == conversation["version"]
    assert runner.completions == []


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


def test_reasoning_and_tool_calls_are_never_sent_back(person: ApiClient, runner: ScriptedRunner) -> None:
    runner.play(Script().reasoning("a secret thought").text("Yes.").tool_call(0, name="look").complete())
    conversation = person.start_conversation()
    person.say(conversation["id"], "Hello")
    person.say(conversation["id"], "And now?")

    sent = runner.completions[-1].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[2] == {"role": "assistant", "content": "Yes."}
    assert b"secret" not in runner.completions[-1].body


def test_a_list_of_models_tells_which_runners_cannot_be_reached(person: ApiClient) -> None:
    runners = {runner["name"]: runner for runner in person.get("/api/models/")["runners"]}
    silent = [name for name, runner in runners.items() if not runner["reachable"]]
    assert silent == ["gone", "nowhere", "full", "secure"]
    assert f"{NOBODY} does not answer" in runners["gone"]["error"]
    assert NO_HOST in runners["nowhere"]["error"]
    assert "MODEL_RUNNER_SECURE_URL" in runners["secure"]["error"], (
        "this runner's setting, not the first one's"
    )


def test_stop_keeps_what_came_and_a_repeat_is_as_welcome_as_the_first(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(Script().text("Before the stop").hold().text(" never seen").complete())
    conversation = person.start_conversation()
    with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = person.send(conversation["id"], "Tell me everything")
        wait_until(lambda: live.chunks_of(sent["call_id"]), "the first chunk")
        for _ in range(2):
            person.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
        reply = person.wait_for_reply(conversation["id"], sent["reply_id"])

    assert (reply["outcome"], reply["content"]) == ("cancelled", "Before the stop")
    person.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
    topics = [event["topic"] for event in ended_call(person, sent["call_id"])["events"]]
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
