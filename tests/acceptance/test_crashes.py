"""Parts are killed at bad moments; what was acknowledged or shown is still there afterwards."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import httpx

from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.stack import Stack, wait_until


def counting(words: int, delay_ms: float) -> Script:
    return Script().words(" ".join(str(number) for number in range(words)), delay_ms=delay_ms).complete()


def test_kill_9_of_the_model_call_worker_keeps_every_token_that_was_shown(
    own_stack: Stack, own_runner: ScriptedRunner
) -> None:
    own_runner.play(counting(2000, delay_ms=10))
    with ApiClient(own_stack.url) as person:
        person.sign_up()
        conversation = person.start_conversation()
        with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
            sent = person.send(conversation["id"], "Count")
            wait_until(lambda: len(live.chunks_of(sent["call_id"])) >= 50, "fifty chunks")
            killed = own_stack.kill_part("model-calls")
            own_stack.wait_for_new_part("model-calls", killed)
            reply = person.wait_for_reply(conversation["id"], sent["reply_id"])
            shown = live.text_of(sent["call_id"])
        assert reply["outcome"] == "interrupted"
        assert reply["content"].startswith(shown), "every shown token is in the recorded reply"
        assert len(shown) > 50
        assert reply["error"]["message"]
        own_runner.always(Script().text("Back again").complete())
        assert person.say(conversation["id"], "Still there?")["content"] == "Back again"


def test_kill_9_of_a_web_process_in_mid_reply_resumes_on_the_next_one(
    own_stack: Stack, own_runner: ScriptedRunner
) -> None:
    own_runner.play(counting(150, delay_ms=20))
    with ApiClient(own_stack.url) as person:
        person.sign_up()
        conversation = person.start_conversation()
        with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
            sent = person.send(conversation["id"], "Count")
            wait_until(lambda: len(live.chunks_of(sent["call_id"])) >= 10, "ten chunks")
            killed = own_stack.kill_part("web")
            assert live.closed.wait(10)
        own_stack.wait_for_new_part("web", killed)
        wait_until(lambda: _answers(own_stack.url), "the new web process")
        cursor = live.last_cursor or "0"
        with person.live(cursor=cursor, conversation_id=conversation["id"], last_event_id=cursor) as rest:
            wait_until(
                lambda: "finished" in rest.states_of(sent["call_id"]), "the end of the reply", timeout_s=30
            )
        reply = person.wait_for_reply(conversation["id"], sent["reply_id"])

    numbers = [chunk["seq"] for chunk in live.chunks_of(sent["call_id"]) + rest.chunks_of(sent["call_id"])]
    assert numbers == list(range(len(numbers))), "no chunk is missing and none came twice"
    chunks = live.chunks_of(sent["call_id"]) + rest.chunks_of(sent["call_id"])
    assert "".join(chunk["text"] for chunk in chunks) == reply["content"]
    assert reply["outcome"] == "complete"


def test_a_killed_database_loses_no_acknowledged_message(
    own_stack: Stack, own_runner: ScriptedRunner
) -> None:
    own_runner.always(Script().text("ok").complete())
    acknowledged: list[str] = []
    refused: list[int] = []
    with ApiClient(own_stack.url) as person:
        person.sign_up()
        stop = threading.Event()

        def send_on_and_on() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    answer = person.request("POST", "/api/conversations/", {"title": f"Number {number}"})
                except httpx.TransportError:
                    continue  # never acknowledged
                if answer.status_code == 201:
                    acknowledged.append(answer.json()["id"])
                else:
                    refused.append(answer.status_code)

        thread = threading.Thread(target=send_on_and_on)
        thread.start()
        try:
            wait_until(lambda: len(acknowledged) >= 20, "twenty acknowledged commands")
            killed = own_stack.kill_part("postgres")
            own_stack.wait_for_new_part("postgres", killed)
            before = len(acknowledged)
            wait_until(
                lambda: len(acknowledged) >= before + 20, "commands to be accepted again", timeout_s=40
            )
        finally:
            stop.set()
            thread.join(30)
        listed = _all_conversations(person, acknowledged[-1])

    assert set(acknowledged) <= listed
    assert set(refused) <= {503}, "while the database is away, commands are refused with 503"


def test_kill_9_of_the_supervisor_leaves_nothing_running(own_stack: Stack) -> None:
    pids = [pid for pid, _ in own_stack.children()]
    assert len(pids) >= 4
    os.kill(own_stack.pid, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in pids if _runs(pid)], "every part to end", timeout_s=10)


def test_ctrl_c_ends_everything_and_the_data_is_there_after_the_next_start(
    own_stack: Stack, own_runner: ScriptedRunner
) -> None:
    with ApiClient(own_stack.url) as person:
        person.sign_up()
        conversation = person.start_conversation(title="Kept")
        reply = person.say(conversation["id"], "Remember this")
        email = person.email
    pids = [pid for pid, _ in own_stack.children()]

    assert own_stack.stop(signal.SIGINT) == 0
    assert not [pid for pid in pids if _runs(pid)]

    own_stack.start()
    with ApiClient(own_stack.url) as person:
        person.log_in(email)
        rows = person.transcript(conversation["id"])
    assert [row["content"] for row in rows] == ["Remember this", reply["content"]]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + "/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _runs(pid: int) -> bool:
    """Whether a process is there and not just waiting to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _all_conversations(person: ApiClient, last: str) -> set[str]:
    wait_until(
        lambda: person.http.get(f"/api/conversations/{last}/").status_code == 200, "the last one to be listed"
    )
    found: set[str] = set()
    page: Json = person.get("/api/conversations/", limit=200)
    while True:
        found |= {row["id"] for row in page["results"]}
        if not page["next"]:
            return found
        page = person.get(page["next"])
