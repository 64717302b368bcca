"""Continuing a reply over HTTP, for runners that can and for runners that cannot."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.test import override_settings

from tests.integration.api.support import Json, Person, StandInWorker


def cut_off(ann: Person, worker: StandInWorker) -> Json:
    """A reply that ended too early; what sending the message was answered with."""
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Tell me a story.")
    worker.start(sent["call_id"])
    worker.finish(sent["call_id"], "Once upon a ti", outcome="truncated")
    return {**sent, "path": f"/api/conversations/{conversation['id']}/", "id": conversation["id"]}


def prompt_of(ann: Person, call_id: str, position: str) -> list[tuple[str, str]]:
    """The messages of a call after the system prompt, rebuilt and identical to those recorded."""
    proof = ann.get(f"/api/model-calls/{call_id}/prompt/", after=position)
    assert proof["identical"] is True
    return [(message["role"], message["content"]) for message in proof["messages"][1:]]


def test_where_the_runner_goes_on_the_prompt_ends_with_the_reply(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    sent = cut_off(ann, worker)
    goes_on = tuple(replace(runner, continues=True) for runner in settings.MODEL_RUNNERS)
    with override_settings(MODEL_RUNNERS=goes_on):
        answer = ann.command("POST", f"{sent['path']}messages/{sent['reply_id']}/continue/", {}, status=202)
    assert answer["message_id"] is None
    assert prompt_of(ann, answer["call_id"], answer["position"]) == [
        ("user", "Tell me a story."),
        ("assistant", "Once upon a ti"),
    ]
    position = worker.answer(answer["call_id"], "me there was a fisherman.")
    first, reply, rest = ann.get(f"{sent['path']}transcript/", after=position)["results"]
    assert (first["continues"], reply["continues"], rest["continues"]) == (None, None, sent["reply_id"])
    assert rest["parent_id"] == sent["reply_id"]
    assert reply["content"] + rest["content"] == "Once upon a time there was a fisherman."


def test_where_the_runner_does_not_it_is_asked_in_a_message(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    sent = cut_off(ann, worker)
    does_not = tuple(replace(runner, continues=False) for runner in settings.MODEL_RUNNERS)
    with override_settings(MODEL_RUNNERS=does_not):
        answer = ann.command("POST", f"{sent['path']}messages/{sent['reply_id']}/continue/", {}, status=202)
    assert prompt_of(ann, answer["call_id"], answer["position"]) == [
        ("user", "Tell me a story."),
        ("assistant", "Once upon a ti"),
        ("user", "Continue exactly where you stopped."),
    ]
    position = worker.answer(answer["call_id"], "Time there was.")
    *_, asked, rest = ann.get(f"{sent['path']}transcript/", after=position)["results"]
    assert (asked["id"], asked["parent_id"]) == (answer["message_id"], sent["reply_id"])
    assert (rest["parent_id"], rest["continues"]) == (answer["message_id"], None)
