"""Exports over HTTP: what they hold, whose it is, and that the offline verifier agrees with them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backend.api import audit_export_views
from backend.api.downloads import AT_ONCE
from backend.bootstrap.transparency import log_keys, transparency_log
from tests.integration.api.support import Json, Person, StandInWorker, problem_of
from tests.support import bundles

if TYPE_CHECKING:
    from backend.accounts.models import User

pytestmark = pytest.mark.usefixtures("projected")
PATH = "/api/audit/export/"


def export(person: Person, **parameters: Any) -> Any:
    return person.client.get(PATH, parameters)


def body_of(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def answered(person: Person, worker: StandInWorker, content: str = "Hello") -> Json:
    """A message whose reply has come; `after` is where the record stands then."""
    # With a title of its own, so that no model is asked for one.
    sent = person.send(person.start(title="A talk")["id"], content)
    position = worker.answer(sent["call_id"], f"An answer to {content}")
    return {**sent, "after": position}


def verified(body: bytes, folder: Path, **kept: str) -> bundles.Verified:
    return bundles.verify(body, folder, keys=[str(log_keys().signer.verifier)], kept=kept)


def test_a_bundle_is_verified_offline(ann: Person, worker: StandInWorker, tmp_path: Path) -> None:
    sent = answered(ann, worker)
    response = export(ann, format="bundle", after=sent["after"])
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="verbatim-audit-')
    assert response.headers["Content-Disposition"].endswith('.zip"')
    found = verified(body_of(response), tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert "prompts identical: 1" in found.lines


def test_the_bundles_verifier_is_the_products(ann: Person, worker: StandInWorker) -> None:
    sent = answered(ann, worker)
    files = bundles.unpacked(body_of(export(ann, format="bundle", after=sent["after"])))
    root = Path(__file__).resolve().parents[3]
    assert files["verbatim_verify.py"] == (root / "tools" / "verbatim_verify.py").read_bytes()
    assert files["keys"].decode().splitlines() == [str(log_keys().signer.verifier)]


def test_a_call_brings_its_conversation_and_what_that_goes_on_from(
    ann: Person, worker: StandInWorker, tmp_path: Path
) -> None:
    first = answered(ann, worker)
    source = ann.get("/api/model-calls/", after=first["after"])["results"][0]["conversation_id"]
    fork = ann.command(
        "POST", f"/api/conversations/{source}/fork/", {"message_id": first["reply_id"]}, status=201
    )
    twice = ann.command(
        "POST", f"/api/conversations/{fork['id']}/fork/", {"message_id": first["reply_id"]}, status=201
    )
    sent = ann.send(twice["id"], "And then?")
    after = worker.answer(sent["call_id"], "That was all.")
    answered(ann, worker, "Something else")
    body = body_of(export(ann, format="bundle", after=after, conversation=twice["id"], nonsense="1"))
    found = verified(body, tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert "prompts identical: 1" in found.lines
    files = bundles.unpacked(body)
    streams = {json.loads(line)["stream"] for line in files["streams.jsonl"].splitlines()}
    assert streams == {source, fork["id"], twice["id"], sent["call_id"]}
    assert json.loads(files["manifest.json"])["filter"] == {"conversation": twice["id"]}
    assert b"Something else" not in files["events.jsonl"]


def test_lines_hold_the_stored_bytes(ann: Person, worker: StandInWorker, fresh_database: str) -> None:
    sent = answered(ann, worker, 'Grüße "\u2028" \\')
    response = export(ann, format="jsonl", after=sent["after"])
    assert response.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    lines = [json.loads(line) for line in body_of(response).splitlines()]
    with psycopg.connect(fresh_database) as connection:
        stored = connection.execute(
            "SELECT notification_id, originator_id::text, originator_version, topic, state FROM events"
            " ORDER BY notification_id"
        ).fetchall()
    assert [
        (line["position"], line["stream"], line["version"], line["topic"], line["payload"].encode())
        for line in lines
    ] == [(*row[:4], bytes(row[4])) for row in stored]
    assert [line["index"] for line in lines] == list(range(len(stored)))


def test_a_table_tells_of_calls_and_not_of_words(ann: Person, worker: StandInWorker) -> None:
    sent = answered(ann, worker, "A secret")
    response = export(ann, format="csv", after=sent["after"], outcome="complete")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = body_of(response).decode()
    assert "secret" not in text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    call = ann.get(f"/api/model-calls/{sent['call_id']}/")
    assert {name: row[name] for name in ("id", "outcome", "prompt_tokens", "body_sha256", "error_code")} == {
        "id": sent["call_id"],
        "outcome": "complete",
        "prompt_tokens": "12",
        "body_sha256": call["body_sha256"],
        "error_code": "",
    }
    assert row["requested_at"].endswith("Z")


def test_filters_pick_calls(ann: Person, worker: StandInWorker) -> None:
    sent = answered(ann, worker)
    text = body_of(export(ann, format="csv", after=sent["after"], outcome="failed")).decode()
    assert len(text.splitlines()) == 1
    assert body_of(export(ann, format="jsonl", outcome="failed")) == b""


def test_a_bundle_of_no_calls_holds(ann: Person, worker: StandInWorker, tmp_path: Path) -> None:
    answered(ann, worker)
    found = verified(body_of(export(ann, format="bundle", outcome="failed")), tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert found.lines[0].startswith("0 events of 0 streams, 0 model calls")


def test_people_export_their_own_calls_only(ann: Person, bob: Person, worker: StandInWorker) -> None:
    answered(ann, worker, "Of Ann")
    sent = answered(bob, worker, "Of Bob")
    for wanted in ("jsonl", "csv", "bundle"):
        body = body_of(export(bob, format=wanted, after=sent["after"]))
        if wanted == "bundle":
            body = bundles.unpacked(body)["events.jsonl"]
        assert b"Of Ann" not in body
        assert (b"Of Bob" in body) == (wanted != "csv")
    assert len(body_of(export(bob, format="csv")).splitlines()) == 2


def test_a_running_call_is_exported_as_running(ann: Person, worker: StandInWorker, tmp_path: Path) -> None:
    sent = ann.send(ann.start()["id"], "Hello")
    worker.start(sent["call_id"])
    found = verified(body_of(export(ann, format="bundle", after=sent["position"])), tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert "calls still running at the export: 1" in found.lines


def test_kept_checkpoints_are_shown_to_be_the_past(
    ann: Person, worker: StandInWorker, tmp_path: Path
) -> None:
    answered(ann, worker)
    signed = transparency_log().checkpoint()
    assert signed is not None
    sent = answered(ann, worker)
    found = verified(body_of(export(ann, format="bundle", after=sent["after"])), tmp_path, kept=signed.note)
    assert (found.status, found.problems) == (0, [])
    assert "kept checkpoints hold: 1" in found.lines
    assert "earlier checkpoints hold: 1" in found.lines
    files = bundles.unpacked(body_of(export(ann, format="bundle", kept=["2", "999999"])))
    sizes = [json.loads(line)["size"] for line in files["consistency.jsonl"].splitlines()]
    assert sizes[0] == 2
    assert 999999 not in sizes


@pytest.fixture
def auditor(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("auditor@example.org", is_auditor=True))


def test_an_auditor_has_everybodys_table(
    ann: Person, bob: Person, auditor: Person, worker: StandInWorker
) -> None:
    answered(ann, worker)
    sent = answered(bob, worker)
    assert len(body_of(export(auditor, format="csv", after=sent["after"])).splitlines()) == 3


def reads_of(person: Person, position: str) -> list[tuple[str, str, str | None]]:
    """Who read what of this person's through the audit, and of which conversation."""
    found = person.get("/api/me/audit-reads/", after=position)["results"]
    return [(read["reader"]["email"], read["what"], read["conversation_id"]) for read in found]


