"""Programs call models through the product: the official client and curl, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.openai_program import call_of, client_of, curl, next_text, token_for
from tests.support.stack import Stack, wait_until

MODEL = "scripted-model"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def token(person: ApiClient) -> str:
    return token_for(person)


@pytest.fixture
def client(stack: Stack, token: str) -> OpenAI:
    return client_of(stack, token)


def user(content: str) -> Any:
    return {"role": "user", "content": content}


def test_the_models_are_listed(client: OpenAI, runner: ScriptedRunner) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).object == "model"


def test_a_whole_answer(client: OpenAI, person: ApiClient, runner: ScriptedRunner) -> None:
    runner.play(Script().text("Hello ").text("there").complete())
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=[user("Hi")])
    completion = answer.parse()

    assert completion.object == "chat.completion"
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 18
    call = call_of(person, answer.headers["X-Model-Call-Id"])
    assert (call["purpose"], call["source"], call["outcome"]) == ("external", "openai", "complete")
    assert call["conversation_id"] == answer.headers["X-Conversation-Id"]


def test_the_runners_own_answer_is_given_back_byte_for_byte(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    body = {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        "timings": {"predicted_ms": 1.5},
    }
    written = json.dumps(body, indent=1)
    runner.play(Script().respond(200, written.encode()))
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=[user("Hi")])

    assert answer.http_response.content == written.encode()
    call = call_of(person, answer.headers["X-Model-Call-Id"])
    assert (call["response_id"], call["response_model"]) == ("chatcmpl-7", "served-model")
    assert call["usage"] == {"prompt_tokens": 3, "completion_tokens": 1}


def test_a_stream_is_passed_on_piece_by_piece(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(Script().role().words("one two three", delay_ms=5).complete())
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=[user("Count")], stream=True, stream_options={"include_usage": True}
    ) as response:
        call_id = response.headers["X-Model-Call-Id"]
        assert response.headers["content-type"].startswith("text/event-stream")
        chunks = list(response.parse())
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]

    assert [text for text in texts if text] == ["one ", "two ", "three"]
    assert chunks[-1].usage is not None
    call = call_of(person, call_id)
    assert (call["outcome"], call["finish_reason"], call["delivered_characters"]) == ("complete", "stop", 13)


def test_the_first_piece_comes_before_the_second_is_written(client: OpenAI, runner: ScriptedRunner) -> None:
    runner.play(Script().text("first").hold().text(" second").complete())
    stream = client.chat.completions.create(model=MODEL, messages=[user("Hi")], stream=True)
    assert next_text(stream) == "first"
    runner.release()
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == " second"


def test_the_runner_receives_the_clients_bytes_unchanged(
    person: ApiClient, stack: Stack, token: str, runner: ScriptedRunner
) -> None:
    body = (
        b'{ "messages" : [ {"content":"H\\u00ef \xe2\x82\xac","role":"user"} ],\n  "unheard_of" : {"b":1.50,"a":[null]},'
        b' "temperature":0.10, "model" : "scripted-model" }'
    )
    answer = person.http.post(
        "/v1/chat/completions", content=body, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 200, answer.text
    assert runner.completions[-1].body == body
    proof = person.get(f"/api/model-calls/{answer.headers['X-Model-Call-Id']}/prompt/")
    assert proof["body"].encode() == body
    assert proof["identical"] is True
    assert proof["recorded_sha256"] == hashlib.sha256(body).hexdigest()


def test_nothing_of_the_client_but_its_body_reaches_the_runner(
    person: ApiClient, token: str, runner: ScriptedRunner
) -> None:
    headers = {"Authorization": f"Bearer {token}", "Origin": "http://elsewhere", "Cookie": "a=b"}
    body = {"model": MODEL, "messages": [user("Hi")]}
    assert person.http.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    received = runner.completions[-1].headers
    assert not {"authorization", "origin", "cookie"} & received.keys()


def test_tools_and_formats_pass_through_in_both_directions(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(
        Script()
        .tool_call(0, call_id="call_1", name="weather", arguments='{"city":')
        .tool_call(0, arguments='"Rome"}')
        .complete("tool_calls")
    )
    first = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("Weather?")], tools=[WEATHER], response_format={"type": "json_object"}
    )
    completion = first.parse()
    sent = runner.completions[-1].json
    assert sent["tools"] == [WEATHER]
    assert sent["response_format"] == {"type": "json_object"}
    (call,) = completion.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Rome"}')

    runner.play(Script().text("Sunny").complete())
    second = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[
            user("Weather?"),
            completion.choices[0].message.model_dump(),  # type: ignore[list-item]  # as programs do
            {"role": "tool", "tool_call_id": "call_1", "content": "20 degrees"},
        ],
    )
    conversation_id = first.headers["X-Conversation-Id"]
    assert second.headers["X-Conversation-Id"] == conversation_id
    call_of(person, second.headers["X-Model-Call-Id"])
    rows = person.transcript(conversation_id)
    assert [(row["role"], row["content"]) for row in rows] == [
        ("user", "Weather?"),
        ("assistant", ""),
        ("tool", "20 degrees"),
        ("assistant", "Sunny"),
    ]
    assert rows[1]["tool_calls"][0]["function"]["name"] == "weather"


def test_a_programs_history_is_a_conversation_that_can_be_branched_in_the_browser(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    history: list[Any] = [{"role": "system", "content": "Be brief."}]
    conversations = set()
    for number, question in enumerate(("One?", "Two?", "Three?")):
        runner.play(Script().text(f"Answer {number}").complete())
        history.append(user(question))
        answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=history)
        message = answer.parse().choices[0].message
        history.append(message.model_dump(exclude_none=True))
        conversations.add(answer.headers["X-Conversation-Id"])
    (conversation_id,) = conversations
    runner.play(Script().text("Another second answer").complete())
    client.chat.completions.create(model=MODEL, messages=[*history[:3], user("Two, differently?")])
    call_of(person, answer.headers["X-Model-Call-Id"])
    wait_until(
        lambda: len(person.get(f"/api/conversations/{conversation_id}/tree/")["results"]) == 8, "the branch"
    )

    page = person.get(f"/api/conversations/{conversation_id}/")
    assert page["title"] == "One?"
    assert page["settings"]["system_prompt"] == "Be brief."
    nodes = person.get(f"/api/conversations/{conversation_id}/tree/")["results"]
    second = [node for node in nodes if node["parent_id"] == nodes[1]["id"]]
    assert [node["excerpt"] for node in second] == ["Two?", "Two, differently?"]

    runner.play(Script().text("In the browser").complete())
    reply = person.say(conversation_id, "And from here?")
    assert reply["content"] == "In the browser"
    assert [message["content"] for message in runner.completions[-1].json["messages"]] == [
        "Be brief.",
        "One?",
        "Answer 0",
        "Two, differently?",
        "Another second answer",
        "And from here?",
    ]
    found = person.get("/api/search/", q="differently")
    assert found["results"], "what a program said is found"
    exported = person.get(f"/api/conversations/{conversation_id}/export/json/")
    assert [m["content"] for m in exported["messages"]][:2] == ["One?", "Answer 0"]
    assert person.get(f"/api/conversations/{conversation_id}/at/6/")["results"]


def test_a_program_goes_on_from_a_conversation_of_the_browser(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    runner.play(Script().text("Hello, human").complete())
    conversation = person.start_conversation()
    reply = person.say(conversation["id"], "Hi")
    runner.play(Script().text("Hello, program").complete())
    with person.live(cursor=person.last_position, conversation_id=conversation["id"]) as live:
        answer = client.chat.completions.with_raw_response.create(
            model=MODEL,
            messages=[user("Hi"), {"role": "assistant", "content": reply["content"]}, user("More")],
        )
        call_id = answer.headers["X-Model-Call-Id"]
        wait_until(lambda: "finished" in live.states_of(call_id), "the end in the browser")
    assert answer.headers["X-Conversation-Id"] == conversation["id"]
    assert live.text_of(call_id) == "Hello, program"


def test_a_conversation_can_begin_in_the_archive(
    client: OpenAI, person: ApiClient, runner: ScriptedRunner
) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("Complete this")], extra_headers={"X-Archive-Conversation": "1"}
    )
    call_of(person, answer.headers["X-Model-Call-Id"])
    assert person.get("/api/conversations/", archived="true")["results"][0]["archived"] is True
    assert person.get("/api/conversations/", archived="false")["results"] == []


def test_curl(stack: Stack, token: str, runner: ScriptedRunner, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"model": MODEL, "messages": [user("Hi")], "stream": True}))
    runner.play(Script().text("Hello").complete())
    status, answer = curl(
        f"{stack.url}/v1/chat/completions", "-H", f"Authorization: Bearer {token}", body=body
    )
    assert status == 200
    assert answer.strip().endswith("data: [DONE]")
    assert '"content":"Hello"' in answer.replace(" ", "")
    status, answer = curl(f"{stack.url}/v1/models", "-H", f"Authorization: Bearer {token}")
    assert (status, json.loads(answer)["data"][0]["id"]) == (200, MODEL)
