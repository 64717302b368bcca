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
