"""One turn with the real, built-in model: nothing between the person and llama.cpp is simulated."""

from __future__ import annotations

import pytest

from tests.support.api_client import ApiClient
from tests.support.stack import running_stack, wait_until

pytestmark = pytest.mark.real_model


def test_a_person_gets_a_streamed_reply_from_the_real_model() -> None:
    with running_stack() as stack, ApiClient(stack.url) as person:
        person.sign_up()
        conversation = person.start_conversation(params={"max_tokens": 40, "temperature": 0})
        with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
            sent = person.send(conversation["id"], "Write one sentence about the sea.")
            wait_until(
                lambda: "finished" in live.states_of(sent["call_id"]), "the reply's end", timeout_s=120
            )
            reply = person.transcript(conversation["id"])[-1]
        models = person.get("/api/models/")
        proof = person.get(f"/api/model-calls/{sent['call_id']}/prompt/")

    assert reply["outcome"] in ("complete", "truncated")
    assert len(reply["content"].split()) >= 5
    assert live.text_of(sent["call_id"]) == reply["content"]
    assert len(live.chunks_of(sent["call_id"])) >= 5, "it came piece by piece"
    assert reply["usage"]["completion_tokens"] > 0
    assert proof["identical"] is True
    [model] = models["results"]
    assert model["demonstration"] is True
    assert model["context_tokens"] == 8192
    assert "/" not in model["id"], "the path of the weights is nobody's business"


def test_a_reply_that_was_cut_off_goes_on_where_it_stopped() -> None:
    with running_stack() as stack, ApiClient(stack.url) as person:
        person.sign_up()
        conversation = person.start_conversation(params={"max_tokens": 20, "temperature": 0})
        path = f"/api/conversations/{conversation['id']}"
        first = person.say(conversation["id"], "Write a short story about a fisherman.", timeout_s=120)
        assert first["outcome"] == "truncated"
        answer = person.command("POST", f"{path}/messages/{first['id']}/continue/", {}, status=202)
        person.wait_for_reply(conversation["id"], answer["reply_id"], timeout_s=120)
        _, begun, rest = person.transcript(conversation["id"])
        proof = person.get(f"/api/model-calls/{answer['call_id']}/prompt/")

    assert answer["message_id"] is None, "the built-in runner needs no message that asks it to go on"
    assert rest["continues"] == begun["id"]
    assert proof["identical"] is True
    assert proof["messages"][-1] == {"role": "assistant", "content": begun["content"]}
    assert rest["content"]
    assert not rest["content"].startswith(begun["content"][:10]), "it does not say the beginning again"
