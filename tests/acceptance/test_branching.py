"""Branches, forks, replays and the context budget through the whole product."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.stack import Stack, running_stack, wait_until


def said(person: ApiClient, conversation_id: str, **params: Any) -> list[str]:
    return [message["content"] for message in person.transcript(conversation_id, **params)]


def replay_state(person: ApiClient, replay: Json) -> Callable[[], bool]:
    path = f"/api/replays/{replay['replay_id']}/"
    return lambda: bool(person.get(path, after=replay["position"])["state"] != "running")


def test_an_edit_leaves_the_old_branch_as_it_was(runner: ScriptedRunner, person: ApiClient) -> None:
    runner.always(Script().text("A reply").complete())
    conversation_id = person.start_conversation()["id"]
    person.say(conversation_id, "One")
    person.say(conversation_id, "Two")
    before = person.transcript(conversation_id)
    edited = person.command(
        "POST",
        f"/api/conversations/{conversation_id}/messages/{before[2]['id']}/edit/",
        {"content": "Two, better"},
        status=202,
    )
    person.wait_for_reply(conversation_id, edited["reply_id"])
    assert said(person, conversation_id) == ["One", "A reply", "Two, better", "A reply"]
    assert said(person, conversation_id, leaf=before[-1]["id"]) == ["One", "A reply", "Two", "A reply"]
    versions = person.transcript(conversation_id)[2]
    assert (versions["sibling_index"], versions["sibling_ids"][0]) == (1, before[2]["id"])


def test_a_fork_can_be_made_while_a_reply_runs_and_lives_on_when_its_source_is_deleted(
    runner: ScriptedRunner, person: ApiClient
) -> None:
    runner.play(Script().text("The first").complete())
    source = person.start_conversation(title="The source")["id"]
    first = person.say(source, "Begin")
    runner.play(Script().words("and so on " * 200, delay_ms=20).complete())
    running = person.send(source, "Go on")
    path = f"/api/conversations/{source}/fork/"
    refused = person.request("POST", path, {"message_id": running["reply_id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "reply_pending")
    fork = person.command("POST", path, {"message_id": first["id"]}, status=201)
    assert fork["version"] == 1, "a fork is one event"
    person.command("DELETE", f"/api/conversations/{source}/", status=202)
    runner.always(Script().text("In the fork").complete())
    person.say(fork["id"], "Somewhere else")
    assert said(person, fork["id"]) == ["Begin", "The first", "Somewhere else", "In the fork"]
    told = person.get(f"/api/conversations/{fork['id']}/")["forked_from"]
    assert (told["title"], told["deleted"], told["message_number"]) == ("The source", True, 2)
    sent = runner.completions[-1].json["messages"]
    assert [message["content"] for message in sent][1:] == ["Begin", "The first", "Somewhere else"]


def test_a_replay_survives_kill_9_of_the_model_call_worker_again_and_again(
    own_stack: Stack, own_runner: ScriptedRunner
) -> None:
    turns = 20
    own_runner.always(Script().text("ok").complete())
    with ApiClient(own_stack.url) as person:
        person.sign_up()
        conversation_id = person.start_conversation()["id"]
        for number in range(turns):
            person.say(conversation_id, f"Question {number}")
        original = said(person, conversation_id)
        leaf_id = person.transcript(conversation_id)[-1]["id"]
        own_runner.always(Script().words("a reply in some words", delay_ms=15).complete())
        replay = person.command(
            "POST",
            f"/api/conversations/{conversation_id}/replay/",
            {"system_prompt": "Shout."},
            status=202,
        )
        for done in (2, 5, 9):
            wait_until(lambda: _done(person, replay) >= done, f"{done} turns", timeout_s=60)  # noqa: B023  waited for at once
            killed = own_stack.kill_part("model-calls")
            own_stack.wait_for_new_part("model-calls", killed)
        wait_until(lambda: _done(person, replay) == turns, "the end of the replay", timeout_s=120)
        wait_until(replay_state(person, replay), "its record")
        told = person.get(f"/api/replays/{replay['replay_id']}/")
        assert (told["state"], told["turns_done"], told["turns_total"]) == ("finished", turns, turns)
        assert said(person, conversation_id, leaf=leaf_id) == original, "the original is untouched"
        branch = person.transcript(conversation_id, leaf=told["leaf_id"])
        assert [m["content"] for m in branch if m["role"] == "user"] == [
            f"Question {n}" for n in range(turns)
        ]
        assert {m["outcome"] for m in branch if m["role"] == "assistant"} == {"complete"}
        assert own_runner.completions[-1].json["messages"][0]["content"] == "Shout."


def _done(person: ApiClient, replay: Json) -> int:
    """How many turns are done. A replay whose reply was interrupted by the kill is resumed, as a person would."""
    path = f"/api/replays/{replay['replay_id']}/"
    # As of the last resume, so that a read table that is behind does not lead to a second one.
    told = person.get(path, after=person.last_position)
    if told["state"] == "failed":
        assert told["error"]["code"] == "reply_interrupted"
        person.command("POST", f"{path}resume/", {}, status=202)
    return int(told["turns_done"])


def test_messages_that_no_longer_fit_are_left_out_and_named() -> None:
    with ScriptedRunner(delay_ms=0, context_tokens=1024).in_thread() as small:
        small.always(Script().text("word " * 40).finish().done())
        with (
            running_stack(MODEL_RUNNER_URL=small.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack,
            ApiClient(stack.url) as person,
        ):
            person.sign_up()
            assert person.get("/api/models/")["results"][0]["context_tokens"] == 1024
            conversation_id = person.start_conversation()["id"]
            for number in range(12):
                person.say(conversation_id, f"Question {number}: " + "many words " * 20)
            replies = [m for m in person.transcript(conversation_id) if m["role"] == "assistant"]
            omitted = [reply["omitted_count"] or 0 for reply in replies]
            assert omitted[0] == 0
            assert omitted[-1] > 0
            assert len(set(omitted)) < len(omitted) / 2, "a cut stays for several turns"
            assert omitted == sorted(omitted)
            sent = small.completions[-1].json["messages"]
            assert len(sent) == 1 + 2 * 11 + 1 - omitted[-1]
            call = person.get(f"/api/model-calls/{replies[-1]['call_id']}/")
            assert (call["trimming"]["policy"], call["trimming"]["omitted_count"]) == (
                "keep-latest",
                omitted[-1],
            )
            proof = person.get(f"/api/model-calls/{replies[-1]['call_id']}/prompt/")
            assert (proof["identical"], proof["omitted_count"]) == (True, omitted[-1])
            assert json.loads(proof["body"])["messages"] == sent
            too_long = person.request(
                "POST", f"/api/conversations/{conversation_id}/messages/", {"content": "long " * 40_000}
            )
            assert (too_long.status_code, too_long.json()["code"]) == (400, "prompt_too_long")


def test_an_overflow_offers_a_tighter_cut(runner: ScriptedRunner, person: ApiClient) -> None:
    overflow = {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long"}}
    runner.always(Script().text("ok").complete())
    conversation_id = person.start_conversation()["id"]
    for number in range(6):
        person.say(conversation_id, f"Question {number} with some words in it")
    runner.always(Script().respond(400, overflow))
    failed = person.say(conversation_id, "One too many")
    assert (failed["outcome"], failed["error"]["code"]) == ("failed", "context_overflow")
    runner.always(Script().text("Now it fits").complete())
    again = person.command(
        "POST",
        f"/api/conversations/{conversation_id}/messages/{failed['id']}/regenerate/",
        {"tighter_cut": True},
        status=202,
    )
    reply = person.wait_for_reply(conversation_id, again["reply_id"])
    assert reply["content"] == "Now it fits"
    assert reply["omitted_count"] > 0
    assert len(runner.completions[-1].json["messages"]) < len(runner.completions[-2].json["messages"])
