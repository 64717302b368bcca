"""A person sends a message and gets a reply: what the runner received, what is remembered, what is shown."""

from __future__ import annotations

import hashlib
import json

import rfc8785

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import Stack, running_stack, wait_until


def test_the_runner_receives_exactly_the_prompt_that_the_events_give(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    conversation = person.start_conversation(
        system_prompt="Answer “briefly”.", params={"temperature": 0.7, "seed": 7}
    )

    person.say(conversation["id"], "Hello,\nwörld 👋")
    reply = person.say(conversation["id"], "And again")

    sent = runner.completions[-1].body
    first_reply = person.transcript(conversation["id"])[1]["content"]
    assert json.loads(sent) == {
        "messages": [
            {"role": "system", "content": "Answer “briefly”."},
            {"role": "user", "content": "Hello,\nwörld 👋"},
            {"role": "assistant", "content": first_reply},
            {"role": "user", "content": "And again"},
        ],
        "model": "scripted-model",
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.7,
    }
    assert sent == rfc8785.dumps(json.loads(sent))
    proof = person.get(f"/api/model-calls/{reply['call_id']}/prompt/")
    assert proof["body"].encode() == sent
    assert proof["identical"] is True
    assert proof["recorded_sha256"] == proof["body_sha256"] == hashlib.sha256(sent).hexdigest()


def test_no_origin_or_cookie_of_the_browser_reaches_the_runner(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    person.http.headers["Origin"] = str(person.http.base_url).rstrip("/")
    conversation = person.start_conversation()
    person.say(conversation["id"], "Hello")

    headers = runner.completions[-1].headers
    assert "origin" not in headers
    assert "cookie" not in headers


def test_every_step_of_a_turn_is_an_event(person: ApiClient, runner: ScriptedRunner) -> None:
    conversation = person.start_conversation(title="Steps")
    reply = person.say(conversation["id"], "Hello")

    rows = person.get(f"/api/conversations/{conversation['id']}/events/")["results"]
    assert [row["topic"] for row in rows] == [
        "ConversationStarted.v1",
        "SystemPromptChanged.v1",
        "ModelSettingsChanged.v1",
        "UserMessageSent.v1",
        "ReplyRequested.v2",
        "ReplyRecorded.v1",
    ]
    assert [row["version"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[5]["payload"]["content"] == reply["content"]
    call = person.get(f"/api/model-calls/{reply['call_id']}/")
    assert call["outcome"] == "complete"
    assert [event["topic"] for event in call["events"]] == [
        "ModelCallRequested.v2",
        "ModelCallStarted.v1",
        "ModelCallCompleted.v1",
    ]


def test_a_listener_is_shown_exactly_the_recorded_reply(person: ApiClient, runner: ScriptedRunner) -> None:
    runner.play(Script().words("one two three four five", delay_ms=5).complete())
    conversation = person.start_conversation()
    with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        sent = person.send(conversation["id"], "Count")
        wait_until(lambda: "finished" in live.states_of(sent["call_id"]), "the finished frame")
        reply = person.transcript(conversation["id"])[-1]

    assert live.text_of(sent["call_id"]) == reply["content"] == "one two three four five"
    assert live.states_of(sent["call_id"]) == ["requested", "started", "finished"]
    assert reply["outcome"] == "complete", "finished is shown only when the read tables have it"


def test_a_stream_cut_three_times_goes_on_without_gap_or_duplicate(
    person: ApiClient, runner: ScriptedRunner
) -> None:
    script = Script()
    for number in range(40):
        script.text(f"{number} ", delay_ms=20)
    runner.play(script.complete())
    conversation = person.start_conversation()
    sent = person.send(conversation["id"], "Count")
    cursor, seen = conversation["position"], []
    for cut in range(4):
        with person.live(
            cursor=cursor, conversation_id=conversation["id"], last_event_id=cursor if cut else None
        ) as live:
            if cut < 3:
                wait_until(lambda: len(live.chunks_of(sent["call_id"])) >= 5, "some chunks")
            else:
                wait_until(lambda: "finished" in live.states_of(sent["call_id"]), "the end")
        live.closed.wait(5)
        seen += live.chunks_of(sent["call_id"])
        cursor = live.last_cursor or cursor

    numbers = [chunk["seq"] for chunk in seen]
    assert numbers == sorted(set(numbers)), "no chunk came twice or out of order"
    assert numbers == list(range(len(numbers))), "no chunk is missing"
    assert "".join(chunk["text"] for chunk in seen) == person.transcript(conversation["id"])[-1]["content"]


def test_an_own_write_is_read_back_at_once(person: ApiClient, runner: ScriptedRunner) -> None:
    for number in range(10):
        conversation = person.start_conversation(title=f"Number {number}")
        listed = person.get("/api/conversations/", after=conversation["position"])["results"]
        assert conversation["id"] in [row["id"] for row in listed]


def test_somebody_elses_conversation_is_as_unknown_as_one_that_does_not_exist(
    person: ApiClient, stack: Stack, runner: ScriptedRunner
) -> None:
    conversation = person.start_conversation()
    reply = person.say(conversation["id"], "Mine")
    with ApiClient(stack.url) as other:
        other.sign_up()
        unknown = "00000000-0000-4000-8000-000000000000"
        for path in (
            "/api/conversations/{}/",
            "/api/conversations/{}/transcript/",
            "/api/conversations/{}/events/",
        ):
            theirs, missing = (
                other.http.get(path.format(conversation["id"])),
                other.http.get(path.format(unknown)),
            )
            assert theirs.status_code == missing.status_code == 404
            assert theirs.json()["code"] == missing.json()["code"]
        assert other.http.get(f"/api/model-calls/{reply['call_id']}/").status_code == 404
        assert other.http.get(f"/api/model-calls/{reply['call_id']}/prompt/").status_code == 404
        sent = other.request("POST", f"/api/conversations/{conversation['id']}/messages/", {"content": "Hi"})
        assert sent.status_code == 404
        assert other.get("/api/model-calls/")["results"] == []


def test_without_a_configured_model_the_runners_first_one_is_the_default(own_runner: ScriptedRunner) -> None:
    with running_stack(MODEL_RUNNER_URL=own_runner.url) as stack, ApiClient(stack.url) as person:
        person.sign_up()
        early = person.start_conversation()
        unknown = person.request("POST", f"/api/conversations/{early['id']}/messages/", {"content": "Hello"})
        person.get("/api/models/")
        assert person.start_conversation()["settings"]["model"] == "scripted-model"
        assert person.say(early["id"], "Hello")["outcome"] == "complete"

    assert unknown.status_code == 400
    assert "model" in unknown.json()["errors"]
    assert own_runner.completions[-1].json["model"] == "scripted-model"
