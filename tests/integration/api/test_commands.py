"""Commands over HTTP: what they answer, and what they refuse. Nothing here needs a read table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.integration.api.support import Person, StandInWorker, problem_of, stored_events

if TYPE_CHECKING:
    from backend.accounts.models import User


def test_a_conversation_starts_with_the_settings_it_was_given(ann: Person) -> None:
    answer = ann.start(
        title=" Tea ", system_prompt="Be brief.", model="m1", params={"temperature": 0.5, "seed": "7"}
    )

    assert answer["title"] == "Tea"
    assert answer["settings"] == {
        "system_prompt": "Be brief.",
        "model": "m1",
        "params": {"temperature": "0.5", "seed": "7"},
    }
    assert answer["version"] == 3
    assert answer["selected_leaf_id"] is None
    assert answer["position"].isdigit()


def test_a_sent_message_answers_with_the_ids_of_everything_it_made(ann: Person) -> None:
    conversation = ann.start()

    sent = ann.send(conversation["id"], "Hello")

    assert sent.keys() == {"message_id", "reply_id", "call_id", "version", "position"}
    assert int(sent["position"]) > int(conversation["position"])


def test_a_null_parent_is_a_new_root_and_an_absent_one_is_the_latest_message(
    ann: Person, worker: StandInWorker
) -> None:
    conversation = ann.start()
    first = ann.send(conversation["id"], "One")
    worker.answer(first["call_id"], "1")

    below = ann.send(conversation["id"], "Two")
    worker.answer(below["call_id"], "2")
    root = ann.send(conversation["id"], "Another beginning", parent_id=None)

    events = _events(ann, conversation["id"])
    parents = {
        e["payload"]["message_id"]: e["payload"]["parent_id"] for e in events if "UserMessage" in e["topic"]
    }
    assert parents == {
        first["message_id"]: None,
        below["message_id"]: first["reply_id"],
        root["message_id"]: None,
    }


def test_regenerating_makes_another_reply_to_the_same_message(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    worker.answer(sent["call_id"], "Hi")
    path = f"/api/conversations/{conversation['id']}/messages/{sent['reply_id']}/regenerate/"

    again = ann.command("POST", path, status=202)

    assert again["reply_id"] != sent["reply_id"]
    requested = [e["payload"] for e in _events(ann, conversation["id"]) if e["topic"] == "ReplyRequested.v2"]
    assert [r["parent_id"] for r in requested] == [sent["message_id"], sent["message_id"]]


def test_patch_changes_what_it_names_and_leaves_the_rest(ann: Person) -> None:
    conversation = ann.start(title="Before", model="m1")
    path = f"/api/conversations/{conversation['id']}/"

    answer = ann.command("PATCH", path, {"title": "After", "pinned": True, "archived": True}, status=200)

    assert (answer["title"], answer["pinned"], answer["archived"]) == ("After", True, True)
    assert answer["settings"]["model"] == "m1"
    unchanged = ann.command("PATCH", path, {"title": "After"}, status=200)
    assert unchanged["version"] == answer["version"], "nothing changed, so nothing is stored"


def test_deleting_stops_the_running_reply_and_can_be_undone(ann: Person) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    path = f"/api/conversations/{conversation['id']}/"

    ann.command("DELETE", path, status=202)

    refused = problem_of(ann.ask("POST", f"{path}messages/", {"content": "More"}), 409)
    assert refused["code"] == "conversation_deleted"
    restored = ann.command("POST", f"{path}restore/", status=200)
    assert restored["deleted"] is False
    too_late = ann.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
    assert too_late["position"].isdigit()


def test_cancelling_is_accepted_again_and_when_it_is_too_late(
    ann: Person, worker: StandInWorker, fresh_database: str
) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    path = f"/api/model-calls/{sent['call_id']}/cancel/"

    ann.command("POST", path, status=202)
    before = stored_events(fresh_database)
    ann.command("POST", path, status=202)

    assert stored_events(fresh_database) == before
    again = ann.send(conversation["id"], "Once more")
    worker.answer(again["call_id"], "Done")
    before = stored_events(fresh_database)
    ann.command("POST", f"/api/model-calls/{again['call_id']}/cancel/", status=202)
    assert stored_events(fresh_database) == before


def test_a_stale_expected_version_is_a_conflict_and_a_present_one_is_not(ann: Person) -> None:
    conversation = ann.start()
    path = f"/api/conversations/{conversation['id']}/messages/"

    refused = problem_of(ann.ask("POST", path, {"content": "Hello", "expected_version": 2}), 409)

    assert refused["code"] == "version_conflict"
    ann.command("POST", path, {"content": "Hello", "expected_version": conversation["version"]}, status=202)


def test_a_pending_reply_cannot_be_answered(ann: Person) -> None:
    conversation = ann.start()
    ann.send(conversation["id"], "Hello")

    refused = ann.ask("POST", f"/api/conversations/{conversation['id']}/messages/", {"content": "More"})

    assert problem_of(refused, 409)["code"] == "reply_pending"


def test_somebody_elses_conversation_is_as_unknown_as_one_that_never_was(ann: Person, bob: Person) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    base = f"/api/conversations/{conversation['id']}/"
    nowhere = f"/api/conversations/{uuid4()}/"
    tries: list[tuple[str, str, Any]] = [
        ("POST", "messages/", {"content": "Hi"}),
        ("POST", f"messages/{sent['reply_id']}/regenerate/", {}),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("POST", "restore/", None),
    ]

    for method, rest, body in tries:
        theirs = problem_of(bob.ask(method, base + rest, body), 404)
        unknown = problem_of(bob.ask(method, nowhere + rest, body), 404)
        assert theirs["code"] == unknown["code"] == "conversation_not_found"
    for call_id in (sent["call_id"], str(uuid4())):
        refused = problem_of(bob.ask("POST", f"/api/model-calls/{call_id}/cancel/"), 404)
        assert refused["code"] == "model_call_not_found"


def test_logged_out_is_401_and_a_missing_csrf_token_is_403(
    make_user: Callable[..., User], fresh_database: str
) -> None:
    problem_of(Person(Client()).ask("POST", "/api/conversations/", {}), 401)

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user(), backend="allauth.account.auth_backends.AuthenticationBackend")
    refused = problem_of(Person(strict).ask("POST", "/api/conversations/", {}), 403)
    assert refused["code"] == "csrf_failed"
    assert stored_events(fresh_database) == 0


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_stores_nothing(
    ann: Person, fresh_database: str
) -> None:
    conversation = ann.start()
    path = f"/api/conversations/{conversation['id']}/messages/"
    first = ann.command("POST", path, {"content": "Hello"}, status=202, Idempotency_Key="k1")
    before = stored_events(fresh_database)

    # The same request, written differently.
    again = ann.command("POST", path, b'{ "content" : "Hello" }', status=202, Idempotency_Key="k1")

    assert again == first
    assert stored_events(fresh_database) == before


def test_a_key_used_for_another_request_is_refused(ann: Person, bob: Person) -> None:
    conversation = ann.start()
    path = f"/api/conversations/{conversation['id']}/messages/"
    ann.command("POST", path, {"content": "Hello"}, status=202, Idempotency_Key="k1")

    for other_path, body in ((path, {"content": "Bye"}), ("/api/conversations/", {"title": "Hello"})):
        refused = problem_of(ann.ask("POST", other_path, body, Idempotency_Key="k1"), 422)
        assert refused["code"] == "idempotency_key_reused"
    assert bob.command("POST", "/api/conversations/", {}, status=201, Idempotency_Key="k1")


def test_a_refusal_is_not_kept_for_its_key(ann: Person) -> None:
    conversation = ann.start()
    path = f"/api/conversations/{conversation['id']}/messages/"
    problem_of(ann.ask("POST", path, {"content": " "}, Idempotency_Key="k1"), 400)

    ann.command("POST", path, {"content": "Hello"}, status=202, Idempotency_Key="k1")


@pytest.mark.parametrize("key", ["", "k" * 201, "clé"])
def test_a_key_that_does_not_fit_is_refused_by_name(ann: Person, key: str, fresh_database: str) -> None:
    refused = problem_of(ann.ask("POST", "/api/conversations/", {}, Idempotency_Key=key), 400)

    assert "Idempotency-Key" in refused["errors"]
    assert stored_events(fresh_database) == 0


def test_eight_repeats_at_once_make_one_message(
    make_user: Callable[..., User], client_for: Callable[[User], Client], fresh_database: str
) -> None:
    user = make_user()
    conversation = Person(client_for(user)).start()
    people = [Person(client_for(user)) for _ in range(8)]
    before = stored_events(fresh_database)
    answers: list[Any] = []

    def send(person: Person) -> None:
        path = f"/api/conversations/{conversation['id']}/messages/"
        answers.append(person.ask("POST", path, {"content": "Once"}, Idempotency_Key="same"))
        from django.db import connection

        connection.close()

    threads = [threading.Thread(target=send, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [a.status_code for a in answers] == [202] * 8, [a.content for a in answers]
    assert len({json.dumps(a.json(), sort_keys=True) for a in answers}) == 1
    # The message, the reply's request and the call's.
    assert stored_events(fresh_database) == before + 3


def _events(person: Person, conversation_id: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = person.get(f"/api/conversations/{conversation_id}/events/")["results"]
    return results
