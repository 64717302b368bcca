"""Branches over HTTP: what their commands answer and refuse, and what transcript, tree and detail tell of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.support import Person, StandInWorker, problem_of, stored_events

Talk = dict[str, Any]


def talk(ann: Person, worker: StandInWorker, turns: int = 2) -> Talk:
    """A conversation of so many turns. ids: of its messages, oldest first."""
    conversation = ann.start(title="Tea")
    ids: list[str] = []
    for number in range(turns):
        sent = ann.send(conversation["id"], f"Question {number}")
        worker.answer(sent["call_id"], f"Answer {number}")
        ids += [sent["message_id"], sent["reply_id"]]
    return {"id": conversation["id"], "path": f"/api/conversations/{conversation['id']}/", "ids": ids}


def after(answer: dict[str, Any]) -> dict[str, str]:
    return {"after": answer["position"]}


def contents(page: dict[str, Any]) -> list[str]:
    return [message["content"] for message in page["results"]]


def test_an_edit_is_a_sibling_with_a_reply_of_its_own(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker)
    edited = ann.command(
        "POST", f"{made['path']}messages/{made['ids'][2]}/edit/", {"content": "Better"}, status=202
    )
    assert edited.keys() == {"message_id", "reply_id", "call_id", "version", "position"}
    page = ann.get(f"{made['path']}transcript/", **after(edited))
    assert contents(page) == ["Question 0", "Answer 0", "Better", ""]
    assert page["leaf_id"] == page["selected_leaf_id"] == edited["reply_id"]
    assert page["results"][2]["sibling_ids"] == [made["ids"][2], edited["message_id"]]
    assert (page["results"][2]["sibling_index"], page["results"][2]["sibling_count"]) == (1, 2)
    old = ann.get(f"{made['path']}transcript/", leaf=made["ids"][3])
    assert contents(old) == ["Question 0", "Answer 0", "Question 1", "Answer 1"]


@pytest.mark.parametrize(
    ("place", "path", "body", "status", "code"),
    [
        (1, "messages/{0}/edit/", {"content": "x"}, 400, "wrong_message_kind"),
        (0, "messages/{0}/edit/", {"content": "  "}, 400, "content_empty"),
        (0, "messages/{0}/edit/", {"content": "x", "expected_version": 1}, 409, "version_conflict"),
        (0, "messages/{0}/edit/", {}, 400, "invalid_input"),
        (0, "messages/{0}/edit/", {"content": "x", "colour": 1}, 400, "invalid_input"),
        (0, "messages/{0}/continue/", {}, 400, "wrong_message_kind"),
        (1, "messages/{0}/continue/", {}, 400, "nothing_to_continue"),
        (1, "messages/{0}/continue/", {"content": "x"}, 400, "invalid_input"),
        (0, "messages/{0}/regenerate/", {"tighter_cut": 1}, 400, "invalid_input"),
        (3, "branches/{0}/hide/", {}, 409, "last_visible_branch"),
        (0, "select-branch/", {"leaf_id": "nonsense"}, 400, "invalid_input"),
        (0, "fork/", {}, 400, "invalid_input"),
        (0, "replay/", {}, 400, "replay_changes_nothing"),
        (0, "replay/", {"model": "x", "expected_version": 2}, 409, "version_conflict"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    ann: Person,
    worker: StandInWorker,
    fresh_database: str,
    place: int,
    path: str,
    body: dict[str, Any],
    status: int,
    code: str,
) -> None:
    made = talk(ann, worker)
    before = stored_events(fresh_database)
    response = ann.ask("POST", made["path"] + path.format(made["ids"][place]), body)
    assert problem_of(response, status)["code"] == code
    assert stored_events(fresh_database) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages/{0}/edit/", {"content": "x"}),
        ("messages/{0}/regenerate/", {}),
        ("messages/{0}/continue/", {}),
        ("branches/{0}/hide/", {}),
        ("branches/{0}/show/", {}),
        ("select-branch/", {"leaf_id": "{0}"}),
        ("fork/", {"message_id": "{0}"}),
        ("replay/", {"model": "x", "leaf_id": "{0}"}),
    ],
)
def test_a_message_of_another_conversation_is_as_unknown_as_one_that_never_was(
    ann: Person, bob: Person, worker: StandInWorker, path: str, body: dict[str, Any]
) -> None:
    mine, other = talk(ann, worker, 1), talk(ann, worker, 1)
    for foreign in (other["ids"][0], str(uuid4())):
        filled = {name: str(value).format(foreign) for name, value in body.items()}
        response = ann.ask("POST", mine["path"] + path.format(foreign), filled)
        assert problem_of(response, 404)["code"] == "message_not_found"
    filled = {name: str(value).format(mine["ids"][0]) for name, value in body.items()}
    response = bob.ask("POST", mine["path"] + path.format(mine["ids"][0]), filled)
    assert problem_of(response, 404)["code"] == "conversation_not_found"


def test_a_pending_reply_can_be_neither_forked_nor_continued(ann: Person) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    path = f"/api/conversations/{conversation['id']}/"
    for response in (
        ann.ask("POST", f"{path}fork/", {"message_id": sent["reply_id"]}),
        ann.ask("POST", f"{path}messages/{sent['reply_id']}/continue/", {}),
    ):
        assert problem_of(response, 409)["code"] == "reply_pending"


def test_selecting_a_message_in_the_middle_selects_the_newest_branch_through_it(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker)
    other = ann.send(made["id"], "Another", parent_id=made["ids"][1])
    worker.answer(other["call_id"], "Other")
    first = ann.command("POST", f"{made['path']}select-branch/", {"leaf_id": made["ids"][2]}, status=200)
    assert first["selected_leaf_id"] == made["ids"][3]
    again = ann.command("POST", f"{made['path']}select-branch/", {"leaf_id": made["ids"][0]}, status=200)
    assert again["selected_leaf_id"] == other["reply_id"]
    assert ann.get(made["path"], **after(again))["selected_leaf_id"] == other["reply_id"]


def test_hiding_the_selected_branch_selects_another_and_showing_brings_it_back(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker)
    other = ann.send(made["id"], "Another", parent_id=made["ids"][1])
    worker.answer(other["call_id"], "Other")
    hidden = ann.command("POST", f"{made['path']}branches/{other['reply_id']}/hide/", {}, status=200)
    assert hidden["selected_leaf_id"] == made["ids"][3]
    detail = ann.get(made["path"], **after(hidden))
    assert (detail["branch_count"], detail["hidden_branch_count"]) == (1, 1)
    tree = ann.get(f"{made['path']}tree/")
    assert {node["id"] for node in tree["results"] if node["hidden"]} == {
        other["message_id"],
        other["reply_id"],
    }
    shown = ann.command("POST", f"{made['path']}branches/{other['message_id']}/show/", {}, status=200)
    detail = ann.get(made["path"], **after(shown))
    assert (detail["branch_count"], detail["hidden_branch_count"]) == (2, 0)


def test_a_fork_shows_what_it_inherits_and_says_where_it_comes_from(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker)
    fork = ann.command("POST", f"{made['path']}fork/", {"message_id": made["ids"][1]}, status=201)
    assert (fork["title"], fork["version"], fork["selected_leaf_id"]) == ("Tea (fork)", 1, made["ids"][1])
    path = f"/api/conversations/{fork['id']}/"
    renamed = ann.command("PATCH", made["path"], {"title": "Coffee"}, status=200)
    ann.command("DELETE", made["path"], status=202)
    detail = ann.get(path, **after(renamed))
    assert detail["forked_from"] == {
        "conversation_id": made["id"],
        "version": fork["forked_from"]["version"],
        "message_id": made["ids"][1],
        "title": "Coffee",
        "deleted": detail["forked_from"]["deleted"],
        "message_number": 2,
    }
    page = ann.get(f"{path}transcript/")
    assert contents(page) == ["Question 0", "Answer 0"]
    assert [(m["inherited"], m["conversation_id"]) for m in page["results"]] == [(True, made["id"])] * 2
    tree = ann.get(f"{path}tree/")
    assert [node["id"] for node in tree["results"]] == made["ids"][:2]
    edited = ann.command("POST", f"{path}messages/{made['ids'][0]}/edit/", {"content": "Mine"}, status=202)
    roots = ann.get(f"{path}transcript/", **after(edited))["results"][0]
    assert roots["sibling_ids"] == [made["ids"][0], edited["message_id"]]
    response = ann.ask("GET", f"{path}transcript/?leaf={made['ids'][3]}")
    assert problem_of(response, 404)["code"] == "message_not_found"


def test_the_tree_tells_every_message_without_its_text(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker, 1)
    long = ann.send(made["id"], "word\n" * 100)
    tree = ann.get(f"{made['path']}tree/", **after(long))
    assert [node["id"] for node in tree["results"]] == [*made["ids"], long["message_id"], long["reply_id"]]
    node = tree["results"][2]
    assert "content" not in node
    assert (node["excerpt"], node["role"]) == (("word " * 24), "user")
    assert tree["results"][3]["outcome"] == "pending"
    assert tree["selected_leaf_id"] == long["reply_id"]


def test_a_transcript_through_a_message_is_of_a_branch_that_holds_it(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker)
    other = ann.send(made["id"], "Another", parent_id=made["ids"][1])
    worker.answer(other["call_id"], "Other")
    selected = ann.command("POST", f"{made['path']}select-branch/", {"leaf_id": made["ids"][3]}, status=200)
    path = f"{made['path']}transcript/"
    assert ann.get(path, through=made["ids"][0], **after(selected))["leaf_id"] == made["ids"][3]
    assert ann.get(path, through=other["message_id"])["leaf_id"] == other["reply_id"]
    both = ann.ask("GET", f"{path}?leaf={made['ids'][3]}&through={made['ids'][0]}")
    assert "through" in problem_of(both, 400)["errors"]
    unknown = ann.ask("GET", f"{path}?through={uuid4()}")
    assert problem_of(unknown, 404)["code"] == "message_not_found"


def test_commands_are_done_once_under_one_key(
    ann: Person, worker: StandInWorker, fresh_database: str
) -> None:
    made = talk(ann, worker, 1)
    for path, body, status in (
        (f"messages/{made['ids'][0]}/edit/", {"content": "Better"}, 202),
        ("fork/", {"message_id": made["ids"][0]}, 201),
        ("replay/", {"system_prompt": "Shout."}, 202),
    ):
        key = {"Idempotency_Key": str(uuid4())}
        first = ann.command("POST", made["path"] + path, body, status=status, **key)
        before = stored_events(fresh_database)
        assert ann.command("POST", made["path"] + path, body, status=status, **key) == first
        assert stored_events(fresh_database) == before


def test_the_prompt_of_a_call_names_the_one_before_it(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker, 1)
    second = ann.send(made["id"], "Two")
    first_call = ann.get(f"{made['path']}transcript/", **after(second))["results"][1]["call_id"]
    proof = ann.get(f"/api/model-calls/{second['call_id']}/prompt/")
    assert (proof["previous_call_id"], proof["omitted_count"], proof["identical"]) == (first_call, None, True)
    assert ann.get(f"/api/model-calls/{first_call}/prompt/")["previous_call_id"] is None
    assert ann.get(f"/api/model-calls/{first_call}/")["trimming"] is None


def test_nobody_gets_in_without_logging_in(client_for: Any, worker: StandInWorker, ann: Person) -> None:
    from django.test import Client

    made = talk(ann, worker, 1)
    nobody = Person(Client())
    for path in ("tree/", "at/1/", "replays/", "export/markdown/", "export/json/"):
        assert problem_of(nobody.ask("GET", made["path"] + path), 401)["status"] == 401
    for path in (f"/api/replays/{uuid4()}/", "/api/presets/"):
        assert problem_of(nobody.ask("GET", path), 401)["status"] == 401
