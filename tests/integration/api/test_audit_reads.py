"""Reading somebody else's content: who may, that it is on record before it is shown, and that its owner sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections

from backend import bootstrap
from tests.integration.api.support import Json, Person, StandInWorker, problem_of, stored_events, token_of

if TYPE_CHECKING:
    from backend.accounts.models import User

pytestmark = pytest.mark.usefixtures("projected")

MINE = "/api/me/audit-reads/"
CONTENT = ("model-calls/{call}/prompt/", "model-calls/{call}/reply/", "model-calls/{call}/raw/")
EVERYTHING = (*CONTENT, "audit/conversations/{conversation}/events/")


@pytest.fixture
def eve(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    """An auditor."""
    return person_for(make_user("eve@example.org", display_name="Eve", is_auditor=True))


@pytest.fixture
def admin(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("admin@example.org", is_staff=True))


@pytest.fixture
def said(ann: Person, worker: StandInWorker) -> dict[str, str]:
    """Ann's conversation with one answered call: the ids by which it is asked for."""
    conversation = ann.start(title="Ann's", system_prompt="Be brief.")
    sent = ann.send(conversation["id"], "Between us")
    position = worker.answer(sent["call_id"], "I tell nobody.")
    return {"conversation": conversation["id"], "call": sent["call_id"], "position": position}


def address(path: str, said: dict[str, str]) -> str:
    return f"/api/{path.format(**said)}"


def readings(person: Person) -> list[Json]:
    """Who has read this person's content, up to now."""
    rows: list[Json] = person.get(MINE, after=str(bootstrap.event_store().end()))["results"]
    return rows


# ---- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERYTHING)
def test_an_auditor_and_an_administrator_see_it_and_its_owner_sees_that(
    path: str, ann: Person, eve: Person, admin: Person, said: dict[str, str]
) -> None:
    assert readings(ann) == []
    for reader in (eve, admin):
        assert reader.client.get(address(path, said)).status_code == 200

    found = readings(ann)

    assert [row["reader"]["email"] for row in found] == ["admin@example.org", "eve@example.org"]
    mine = found[1]
    assert mine["reader"] == {
        "id": eve.get("/api/me/")["id"],
        "email": "eve@example.org",
        "display_name": "Eve",
    }
    assert mine["conversation_id"] == said["conversation"]
    of_conversation = path.startswith("audit/")
    assert mine["call_id"] == (None if of_conversation else said["call"])
    assert mine["what"] == path.rstrip("/").rpartition("/")[2]
    assert datetime.fromisoformat(mine["at"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert UUID(mine["id"])
    assert readings(eve) == []


@pytest.mark.parametrize("path", EVERYTHING)
def test_the_owner_reads_without_a_trace(
    path: str, ann: Person, fresh_database: str, said: dict[str, str]
) -> None:
    before = stored_events(fresh_database)
    assert ann.client.get(address(path, said)).status_code == 200
    assert stored_events(fresh_database) == before


@pytest.mark.parametrize("path", EVERYTHING)
def test_for_everybody_else_it_does_not_exist(
    path: str, ann: Person, bob: Person, fresh_database: str, said: dict[str, str]
) -> None:
    before = stored_events(fresh_database)
    unknown = {"conversation": str(uuid4()), "call": str(uuid4())}
    for ids in (said, unknown):
        problem_of(bob.client.get(address(path, ids)), 404)
    assert stored_events(fresh_database) == before
    problem_of(ann.client.get(address(path, unknown)), 404)


@pytest.mark.parametrize("path", [*EVERYTHING, "me/audit-reads/"])
def test_nobody_reads_without_logging_in(path: str, ann: Person, said: dict[str, str]) -> None:
    ann.client.logout()
    problem_of(ann.client.get(address(path, said)), 401)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "conversations/{conversation}/"),
        ("GET", "conversations/{conversation}/transcript/"),
        ("GET", "conversations/{conversation}/events/"),
        ("POST", "conversations/{conversation}/messages/"),
        ("PATCH", "conversations/{conversation}/"),
        ("DELETE", "conversations/{conversation}/"),
        ("POST", "model-calls/{call}/cancel/"),
    ],
)
@pytest.mark.parametrize("role", ["eve", "admin"])
def test_nobody_but_the_owner_chats_edits_or_cancels(
    role: str,
    method: str,
    path: str,
    said: dict[str, str],
    fresh_database: str,
    request: pytest.FixtureRequest,
) -> None:
    person: Person = request.getfixturevalue(role)
    before = stored_events(fresh_database)
    body = {"content": "Hello"} if path.endswith("messages/") else {"title": "x"} if method == "PATCH" else {}
    problem_of(person.ask(method, address(path, said), None if method == "GET" else body), 404)
    assert stored_events(fresh_database) == before


