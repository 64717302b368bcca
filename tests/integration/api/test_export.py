"""A conversation as a file to keep."""

from __future__ import annotations

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
def test_only_ones_own_conversations_are_exported(
    ann: Person, bob: Person, worker: StandInWorker, kind: str
) -> None:
    made = talk(ann, worker, 1)
    refused = problem_of(bob.ask("GET", f"{made['path']}export/{kind}/"), 404)
    assert refused["code"] == "conversation_not_found"
