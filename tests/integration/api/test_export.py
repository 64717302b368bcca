"""A conversation as a file to keep."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.api.support import Person, StandInWorker, problem_of
from tests.integration.api.test_branches import talk


def test_markdown_tells_every_branch_the_selected_one_first(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker)
    other = ann.send(made["id"], "Another", parent_id=made["ids"][1])
    worker.answer(other["call_id"], "```python\nprint(1)")
    response = ann.ask("GET", f"{made['path']}export/markdown/")
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="tea.md"'
    text = response.content.decode()
    assert text.startswith("# Tea\n")
    assert [text.count(said) for said in ("Question 0", "Answer 1", "Another")] == [1, 1, 1]
    assert text.index("Another") < text.index("# Branch 2, from message 3 on") < text.index("Question 1")
    assert "print(1)\n```\n" in text, "a code block that was left open is closed"


def test_json_tells_all_that_the_events_say(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker)
    ann.command("PATCH", made["path"], {"system_prompt": "Be brief."}, status=200)
    fork = ann.command("POST", f"{made['path']}fork/", {"message_id": made["ids"][3]}, status=201)
    told = ann.ask("GET", f"/api/conversations/{fork['id']}/export/json/").json()
    assert told["format"] == "verbatim-conversation/1"
    assert told["conversation"]["forked_from"]["conversation_id"] == made["id"]
    assert [message["id"] for message in told["messages"]] == made["ids"]
    assert [message["content"] for message in told["messages"]][1] == "Answer 0"
    assert told["messages"][1]["model"]
    assert told["settings_changes"][-1]["system_prompt"] == "Be brief."


def test_names_of_files_are_safe_on_every_system(ann: Person) -> None:
    for title, name in (
        ('Grüße "aus" ../../etc/passwd\n', "grue-aus-etc-passwd"),
        ("漢字", None),
        ("x" * 300, "x" * 60),
    ):
        made = ann.start(title=title)
        response = ann.ask("GET", f"/api/conversations/{made['id']}/export/markdown/")
        expected = name or f"conversation-{made['id']}"
        assert response["Content-Disposition"] == f'attachment; filename="{expected}.md"'


@pytest.mark.parametrize("kind", ["markdown", "json"])
def test_an_unknown_conversation_and_a_stranger_are_answered_alike(
    ann: Person, bob: Person, worker: StandInWorker, kind: str
) -> None:
    made, unknown = talk(ann, worker, 1), str(uuid4())
    foreign = problem_of(bob.ask("GET", f"{made['path']}export/{kind}/"), 404)
    never = problem_of(bob.ask("GET", f"/api/conversations/{unknown}/export/{kind}/"), 404)
    assert {**foreign, "detail": ""} == {**never, "detail": ""}
    assert foreign["detail"].replace(made["id"], unknown) == never["detail"]


@pytest.mark.parametrize(
    ("kind", "accept"),
    [
        ("markdown", "text/markdown"),
        ("markdown", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("markdown", "application/json"),
        ("json", "application/json"),
        ("json", "text/plain"),
    ],
)
def test_a_file_comes_whatever_the_client_would_rather_have(
    ann: Person, worker: StandInWorker, kind: str, accept: str
) -> None:
    made = talk(ann, worker, 1)
    response = ann.ask("GET", f"{made['path']}export/{kind}/", Accept=accept)
    assert response.status_code == 200
    assert b"Answer 0" in response.content


@pytest.mark.parametrize("kind", ["markdown", "json"])
def test_the_head_of_a_file_is_that_of_the_file(ann: Person, worker: StandInWorker, kind: str) -> None:
    made = talk(ann, worker, 1)
    path = f"{made['path']}export/{kind}/"
    whole, head = ann.ask("GET", path), ann.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Disposition", "X-Content-Type-Options"):
        assert head.headers[name] == whole.headers[name]
    assert whole.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_can_hold_whatever_a_model_writes(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start(title="Signs")
    said = "漢字 🫖 </script> \u2028 \r\n\t“quoted”"
    worker.answer(ann.send(conversation["id"], said)["call_id"], said)
    path = f"/api/conversations/{conversation['id']}/export/"
    assert ann.ask("GET", f"{path}markdown/").content.decode().count(said) == 2
    told = ann.ask("GET", f"{path}json/").json()
    assert [message["content"] for message in told["messages"]] == [said, said]


def test_a_deleted_conversation_can_still_be_kept(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker, 1)
    ann.command("DELETE", made["path"], status=202)
    told = ann.ask("GET", f"{made['path']}export/json/").json()
    assert told["conversation"]["deleted"] is True
    assert [message["content"] for message in told["messages"]] == ["Question 0", "Answer 0"]