def test_an_auditors_token_reads_as_the_auditor_does(
    ann: Person, make_user: Callable[..., User], said: dict[str, str]
) -> None:
    from django.test import Client

    program = Client(
        headers={"Authorization": f"Bearer {token_of(make_user('p@example.org', is_auditor=True))}"}
    )
    assert program.get(address(CONTENT[0], said)).status_code == 200
    assert [row["reader"]["email"] for row in readings(ann)] == ["p@example.org"]


# ---- what is shown ----------------------------------------------------------------------------


def test_an_auditor_sees_what_the_owner_sees(ann: Person, eve: Person, said: dict[str, str]) -> None:
    for path in EVERYTHING:
        mine, theirs = ann.client.get(address(path, said)), eve.client.get(address(path, said))
        if path.endswith("raw/"):
            assert mine.content == theirs.content
        else:
            answers: list[Any] = [mine.json(), theirs.json()]
            for answer in answers:
                answer.pop("position")
            assert answers[0] == answers[1]


def test_the_reply_of_a_call_is_told_with_how_it_ended(
    ann: Person, worker: StandInWorker, said: dict[str, str]
) -> None:
    reply = ann.get(address("model-calls/{call}/reply/", said))
    assert reply["position"].isdigit()
    assert {name: reply[name] for name in ("content", "reasoning", "tool_calls", "outcome")} == {
        "content": "I tell nobody.",
        "reasoning": "",
        "tool_calls": [],
        "outcome": "complete",
    }
    waiting = ann.send(said["conversation"], "And?")
    pending = ann.get(f"/api/model-calls/{waiting['call_id']}/reply/")
    assert (pending["content"], pending["outcome"]) == ("", "pending")


def test_the_raw_bytes_are_those_whose_digest_was_recorded(
    ann: Person, eve: Person, said: dict[str, str]
) -> None:
    call = ann.get(address("model-calls/{call}/", said), after=said["position"])
    response = eve.client.get(address("model-calls/{call}/raw/", said), headers={"Accept": "text/html"})
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == f'attachment; filename="model-call-{said["call"]}.json"'
    assert hashlib.sha256(response.content).hexdigest() == call["body_sha256"]
    assert len(response.content) == call["body_length"]
    assert response.content.decode() == ann.get(address("model-calls/{call}/prompt/", said))["body"]


def test_bytes_that_are_not_the_recorded_ones_are_not_given_out(
    ann: Person, eve: Person, fresh_database: str, said: dict[str, str]
) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), 'Between us', 'Between ux'), 'UTF8')"
            " WHERE topic = 'UserMessageSent.v1'"
        )
        connection.execute("ALTER TABLE events ENABLE TRIGGER ALL")

    problem = problem_of(ann.client.get(address("model-calls/{call}/raw/", said)), 409)

    assert problem["code"] == "prompt_differs"
    assert "verify log" in problem["detail"]
    assert ann.get(address("model-calls/{call}/prompt/", said))["identical"] is False
    problem_of(eve.client.get(address("model-calls/{call}/raw/", said)), 409)
    assert readings(ann) == [], "nothing was shown"


def test_the_events_of_a_conversation_come_in_pages_and_are_one_reading(
    ann: Person, eve: Person, said: dict[str, str]
) -> None:
    path = address("audit/conversations/{conversation}/events/", said)
    first = eve.get(path, limit="2")
    assert [row["version"] for row in first["results"]] == [1, 2]
    second = eve.client.get(first["next"].removeprefix("http://localhost")).json()
    assert second["results"][0]["version"] == 3
    assert f"audit/conversations/{said['conversation']}" in first["next"]
    texts = [row["payload"].get("content") for row in eve.get(path)["results"]]
    assert "Between us" in texts
    assert "I tell nobody." in texts
    problem_of(eve.client.get(path, {"limit": "0"}), 400)
    assert len(readings(ann)) == 1


# ---- on record --------------------------------------------------------------------------------


def test_a_reload_and_other_parts_of_the_same_call_are_one_reading(
    ann: Person, eve: Person, fresh_database: str, said: dict[str, str]
) -> None:
    before = stored_events(fresh_database)
    for path in (*CONTENT, *CONTENT):
        assert eve.client.get(address(path, said)).status_code == 200
    assert stored_events(fresh_database) == before + 2, "the trail of the day, and one reading"
    eve.client.get(address(EVERYTHING[-1], said))
    assert [row["what"] for row in readings(ann)] == ["events", "prompt"]


