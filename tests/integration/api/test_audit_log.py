"""The transparency log over HTTP: who may have which proof, and that each is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from backend.audit.checkpoints import check_proof, open_checkpoint
from backend.audit.leaves import leaf_data
from backend.audit.notes import Verifier
from backend.bootstrap.transparency import log_keys
from tests.integration.api.support import Json, Person, StandInWorker, problem_of

if TYPE_CHECKING:
    from backend.accounts.models import User


@pytest.fixture
def sent(ann: Person, worker: StandInWorker) -> Json:
    """A message of Ann's whose reply is being written."""
    return ann.send(ann.start()["id"], "Hello")


def stored(database_url: str, stream: str, version: int) -> bytes:
    """The leaf of an event, as the store has it."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT topic, state FROM events WHERE originator_id = %s AND originator_version = %s",
            (stream, version),
        ).fetchone()
    assert row is not None
    return leaf_data(stream, version, row[0], bytes(row[1]))


def test_each_event_of_a_call_is_proven(
    ann: Person, sent: Json, worker: StandInWorker, fresh_database: str
) -> None:
    worker.answer(sent["call_id"], "Hi")
    topics = {}
    for wanted in ("requested", "terminal", "reply"):
        response = ann.client.get(f"/api/model-calls/{sent['call_id']}/proof/", {"event": wanted})
        assert response.status_code == 200, response.content
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Content-Disposition"].endswith(f'-{wanted}.tlog-proof"')
        stream, version = response.headers["X-Event-Stream"], int(response.headers["X-Event-Version"])
        leaf = stored(fresh_database, stream, version)
        check_proof(response.content.decode(), leaf, log_keys().verifiers)
        topics[wanted] = leaf.decode().split('"topic":"')[1].partition(".")[0]
    assert topics == {
        "requested": "ModelCallRequested",
        "terminal": "ModelCallCompleted",
        "reply": "ReplyRecorded",
    }
    first = ann.client.get(f"/api/model-calls/{sent['call_id']}/proof/")
    assert first.headers["X-Event-Version"] == "1"


@pytest.mark.parametrize("wanted", ["terminal", "reply"])
def test_what_has_not_happened_yet_is_not_proven(ann: Person, sent: Json, wanted: str) -> None:
    response = ann.client.get(f"/api/model-calls/{sent['call_id']}/proof/", {"event": wanted})
    problem = problem_of(response, 404)
    assert problem["code"] == "not_recorded"
    assert "Ask again" in problem["detail"]


def test_an_unknown_event_names_those_there_are(ann: Person, sent: Json) -> None:
    response = ann.client.get(f"/api/model-calls/{sent['call_id']}/proof/", {"event": "everything"})
    assert "requested, terminal, reply" in problem_of(response, 400)["errors"]["event"][0]


def test_somebody_elses_call_is_unknown_but_auditors_may_have_proofs(
    ann: Person,
    bob: Person,
    sent: Json,
    make_user: Callable[..., User],
    person_for: Callable[[User], Person],
) -> None:
    path = f"/api/model-calls/{sent['call_id']}/proof/"
    assert problem_of(bob.client.get(path), 404)["code"] == "model_call_not_found"
    auditor = person_for(make_user("eve@example.org", is_auditor=True))
    assert auditor.client.get(path).content == ann.client.get(path).content
    assert problem_of(bob.client.get(path.replace(sent["call_id"], "0" * 32)), 404)


def test_the_checkpoint_covers_everything_and_its_key_is_told(ann: Person, sent: Json) -> None:
    before = ann.get("/api/audit/log/")
    assert (before["size"], before["checkpoint_at"], before["outlets"]) == (0, None, [])
    assert before["events_behind"] > 0
    response = ann.client.get("/api/audit/checkpoint/")
    assert response.status_code == 200
    checkpoint = open_checkpoint(response.content.decode(), [Verifier.parse(before["verifier_key"])])
    after = ann.get("/api/audit/log/")
    assert checkpoint.origin == after["origin"]
    assert (after["size"], after["checkpoint_size"], after["events_behind"]) == (
        checkpoint.size,
        checkpoint.size,
        0,
    )


def test_without_any_event_there_is_no_checkpoint(ann: Person) -> None:
    assert problem_of(ann.client.get("/api/audit/checkpoint/"), 404)["code"] == "not_recorded"


@pytest.mark.parametrize("path", ["/api/audit/log/", "/api/audit/checkpoint/"])
def test_strangers_are_told_nothing(ann: Person, path: str) -> None:
    ann.client.logout()
    problem_of(ann.client.get(path), 401)


@pytest.mark.parametrize(
    ("sql", "path"),
    [
        ("UPDATE events SET state = '' WHERE originator_id = %(call)s", "proof"),
        ("UPDATE events SET state = 'null' WHERE originator_id = %(call)s", "prompt"),
        ("UPDATE events SET state = convert_to(repeat('[', 100000), 'UTF8')", "raw"),
        ("UPDATE events SET state = '\\xff' WHERE originator_id = %(call)s", "reply"),
        ("UPDATE events SET state = state || ' ' WHERE originator_id = %(call)s", "proof"),
        ("UPDATE log_leaf SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)", "proof"),
        ("DELETE FROM log_leaf WHERE index = 1", "proof"),
        ("UPDATE log_checkpoint SET note = 'x'", "proof"),
    ],
)
def test_a_record_that_was_changed_is_told_as_such_and_without_its_words(
    sql: str, path: str, ann: Person, sent: Json, worker: StandInWorker, fresh_database: str
) -> None:
    worker.answer(sent["call_id"], "A secret")
    assert ann.client.get("/api/audit/checkpoint/").status_code == 200
    with psycopg.connect(fresh_database) as connection:
        for table in ("events", "log_leaf", "log_checkpoint"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        connection.execute(sql, {"call": sent["call_id"]})
    ann.client.raise_request_exception = False
    response = ann.client.get(f"/api/model-calls/{sent['call_id']}/{path}/", {"event": "terminal"})
    told = problem_of(response, 500)
    assert told["code"] == "record_damaged"
    assert "make verify" in told["detail"]
    assert "secret" not in response.content.decode()