def end_of(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT max(notification_id) FROM events").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("wanted", ["jsonl", "bundle"])
def test_what_others_wrote_leaves_with_a_trace(
    wanted: str, ann: Person, bob: Person, auditor: Person, worker: StandInWorker, fresh_database: str
) -> None:
    answered(ann, worker, "Of Ann")
    answered(auditor, worker, "Of the auditor")
    sent = answered(bob, worker, "Of Bob")
    body = body_of(export(auditor, format=wanted, after=sent["after"]))
    text = bundles.unpacked(body)["events.jsonl"] if wanted == "bundle" else body
    assert b"Of Ann" in text
    end = end_of(fresh_database)
    assert reads_of(ann, end) == reads_of(bob, end) == [("auditor@example.org", "export", None)]
    assert reads_of(auditor, end) == []


def test_the_trace_names_a_conversation_that_is_exported_by_itself(
    ann: Person, bob: Person, auditor: Person, worker: StandInWorker, fresh_database: str
) -> None:
    answered(bob, worker)
    sent = answered(ann, worker)
    talk = ann.get(f"/api/model-calls/{sent['call_id']}/", after=sent["after"])["conversation_id"]
    body_of(export(auditor, format="jsonl", conversation=talk))
    end = end_of(fresh_database)
    assert reads_of(ann, end) == [("auditor@example.org", "export", talk)]
    assert reads_of(bob, end) == []


def test_a_table_and_ones_own_leave_no_trace(
    ann: Person, auditor: Person, worker: StandInWorker, fresh_database: str
) -> None:
    sent = answered(ann, worker)
    body_of(export(auditor, format="csv", after=sent["after"]))
    body_of(export(ann, format="bundle"))
    assert reads_of(ann, end_of(fresh_database)) == []


def test_nothing_is_handed_out_where_the_trace_cannot_be_kept(
    ann: Person, auditor: Person, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = answered(ann, worker)

    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("the disk is full")

    monkeypatch.setattr(audit_export_views, "put_on_record", refuse)
    response = export(auditor, format="jsonl", after=sent["after"])
    assert response.status_code == 503
    assert b"Hello" not in response.content


def test_an_empty_store_has_nothing_to_export(ann: Person) -> None:
    problem_of(export(ann, format="bundle"), 404)
    problem_of(export(ann, format="jsonl"), 404)
    assert len(body_of(export(ann, format="csv")).splitlines()) == 1


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "format"),
        ({"format": "xlsx"}, "format"),
        ({"format": "bundle", "kept": "many"}, "kept"),
        ({"format": "bundle", "kept": "-1"}, "kept"),
        ({"format": "csv", "outcome": "good"}, "outcome"),
        ({"format": "csv", "after": "yesterday"}, "after"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(parameters: dict[str, str], field: str, ann: Person) -> None:
    assert list(problem_of(export(ann, **parameters), 400)["errors"]) == [field]


def test_nobody_exports_without_logging_in(person_for: Any, fresh_database: str) -> None:
    from django.test import Client

    problem_of(export(Person(Client()), format="csv"), 401)


def test_a_client_that_goes_away_leaves_no_connection_open(
    ann: Person, worker: StandInWorker, fresh_database: str
) -> None:
    sent = answered(ann, worker)
    response = export(ann, format="bundle", after=sent["after"])
    next(iter(response.streaming_content))
    assert open_exports(fresh_database) == 1
    response.close()
    assert open_exports(fresh_database) == 0


def test_enough_exports_at_a_time_are_enough(ann: Person, worker: StandInWorker) -> None:
    sent = answered(ann, worker)
    responses = [export(ann, format="jsonl", after=sent["after"]) for _ in range(AT_ONCE)]
    refused = export(ann, format="jsonl")
    assert problem_of(refused, 429)["code"] == "throttled"
    assert refused["Retry-After"] == "5"
    for response in responses:
        response.close()
    again = export(ann, format="jsonl")
    assert again.status_code == 200
    again.close()


def open_exports(database_url: str) -> int:
    """How many connections hold a moment of the database."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction'"
        ).fetchone()
    assert row is not None
    return int(row[0])