def test_ten_minutes_later_it_is_another_reading(
    ann: Person, eve: Person, said: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC)

    def look(after: timedelta) -> None:
        monkeypatch.setattr(bootstrap.SystemClock, "now", lambda self: began + after)
        assert eve.client.get(address(CONTENT[0], said)).status_code == 200

    look(timedelta(0))
    look(timedelta(minutes=9, seconds=59))
    assert len(readings(ann)) == 1
    look(timedelta(minutes=10))
    assert len(readings(ann)) == 2


def test_readers_at_once_are_each_recorded_once(
    ann: Person,
    said: dict[str, str],
    make_user: Callable[..., User],
    person_for: Callable[[User], Person],
) -> None:
    readers = [make_user(f"auditor{number}@example.org", is_auditor=True) for number in range(3)]

    def look(user: User) -> int:
        try:
            status: int = person_for(user).client.get(address(CONTENT[0], said)).status_code
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(9) as pool:
        assert list(pool.map(look, readers * 3)) == [200] * 9

    assert sorted(row["reader"]["email"] for row in readings(ann)) == [user.email for user in readers]


@pytest.mark.parametrize("path", EVERYTHING)
def test_where_a_reading_cannot_be_recorded_nothing_is_shown(
    path: str, ann: Person, eve: Person, fresh_database: str, said: dict[str, str]
) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        # As a database that is full or read-only would, at the one moment that counts.
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    response = eve.client.get(address(path, said))

    assert response.status_code >= 500
    assert "Between us" not in response.content.decode()
    assert "I tell nobody." not in response.content.decode()
    assert ann.client.get(address(path, said)).status_code == 200, "one's own needs no record"
    assert readings(ann) == []


# ---- what the owner sees ----------------------------------------------------------------------


def test_readings_come_newest_first_in_pages_and_only_ones_own(
    ann: Person, bob: Person, eve: Person, worker: StandInWorker, said: dict[str, str]
) -> None:
    calls = []
    for _ in range(3):
        sent = ann.send(said["conversation"], "More")
        worker.answer(sent["call_id"], "Yes")
        calls.append(sent["call_id"])
        eve.get(f"/api/model-calls/{sent['call_id']}/reply/")
    other = bob.send(bob.start()["id"], "Mine")
    eve.get(f"/api/model-calls/{other['call_id']}/prompt/")

    page = ann.get(MINE, limit="2", after=str(bootstrap.event_store().end()))
    rest = ann.client.get(page["next"].removeprefix("http://localhost")).json()

    assert [row["call_id"] for row in [*page["results"], *rest["results"]]] == calls[::-1]
    assert rest["next"] is None
    assert [row["call_id"] for row in readings(bob)] == [other["call_id"]]
    problem_of(ann.client.get(MINE, {"cursor": "x"}), 400)


def test_a_reader_whose_account_is_gone_stays_visible_by_id(
    ann: Person, eve: Person, said: dict[str, str]
) -> None:
    from backend.accounts.models import User

    eve_id = eve.get("/api/me/")["id"]
    eve.get(address(CONTENT[0], said))
    User.objects.filter(pk=eve_id).delete()
    assert [row["reader"] for row in readings(ann)] == [{"id": eve_id, "email": None, "display_name": None}]


def test_the_owner_hears_of_a_reading_at_once(
    ann: Person, eve: Person, said: dict[str, str], make_user: Callable[..., User]
) -> None:
    """What goes over the live stream: the reading, and not how it is filed."""
    from backend.api import live_source
    from projections import tracking

    before = int(said["position"])
    eve.get(address(CONTENT[0], said))
    end = bootstrap.event_store().end()
    assert all(tracking.wait_until(name, end, timeout_s=10) for name in tracking_names())

    ann_id, eve_id = UUID(ann.get("/api/me/")["id"]), eve.get("/api/me/")["id"]
    batch = live_source.changes_since(before, frozenset({ann_id}))

    told = [row for row in batch.rows if row.body is not None and row.position > before]
    assert len(told) == 1
    assert told[0].owner_id == ann_id
    body = (told[0].body or b"").decode()
    assert body.startswith("event: change\n")
    for part in ('"kind":"audit_read"', eve_id, said["call"], said["conversation"], '"what":"prompt"'):
        assert part in body


def tracking_names() -> tuple[str, ...]:
    from projections.registry import read_model_names

    return read_model_names()
