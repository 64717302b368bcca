"""What all commands about branches have in common over HTTP: who may, which bodies, which versions, and repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.integration.api.support import Json, Person, StandInWorker, problem_of, stored_events


@dataclass(frozen=True)
class Command:
    """path, body: filled in with the ids of a Talk by name. status: of the answer when it is done."""

    path: str
    body: dict[str, str]
    status: int
    takes_version: bool = True


COMMANDS = {
    "edit": Command("messages/{question}/edit/", {"content": "Better"}, 202),
    "regenerate": Command("messages/{answer}/regenerate/", {}, 202),
    "continue": Command("messages/{cut_off}/continue/", {}, 202),
    "select": Command("select-branch/", {"leaf_id": "{cut_off}"}, 200),
    "hide": Command("branches/{cut_off}/hide/", {}, 200),
    "show": Command("branches/{hidden}/show/", {}, 200),
    "fork": Command("fork/", {"message_id": "{answer}"}, 201, takes_version=False),
    "replay": Command("replay/", {"system_prompt": "Shout."}, 202),
}
ALL = pytest.mark.parametrize("name", COMMANDS)
VERSIONED = pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if one.takes_version])


class Talk:
    """A conversation in which each of the commands can be done: a branch cut off, one hidden, one selected."""

    def __init__(self, ann: Person, worker: StandInWorker) -> None:
        self.id: str = ann.start(title="Tea")["id"]
        first = ann.send(self.id, "Question")
        worker.answer(first["call_id"], "Answer")
        cut_off = ann.send(self.id, "Tell me more")
        worker.start(cut_off["call_id"])
        worker.finish(cut_off["call_id"], "More", outcome="truncated")
        hidden = self._beside(ann, worker, first["reply_id"])
        self._beside(ann, worker, first["reply_id"])
        self.path = f"/api/conversations/{self.id}/"
        answer = ann.command("POST", f"{self.path}branches/{hidden}/hide/", {}, status=200)
        self.version: int = answer["version"]
        self._ids = {
            "question": first["message_id"],
            "answer": first["reply_id"],
            "cut_off": cut_off["reply_id"],
            "hidden": hidden,
        }

    def _beside(self, ann: Person, worker: StandInWorker, parent_id: str) -> str:
        sent = ann.send(self.id, "Beside", parent_id=parent_id)
        worker.answer(sent["call_id"], "Beside it")
        return str(sent["reply_id"])

    def path_of(self, name: str, **ids: str) -> str:
        return self.path + COMMANDS[name].path.format(**{**self._ids, **ids})

    def body_of(self, name: str) -> Json:
        return {key: value.format(**self._ids) for key, value in COMMANDS[name].body.items()}


@pytest.fixture
def talk(ann: Person, worker: StandInWorker) -> Talk:
    return Talk(ann, worker)


@ALL
def test_nobody_does_it_without_logging_in_or_from_another_site(
    talk: Talk, ann: Person, name: str, fresh_database: str
) -> None:
    before = stored_events(fresh_database)
    problem_of(Person(Client()).ask("POST", talk.path_of(name), talk.body_of(name)), 401)
    ann.client.handler.enforce_csrf_checks = True
    refused = problem_of(ann.ask("POST", talk.path_of(name), talk.body_of(name)), 403)
    assert refused["code"] == "csrf_failed"
    assert stored_events(fresh_database) == before


@ALL
def test_a_repeat_with_the_same_key_gets_the_first_answer_and_stores_nothing(
    talk: Talk, ann: Person, name: str, fresh_database: str
) -> None:
    status = COMMANDS[name].status
    path, body = talk.path_of(name), talk.body_of(name)
    before = stored_events(fresh_database)
    first = ann.command("POST", path, body, status=status, Idempotency_Key="k1")
    done = stored_events(fresh_database)
    assert done > before
    assert ann.command("POST", path, body, status=status, Idempotency_Key="k1") == first
    assert stored_events(fresh_database) == done


@VERSIONED
def test_it_is_done_at_the_version_expected_and_at_no_other(
    talk: Talk, ann: Person, name: str, fresh_database: str
) -> None:
    path, body = talk.path_of(name), talk.body_of(name)
    before = stored_events(fresh_database)
    for stale in (talk.version - 1, talk.version + 1, 0, -1, 10**30):
        refused = problem_of(ann.ask("POST", path, {**body, "expected_version": stale}), 409)
        assert refused["code"] == "version_conflict"
        assert f"at version {talk.version}," in refused["detail"]
    assert stored_events(fresh_database) == before
    current = {**body, "expected_version": talk.version}
    answer = ann.command("POST", path, current, status=COMMANDS[name].status)
    assert answer["version"] > talk.version


@ALL
@pytest.mark.parametrize("version", ["1", 1.5, True, None, [1]])
def test_a_version_is_a_whole_number(
    talk: Talk, ann: Person, name: str, version: Any, fresh_database: str
) -> None:
    before = stored_events(fresh_database)
    body = {**talk.body_of(name), "expected_version": version}
    refused = problem_of(ann.ask("POST", talk.path_of(name), body), 400)
    assert (refused["code"], list(refused["errors"])) == ("invalid_input", ["expected_version"])
    assert stored_events(fresh_database) == before


@ALL
def test_a_body_holds_the_fields_it_knows_and_no_others(
    talk: Talk, ann: Person, name: str, fresh_database: str
) -> None:
    before = stored_events(fresh_database)
    path, body = talk.path_of(name), talk.body_of(name)
    refused = problem_of(ann.ask("POST", path, {**body, "owner_id": "me"}), 400)
    assert (refused["code"], list(refused["errors"])) == ("invalid_input", ["owner_id"])
    for other in (b"[]", b"null", b'"text"', b"1"):
        refused = problem_of(ann.ask("POST", path, other), 400)
        assert (refused["code"], list(refused["errors"])) == ("invalid_input", ["non_field_errors"])
    for broken in (b"{", b'{"a": NaN}', b"\xff"):
        assert problem_of(ann.ask("POST", path, broken), 400)["code"] == "parse_error"
    assert stored_events(fresh_database) == before


@ALL
def test_in_a_deleted_conversation_only_forking_is_done(
    talk: Talk, ann: Person, name: str, fresh_database: str
) -> None:
    ann.command("DELETE", talk.path, status=202)
    before = stored_events(fresh_database)
    path, body = talk.path_of(name), talk.body_of(name)
    if name == "fork":
        assert ann.command("POST", path, body, status=201)["deleted"] is False
    else:
        assert problem_of(ann.ask("POST", path, body), 409)["code"] == "conversation_deleted"
        assert stored_events(fresh_database) == before


@ALL
def test_somebody_elses_conversation_is_as_unknown_as_one_that_never_was(
    talk: Talk, bob: Person, name: str, fresh_database: str
) -> None:
    before = stored_events(fresh_database)
    unknown = str(uuid4())
    foreign = problem_of(bob.ask("POST", talk.path_of(name), talk.body_of(name)), 404)
    path = talk.path_of(name).replace(talk.id, unknown)
    never = problem_of(bob.ask("POST", path, talk.body_of(name)), 404)
    assert never["code"] == "conversation_not_found"
    assert {**foreign, "detail": foreign["detail"].replace(talk.id, unknown)} == never
    assert stored_events(fresh_database) == before


@ALL
def test_it_is_a_post(talk: Talk, ann: Person, name: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        refused = problem_of(ann.ask(method, talk.path_of(name)), 405)
        assert refused["code"] == "method_not_allowed"


@pytest.mark.parametrize("name", ["edit", "regenerate", "continue", "hide", "show"])
def test_an_address_without_a_messages_id_is_none(talk: Talk, ann: Person, name: str) -> None:
    names = dict.fromkeys(("question", "answer", "cut_off", "hidden"), "nonsense")
    refused = problem_of(ann.ask("POST", talk.path_of(name, **names), talk.body_of(name)), 404)
    assert refused["code"] == "not_found"


@pytest.mark.parametrize(
    ("name", "field", "value", "code"),
    [
        ("edit", "content", 1, "invalid_input"),
        ("edit", "content", "\x00", "text_invalid"),
        ("edit", "content", "x" * (256 * 1024 + 1), "text_too_long"),
        ("edit", "model", None, "invalid_input"),
        ("edit", "model", "", "invalid_input"),
        ("edit", "params", {"temperature": 99}, "parameter_invalid"),
        ("regenerate", "model", 1, "invalid_input"),
        ("regenerate", "params", [], "invalid_input"),
        ("regenerate", "params", {"colour": 1}, "parameter_invalid"),
        ("regenerate", "tighter_cut", "yes", "invalid_input"),
        ("select", "leaf_id", None, "invalid_input"),
        ("select", "leaf_id", 7, "invalid_input"),
        ("fork", "message_id", "{nonsense}", "invalid_input"),
        ("fork", "title", 7, "invalid_input"),
        ("fork", "title", "", "invalid_input"),
        ("fork", "title", "\ud800", "text_invalid"),
        ("replay", "leaf_id", None, "invalid_input"),
        ("replay", "model", "\x00", "text_invalid"),
        ("replay", "params", {"seed": "x"}, "parameter_invalid"),
        ("replay", "system_prompt", None, "invalid_input"),
        ("replay", "system_prompt", "\x00", "text_invalid"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    talk: Talk, ann: Person, name: str, field: str, value: Any, code: str, fresh_database: str
) -> None:
    before = stored_events(fresh_database)
    refused = problem_of(ann.ask("POST", talk.path_of(name), {**talk.body_of(name), field: value}), 400)
    assert refused["code"] == code
    assert [named.partition(".")[0] for named in refused["errors"]] == [field]
    assert stored_events(fresh_database) == before
