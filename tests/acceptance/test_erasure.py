"""A conversation is erased while everything runs: nothing of it can be read any more, and the log still holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from projections.registry import read_model_names
from tests.support.api_client import ApiClient, Json
from tests.support.openai_program import call_of, client_of, token_for
from tests.support.plaintext import places_of
from tests.support.stack import Stack, running_stack, wait_until

# One word that nothing else contains, also in its stem.
SECRET = "quixotarium"
REPLY = f"The {SECRET} is open."


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as found:
        yield found


@pytest.fixture(scope="module")
def stack(runner: ScriptedRunner) -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as found:
        yield found


@pytest.fixture
def person(stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(stack.url) as client:
        client.sign_up()
        yield client


def all_that_can_be_said(person: ApiClient, stack: Stack, runner: ScriptedRunner) -> tuple[str, str]:
    """A conversation with the word in every kind of event, and another one without; their ids."""
    runner.always(Script().reasoning(f"Is it the {SECRET}?").text(REPLY).complete())
    other = person.start_conversation(title="Another one")["id"]
    conversation = person.command(
        "POST",
        "/api/conversations/",
        {"title": f"About the {SECRET}", "system_prompt": f"You know the {SECRET}."},
        key="start-once",
        status=201,
    )["id"]
    base = f"/api/conversations/{conversation}/"
    person.command("PATCH", base, {"params": {"stop": [SECRET]}})
    first = person.say(conversation, f"Where is the {SECRET}?")
    message = person.transcript(conversation)[0]
    edited = person.command(
        "POST", f"{base}messages/{message['id']}/edit/", {"content": f"Is there a {SECRET}?"}, status=202
    )
    person.wait_for_reply(conversation, edited["reply_id"])
    person.command("PATCH", base, {"title": f"{SECRET}, again", "system_prompt": f"{SECRET}!"})
    replay = person.command(
        "POST", f"{base}replay/", {"system_prompt": f"Think of the {SECRET}."}, status=202
    )
    wait_until(
        lambda: (
            person.get(f"/api/replays/{replay['replay_id']}/", after=replay["position"])["state"]
            == "finished"
        ),
        "the replay",
    )
    runner.always(Script().text(REPLY).respond(400, {"error": {"message": f"No {SECRET} here"}}))
    failed = person.send(conversation, f"Fail with the {SECRET}")
    person.wait_for_reply(conversation, failed["reply_id"])
    runner.always(Script().text(REPLY).complete())
    # A program that goes on from the conversation joins it.
    program = client_of(stack, token_for(person))
    history: list[Json] = [
        {"role": row["role"], "content": row["content"]}
        for row in person.transcript(conversation, leaf=first["id"])
    ]
    answer = program.chat.completions.with_raw_response.create(
        model=MODEL_ID,
        messages=[*history, {"role": "user", "content": f"And the {SECRET}?"}],  # type: ignore[list-item]
    )
    assert answer.headers["X-Conversation-Id"] == conversation
    call_of(person, answer.headers["X-Model-Call-Id"])
    return conversation, other


def rebuild_all(stack: Stack) -> None:
    for name in read_model_names():
        done = stack.manage("rebuild_projection", name)
        assert done.returncode == 0, done.stdout


def everything_holds(stack: Stack) -> dict[str, str]:
    """What the three verifications say, all of which hold."""
    told: dict[str, str] = {}
    for what in (["prompts", "--all"], ["coverage"], ["log"]):
        done = stack.manage("verify", *what)
        assert done.returncode == 0, done.stdout
        told[what[0]] = done.stdout
    return told


def test_nothing_is_left_and_everything_holds(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> None:
    conversation, other = all_that_can_be_said(person, stack, runner)
    ledger = person.get("/api/model-calls/", conversation=conversation)["results"]
    before = places_of(stack.database_url, SECRET)
    assert {"events.state", "read_transcript.content", "read_search.words", "append_receipt.body"} <= {
        *before
    }
    assert person.get("/api/audit/log/")["size"] >= 0
    person.http.get("/api/audit/checkpoint/").raise_for_status()
    bodies = [request.body for request in runner.completions if SECRET.encode() in request.body]
    assert bodies, "the runner never heard of it"

    with person.live(cursor=person.last_position) as live:
        done = stack.manage(
            "erase_conversation", conversation, "--reason", "asked for by its owner", "--yes", "--by", "Ada"
        )
        assert done.returncode == 0, done.stdout
        wait_until(
            lambda: any(f.event == "change" and f.data["kind"] == "conversation_erased" for f in live.frames),
            "the browser to hear of it",
        )

    assert places_of(stack.database_url, SECRET) == []
    told = everything_holds(stack)
    assert f"{len(ledger)} erased" in told["prompts"]
    assert f"{len(ledger):,} erased" in told["coverage"]
    assert " erased" in told["log"]

    gone = person.http.get(f"/api/conversations/{conversation}/transcript/")
    assert (gone.status_code, gone.json()["code"]) == (404, "conversation_erased")
    assert "by Ada (asked for by its owner)" in gone.json()["detail"]
    refused = person.request("POST", f"/api/conversations/{conversation}/messages/", {"content": "Hello?"})
    assert (refused.status_code, refused.json()["code"]) == (404, "conversation_erased")
    assert person.get("/api/search/", q=SECRET)["results"] == []
    assert conversation not in [row["id"] for row in person.get("/api/conversations/")["results"]]

    still = person.get("/api/model-calls/", conversation=conversation)["results"]
    assert [(row["id"], row["outcome"], row["duration_ms"], row["usage"]) for row in still] == [
        (row["id"], row["outcome"], row["duration_ms"], row["usage"]) for row in ledger
    ]
    assert {row["erased"]["by"] for row in still} == {"Ada"}
    for path in ("prompt/", "reply/", "raw/", "proof/"):
        answer = person.http.get(f"/api/model-calls/{still[0]['id']}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "model_call_erased"), path
    assert person.get(f"/api/model-calls/{still[0]['id']}/")["events"] == []

    with ApiClient(stack.url) as stranger:
        stranger.sign_up()
        for path in (f"/api/conversations/{conversation}/", f"/api/model-calls/{still[0]['id']}/prompt/"):
            answer = stranger.http.get(path)
            assert answer.status_code == 404
            assert "erased" not in answer.text

    runner.always(Script().text("As before").complete())
    assert person.say(other, "And here?")["content"] == "As before"
    rebuild_all(stack)
    assert places_of(stack.database_url, SECRET) == []
    again = person.get("/api/model-calls/", conversation=conversation)["results"]
    assert again == still


def test_a_bundle_of_what_is_erased_still_proves_itself(
    stack: Stack, runner: ScriptedRunner, person: ApiClient, tmp_path: Path
) -> None:
    runner.always(Script().text(REPLY).complete())
    conversation, beside = person.start_conversation()["id"], person.start_conversation()["id"]
    person.say(conversation, f"The {SECRET}?")
    runner.always(Script().text("Nothing special").complete())
    person.say(beside, "And here?")
    assert stack.manage("erase_conversation", conversation, "--reason", "asked for", "--yes").returncode == 0
    owner = person.get("/api/me/")["id"]
    for kind in ("jsonl", "csv", "bundle"):
        output = tmp_path / kind
        done = stack.manage("export_audit", "--format", kind, "--output", str(output), "--owner", owner)
        assert done.returncode == 0, done.stdout
        assert SECRET.encode() not in output.read_bytes()
    verifier = Path(__file__).resolve().parents[2] / "tools" / "verbatim_verify.py"
    key = person.get("/api/audit/log/")["verifier_key"]
    told = subprocess.run(
        [sys.executable, str(verifier), str(tmp_path / "bundle"), "--key", key],
        capture_output=True,
        check=False,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "erased" in told.stdout


def test_erasing_once_more_changes_nothing(stack: Stack, runner: ScriptedRunner, person: ApiClient) -> None:
    runner.always(Script().text("A reply").complete())
    conversation = person.start_conversation()["id"]
    person.say(conversation, "Hello")
    erase = ("erase_conversation", conversation, "--reason", "asked for", "--yes")
    assert stack.manage(*erase).returncode == 0
    with psycopg.connect(stack.database_url) as connection:
        before = connection.execute("SELECT max(notification_id) FROM events").fetchone()
        again = stack.manage(*erase)
        assert again.returncode == 0, again.stdout
        assert "was erased on" in again.stdout
        assert connection.execute("SELECT max(notification_id) FROM events").fetchone() == before


def test_forks_are_named_first_and_go_with_it(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> None:
    runner.always(Script().text(REPLY).complete())
    source = person.start_conversation()["id"]
    reply = person.say(source, f"The {SECRET}?")
    fork = person.command(
        "POST", f"/api/conversations/{source}/fork/", {"message_id": reply["id"]}, status=201
    )["id"]
    inner = person.say(fork, f"Still the {SECRET}?")
    second = person.command(
        "POST", f"/api/conversations/{fork}/fork/", {"message_id": inner["id"]}, status=201
    )["id"]
    refused = stack.manage("erase_conversation", source, "--reason", "asked for", "--yes")
    assert refused.returncode == 1
    assert fork in refused.stdout
    assert second in refused.stdout
    assert "--with-forks" in refused.stdout
    assert len(person.transcript(source)) == 2, "nothing was changed"

    done = stack.manage("erase_conversation", source, "--reason", "asked for", "--yes", "--with-forks")
    assert done.returncode == 0, done.stdout
    assert "3 conversations, 3 model calls" in done.stdout  # a title is one
    assert places_of(stack.database_url, SECRET) == []
    for gone in (source, fork, second):
        assert person.http.get(f"/api/conversations/{gone}/").json()["code"] == "conversation_erased"
    everything_holds(stack)


def test_a_reply_that_is_being_written_is_stopped_first(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> None:
    runner.always(Script().words(f"The {SECRET} " * 500, delay_ms=20).complete())
    conversation = person.start_conversation()["id"]
    with person.live(cursor=person.last_position, conversation_id=conversation) as live:
        sent = person.send(conversation, f"The {SECRET}?")
        wait_until(lambda: len(live.chunks_of(sent["call_id"])) > 3, "some words of the reply")
        done = stack.manage("erase_conversation", conversation, "--reason", "asked for", "--yes")
    assert done.returncode == 0, done.stdout
    assert places_of(stack.database_url, SECRET) == []
    (call,) = person.get("/api/model-calls/", conversation=conversation)["results"]
    assert call["outcome"] == "cancelled"
    everything_holds(stack)


def test_tables_can_be_written_anew(stack: Stack, runner: ScriptedRunner, person: ApiClient) -> None:
    runner.always(Script().text(REPLY).complete())
    conversation = person.start_conversation()["id"]
    person.say(conversation, f"The {SECRET}?")
    done = stack.manage(
        "erase_conversation", conversation, "--reason", "asked for", "--yes", "--rewrite-tables"
    )
    assert done.returncode == 0, done.stdout
    files = [path for path in (stack.data_dir / "postgres").rglob("base/*/*") if path.is_file()]
    assert files, "the database's files are elsewhere"
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    everything_holds(stack)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["00000000-0000-4000-8000-000000000000", "--reason", "x", "--yes"], "There is no conversation"),
        (["not-an-id", "--reason", "x"], "invalid UUID"),
        (["00000000-0000-4000-8000-000000000000"], "--reason"),
    ],
)
def test_bad_input_is_told(stack: Stack, arguments: list[str], said: str) -> None:
    done = stack.manage("erase_conversation", *arguments)
    assert done.returncode != 0
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_nobody_to_ask_and_no_reason(stack: Stack, runner: ScriptedRunner, person: ApiClient) -> None:
    runner.always(Script().text("A reply").complete())
    conversation = person.start_conversation()["id"]
    person.say(conversation, "Hello")
    unasked = stack.manage("erase_conversation", conversation, "--reason", "asked for")
    assert (unasked.returncode, "Add --yes" in unasked.stdout) == (1, True)
    empty = stack.manage("erase_conversation", conversation, "--reason", " ", "--yes")
    assert (empty.returncode, "reason is empty" in empty.stdout) == (1, True)
    assert len(person.transcript(conversation)) == 2
