"""The ledger of all calls: whose they are, in which order, and that its pages leave nothing out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.api.support import Json, Person, StandInWorker, problem_of

if TYPE_CHECKING:
    from backend.accounts.models import User

LIST = "/api/model-calls/"
BEGAN = datetime(2026, 3, 10, 9, tzinfo=UTC)
FIGURES = ("duration_ms", "first_token_ms", "prompt_tokens", "completion_tokens")


@pytest.fixture
def eve(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user("eve@example.org", is_auditor=True))


def put_call(owner_id: str | UUID, minute: int = 0, **fields: Any) -> str:
    """A row of the ledger, as its projector would write it."""
    from projections.model_calls.read_table import ModelCallRow

    row = ModelCallRow(
        id=uuid4(),
        owner_id=UUID(str(owner_id)),
        **{
            "version": 1,
            "purpose": "reply",
            "source": "browser",
            "model": "m",
            "runner": "r",
            "params": {},
            "conversation_version": 1,
            "builder": "chat/1",
            "serializer": "jcs-rfc8785/1",
            "body_sha256": "00",
            "body_length": 2,
            "requested_at": BEGAN + timedelta(minutes=minute),
            "outcome": "complete",
            **fields,
        },
    )
    row.save(force_insert=True)
    return str(row.id)


def walk(person: Person, **parameters: str) -> list[Json]:
    """All rows, page by page to the end and back again."""
    page = person.get(LIST, **parameters)
    rows = list(page["results"])
    while page["next"]:
        page = person.client.get(page["next"].removeprefix("http://localhost")).json()
        rows += page["results"]
    back = list(page["results"])
    while page["previous"]:
        page = person.client.get(page["previous"].removeprefix("http://localhost")).json()
        back = [*page["results"], *back]
    assert back == rows, "the way back leads past the same rows"
    return rows


# ---- whose ------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [{"is_auditor": True}, {"is_staff": True}])
def test_those_who_audit_are_told_whose_each_call_is(
    role: dict[str, bool],
    ann: Person,
    bob: Person,
    worker: StandInWorker,
    projected: None,
    make_user: Callable[..., User],
    person_for: Callable[[User], Person],
) -> None:
    mine = ann.send(ann.start()["id"], "Hello")
    theirs = bob.send(bob.start()["id"], "Hello")
    reader = person_for(make_user("reader@example.org", **role))

    rows = reader.get(LIST, after=theirs["position"])["results"]

    assert [(row["id"], row["user"]["email"]) for row in rows] == [
        (theirs["call_id"], "bob@example.org"),
        (mine["call_id"], "ann@example.org"),
    ]
    one = reader.get(f"{LIST}{mine['call_id']}/")
    me = ann.get("/api/me/")
    assert one["user"] == {"id": me["id"], "email": me["email"], "display_name": me["display_name"]}
    for row in ann.get(LIST)["results"]:
        assert row["user"] is None
    assert ann.get(f"{LIST}{mine['call_id']}/")["user"] is None


def test_calls_of_an_account_that_is_gone_stay_under_its_id(eve: Person) -> None:
    gone = str(uuid4())
    call_id = put_call(gone)

    [row] = eve.get(LIST, user=gone)["results"]

    assert (row["id"], row["user"]) == (call_id, {"id": gone, "email": None, "display_name": None})


def test_however_many_calls_a_page_has_their_people_are_one_query(
    eve: Person, make_user: Callable[..., User]
) -> None:
    def queries(limit: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(eve.get(LIST, limit=limit)["results"]) == int(limit)
        return len(captured)

    for number in range(12):
        put_call(make_user().pk, number)

    assert queries("2") == queries("12")


# ---- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_the_ledger_is_sorted_by_its_figures_and_leaves_no_call_out(eve: Person, figure: str) -> None:
    owner = uuid4()
    figures: list[int | None] = [5, None, 5, 0, 12, None, 7, 5, 10_000_000_000]
    for minute, value in enumerate(figures):
        put_call(owner, minute, **{figure: value})

    def shown(row: Json) -> Any:
        return row["usage"][figure] if figure.endswith("tokens") else row[figure]

    up = walk(eve, ordering=figure, limit="2")
    down = walk(eve, ordering=f"-{figure}", limit="4")

    wanted = [None, None, 0, 5, 5, 5, 7, 12, 10_000_000_000]
    assert [shown(row) for row in up] == wanted
    assert [shown(row) for row in down] == wanted[::-1]
    assert len({row["id"] for row in up}) == len(figures)
    assert "sorted_by" not in up[0]


def test_the_newest_come_first_unless_the_oldest_are_asked_for(eve: Person) -> None:
    owner = uuid4()
    ids = [put_call(owner, minute) for minute in (0, 1, 1, 2, 3)]
    assert [row["requested_at"] for row in walk(eve, limit="2")] == [
        row["requested_at"] for row in walk(eve, ordering="requested_at", limit="3")[::-1]
    ]
    assert walk(eve, limit="2")[0]["id"] == ids[-1]


@pytest.mark.parametrize("ordering", ["id", "-", "", "duration", "--duration_ms", "owner_id"])
def test_an_ordering_that_is_not_known_is_refused_with_those_that_are(eve: Person, ordering: str) -> None:
    problem = problem_of(eve.client.get(LIST, {"ordering": ordering}), 400)
    assert "duration_ms" in problem["errors"]["ordering"][0]


def test_a_cursor_fits_only_the_ordering_it_was_given_for(eve: Person) -> None:
    import base64
    import json

    owner = uuid4()
    for minute in range(3):
        put_call(owner, minute, duration_ms=minute)
    cursor = (
        eve.get(LIST, limit="1", ordering="duration_ms")["next"].partition("cursor=")[2].partition("&")[0]
    )
    problem_of(eve.client.get(LIST, {"cursor": cursor}), 400)
    for value in ("x", "1.5", "9" * 30, "", "1e9", "\u0661"):
        forged = base64.urlsafe_b64encode(
            json.dumps(["duration_ms", False, value, str(uuid4())]).encode()
        ).decode()
        assert (
            "cursor"
            in problem_of(eve.client.get(LIST, {"cursor": forged, "ordering": "duration_ms"}), 400)["errors"]
        )


# ---- filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", "lost"),
        ("purpose", "fun"),
        ("source", "radio"),
        ("user", "ann"),
        ("conversation", "1"),
        ("created_after", "yesterday"),
        ("duration_ms_min", "-1"),
        ("first_token_ms_max", "soon"),
        ("prompt_tokens_min", "NaN"),
    ],
)
def test_a_filter_that_does_not_fit_is_named(eve: Person, name: str, value: str) -> None:
    assert name in problem_of(eve.client.get(LIST, {name: value}), 400)["errors"]


def test_a_number_beyond_all_numbers_finds_nothing(eve: Person) -> None:
    put_call(uuid4(), duration_ms=5)
    assert eve.get(LIST, duration_ms_min="9" * 30)["results"] == []
    assert len(eve.get(LIST, duration_ms_max="9" * 30)["results"]) == 1


def test_filters_and_order_work_together(eve: Person) -> None:
    ann, bob = uuid4(), uuid4()
    slow = put_call(ann, 1, duration_ms=900, outcome="failed", source="openai", purpose="external")
    quick = put_call(ann, 2, duration_ms=100, outcome="failed", source="openai", purpose="external")
    put_call(ann, 3, duration_ms=500)
    put_call(bob, 4, duration_ms=500, outcome="failed", source="openai", purpose="external")

    found = walk(
        eve,
        user=str(ann),
        outcome="failed",
        source="openai",
        purpose="external",
        runner="r",
        model="m",
        ordering="-duration_ms",
        limit="1",
        created_after=(BEGAN - timedelta(days=1)).isoformat(),
    )

    assert [row["id"] for row in found] == [slow, quick]
