"""A conversation as it was, over HTTP."""

from __future__ import annotations

import pytest

from tests.integration.api.support import Person, StandInWorker, problem_of
from tests.integration.api.test_branches import contents, talk


def test_every_version_is_told_as_it_was(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker)
    first = ann.get(f"{made['path']}at/1/")
    assert (first["results"], first["conversation"]["leaves"]) == ([], [])
    assert first["conversation"]["event"] == "ConversationStarted.v1"
    asked = ann.get(f"{made['path']}at/5/")
    assert contents(asked) == ["Question 0", ""]
    assert asked["results"][1]["outcome"] == "pending"
    assert (asked["conversation"]["version"], asked["conversation"]["latest_version"]) == (5, 9)
    answered = ann.get(f"{made['path']}at/6/")
    assert contents(answered) == ["Question 0", "Answer 0"]
    assert answered["results"][1]["model"]
    assert answered["conversation"]["settings"].keys() == {"system_prompt", "model", "params"}


def test_what_was_deleted_or_hidden_later_is_still_there(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker)
    other = ann.send(made["id"], "Another", parent_id=made["ids"][1])
    worker.answer(other["call_id"], "Other")
    version = ann.command("PATCH", made["path"], {"title": "Tea"}, status=200)["version"]
    ann.command("POST", f"{made['path']}branches/{other['reply_id']}/hide/", {}, status=200)
    ann.command("DELETE", made["path"], status=202)
    then = ann.get(f"{made['path']}at/{version}/")
    assert contents(then)[-1] == "Other"
    assert [leaf["hidden"] for leaf in then["conversation"]["leaves"]] == [False, False]
    assert not then["conversation"]["deleted"]
    now = ann.get(f"{made['path']}at/{then['conversation']['latest_version']}/", leaf=other["reply_id"])
    assert now["conversation"]["deleted"]
    assert [leaf["hidden"] for leaf in now["conversation"]["leaves"]] == [False, True]
    assert contents(now)[-1] == "Other"


def test_longer_branches_come_in_pages(ann: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker, 3)
    page = ann.get(f"{made['path']}at/12/", limit="4")
    assert [message["id"] for message in page["results"]] == made["ids"][2:]
    older = ann.client.get(page["next"]).json()
    assert [message["id"] for message in older["results"]] == made["ids"][:2]
    assert older["next"] is None


@pytest.mark.parametrize("version", [0, 10])
def test_a_version_that_never_was_is_refused_with_the_range(
    ann: Person, worker: StandInWorker, version: int
) -> None:
    made = talk(ann, worker)
    refused = problem_of(ann.ask("GET", f"{made['path']}at/{version}/"), 400)
    assert "1 to 9" in refused["errors"]["version"][0]


def test_a_message_that_was_not_there_yet_is_unknown(ann: Person, bob: Person, worker: StandInWorker) -> None:
    made = talk(ann, worker)
    refused = problem_of(ann.ask("GET", f"{made['path']}at/5/?leaf={made['ids'][3]}"), 404)
    assert refused["code"] == "message_not_found"
    assert problem_of(bob.ask("GET", f"{made['path']}at/5/"), 404)["code"] == "conversation_not_found"
