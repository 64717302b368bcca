"""A chat in containers: whole, streamed, and with nothing lost when parts of it are killed."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.containers.compose import Compose
from tests.containers.conftest import PIECES, long_reply
from tests.support.api_client import ApiClient, Json
from tests.support.stack import wait_until

pytestmark = pytest.mark.timeout(900)


def wait_for_end(person: ApiClient, conversation_id: str, sent: Json) -> Json:
    """The reply's row, also where the product is away for a while meanwhile."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            return person.wait_for_reply(conversation_id, sent["reply_id"], timeout_s=5)
        except (AssertionError, httpx.TransportError):
            time.sleep(0.5)
    raise AssertionError("the reply has not ended")


def assert_answers(person: ApiClient, conversation_id: str) -> None:
    reply = person.say(conversation_id, "And now?", timeout_s=120)
    assert reply["outcome"] in ("complete", "truncated"), reply


def test_whoever_signs_up_has_a_reply_written_before_their_eyes(person: ApiClient) -> None:
    with long_reply(person) as writing:
        reply = person.wait_for_reply(writing.conversation_id, writing.sent["reply_id"], timeout_s=120)
        wait_until(
            lambda: "finished" in writing.stream.states_of(writing.call_id),
            "the end of the call",
            timeout_s=30,
        )
    assert reply["outcome"] in ("complete", "truncated")
    assert writing.shown == reply["content"] != ""
    # Held back by a proxy, all would have come at once.
    came = {round(frame.received, 2) for frame in writing.stream.frames if frame.event == "chunk"}
    assert len(came) >= PIECES
    prompt = person.get(f"/api/model-calls/{writing.call_id}/prompt/")
    assert prompt["identical"] is True


def test_a_page_that_is_loaded_again_in_mid_reply_has_all_of_it(person: ApiClient) -> None:
    with long_reply(person) as writing:
        shown = writing.shown
    sent, conversation_id = writing.sent, writing.conversation_id
    with person.live(cursor=sent["position"], conversation_id=conversation_id) as again:
        reply = person.wait_for_reply(conversation_id, sent["reply_id"], timeout_s=120)
        wait_until(
            lambda: "finished" in again.states_of(sent["call_id"]), "the end of the call", timeout_s=30
        )
    assert reply["content"].startswith(shown)
    assert again.text_of(sent["call_id"]) == reply["content"]


def test_what_was_shown_outlives_a_killed_worker(compose: Compose, person: ApiClient) -> None:
    with long_reply(person) as writing:
        compose.kill("model-calls")
        shown = writing.shown
    compose.up()
    reply = wait_for_end(person, writing.conversation_id, writing.sent)
    assert reply["outcome"] == "interrupted"
    assert reply["content"].startswith(shown)
    assert_answers(person, writing.conversation_id)


def test_another_worker_ends_what_a_killed_one_left(compose: Compose, person: ApiClient) -> None:
    compose.up("--scale", "model-calls=3")
    try:
        with long_reply(person) as writing:
            holder = compose.sql(
                f"SELECT split_part(claimed_by, '-', 1) FROM model_call_queue WHERE call_id = '{writing.call_id}'"
            )
            compose.docker("kill", holder)
            shown = writing.shown
        reply = wait_for_end(person, writing.conversation_id, writing.sent)
        assert (reply["outcome"], reply["content"][: len(shown)]) == ("interrupted", shown)
        assert_answers(person, writing.conversation_id)
    finally:
        compose.up("--scale", "model-calls=1")


def test_what_was_shown_outlives_a_killed_postgresql(compose: Compose, person: ApiClient) -> None:
    with long_reply(person) as writing:
        compose.kill("postgres")
        shown = writing.shown
    compose.up()
    reply = wait_for_end(person, writing.conversation_id, writing.sent)
    assert reply["outcome"] in ("complete", "truncated", "interrupted")
    assert reply["content"].startswith(shown)
    assert_answers(person, writing.conversation_id)


def test_a_page_goes_on_when_one_of_two_web_processes_is_killed(compose: Compose, person: ApiClient) -> None:
    compose.up("--scale", "web=2")
    try:
        conversation_id = person.start_conversation()["id"]
        compose.docker("kill", compose.containers("web")[0]["Id"])
        for _ in range(20):
            assert person.get("/api/conversations/")["results"]
        assert_answers(person, conversation_id)
    finally:
        compose.up("--scale", "web=1")


def test_while_no_web_process_answers_the_front_end_says_so(compose: Compose, person: ApiClient) -> None:
    compose.run("stop", "web")
    try:
        page = person.http.get("/")
        assert (page.status_code, "<!doctype html>" in page.text) == (200, True)
        answer = person.http.get("/api/conversations/")
        assert (answer.status_code, answer.json()["code"]) == (503, "web_unavailable")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "2"
        program = person.http.get("/v1/models")
        assert (program.status_code, program.json()["error"]["code"]) == (503, "web_unavailable")
    finally:
        compose.up()


def test_read_tables_are_rebuilt_and_everything_recorded_is_proven(
    compose: Compose, person: ApiClient
) -> None:
    conversation_id = person.start_conversation(title="Kept")["id"]
    person.say(conversation_id, "What is an event?", timeout_s=120)
    before = person.transcript(conversation_id)
    compose.manage("rebuild_projection", "--all")
    assert person.transcript(conversation_id) == before
    for what in (("prompts", "--all"), ("coverage",), ("log",)):
        compose.manage("verify", *what)


def test_down_and_up_again_keeps_everything(compose: Compose, person: ApiClient) -> None:
    conversation_id = person.start_conversation(title="Kept")["id"]
    person.say(conversation_id, "Are you still here?", timeout_s=120)
    before = person.transcript(conversation_id)
    compose.run("stop")
    killed = [
        name
        for name, containers in compose.services().items()
        for container in containers
        if container["State"]["ExitCode"] == 137
    ]
    assert killed == [], "these did not end when they were asked to"
    compose.run("down")
    compose.up()
    # The log-in is as good as before, too.
    assert person.transcript(conversation_id) == before
    assert_answers(person, conversation_id)
