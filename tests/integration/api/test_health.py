"""`/healthz` and `/readyz` say what a supervisor needs to know, quickly and to anybody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from django.test import Client

from backend.bootstrap.transparency import transparency_log
from tests.integration.api.support import Person, StandInWorker, projecting


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.api import health

    monkeypatch.setattr(health, "_migrated", False)


@pytest.fixture
def anybody() -> Client:
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def working(fresh_database: str, worker: StandInWorker) -> Iterator[None]:
    """A projection worker, and a model-call worker's heartbeat."""
    with psycopg.connect(fresh_database) as connection:
        connection.execute("INSERT INTO model_call_worker (worker_id) VALUES ('alive')")
    with projecting(fresh_database):
        yield


def _ready_within(anybody: Client, seconds: float) -> dict[str, object]:
    deadline = time.monotonic() + seconds
    while (response := anybody.get("/readyz")).status_code != 200:
        assert time.monotonic() < deadline, response.json()
        time.sleep(0.02)
    body: dict[str, object] = response.json()
    return body


def test_healthz_answers_without_a_database(anybody: Client) -> None:
    response = anybody.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readyz_is_503_and_says_so_while_the_database_is_away(anybody: Client) -> None:
    began = time.monotonic()
    response = anybody.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["database"] == {"state": "unreachable"}
    assert int(response.headers["Retry-After"]) >= 1
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("working")
def test_readyz_tells_every_parts_state_and_lag(anybody: Client, ann: Person) -> None:
    position = ann.start()["position"]
    ann.get("/api/conversations/", after=position)

    parts = _ready_within(anybody, 10)["parts"]

    assert isinstance(parts, dict)
    assert parts["migrations"] == {"state": "applied", "pending": 0}
    assert parts["event_store"] == {"state": "ok", "position": position}
    assert parts["model_calls"] == {"state": "ok", "workers_alive": 1}
    assert parts["projections"].keys() == {
        "conversation_list",
        "transcript",
        "model_calls",
        "replays",
        "live_changes",
        "audit_reads",
        "search",
    }
    assert parts["projections"]["conversation_list"] == {"position": position, "lag": 0, "state": "running"}
    assert parts["log"] == {"position": "0", "lag": int(position), "state": "running", "checkpoint_at": None}
    assert parts["runner"]["kind"] == "openai-compatible"


@pytest.mark.usefixtures("working")
def test_readyz_tells_how_far_the_log_is_and_when_it_was_signed(anybody: Client, ann: Person) -> None:
    ann.start()
    _ready_within(anybody, 10)
    before = datetime.now(UTC)
    signed = transparency_log().checkpoint()
    assert signed is not None
    ahead = ann.start()["position"]
    ann.get("/api/conversations/", after=ahead)

    log = _ready_within(anybody, 10)["parts"]["log"]  # type: ignore[index]
    assert log["lag"] == int(ahead) - int(log["position"]) > 0
    assert log["checkpoint_at"].endswith("Z")
    assert before <= datetime.fromisoformat(log["checkpoint_at"]) <= datetime.now(UTC)
    transparency_log().checkpoint()
    log = _ready_within(anybody, 10)["parts"]["log"]  # type: ignore[index]
    assert (log["position"], log["lag"]) == (ahead, 0)


@pytest.mark.usefixtures("working")
def test_an_unreachable_runner_is_told_and_does_not_make_it_unready(anybody: Client) -> None:
    deadline = time.monotonic() + 10
    while True:
        runner = _ready_within(anybody, 10)["parts"]["runner"]  # type: ignore[index]
        if runner["state"] == "unreachable":
            break
        assert time.monotonic() < deadline, runner
        time.sleep(0.05)

    assert runner["error"]


def test_without_a_projection_worker_it_is_not_ready(anybody: Client, fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("INSERT INTO model_call_worker (worker_id) VALUES ('alive')")

    response = anybody.get("/readyz")

    assert response.status_code == 503
    assert {p["state"] for p in response.json()["parts"]["projections"].values()} == {"no worker"}


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize(
    "row",
    [
        "('dead', now(), now(), true)",
        "('silent', now(), now() - interval '1 minute', false)",
        # A web process, which carries out the calls of its own programs only.
        "('web:here-1-ab', now(), now(), false)",
    ],
)
def test_without_a_living_model_call_worker_it_is_not_ready(
    anybody: Client, fresh_database: str, row: str
) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute(
            f"INSERT INTO model_call_worker (worker_id, started_at, heartbeat_at, dead) VALUES {row}"
        )

    response = anybody.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["model_calls"] == {"state": "no worker", "workers_alive": 0}


@pytest.mark.usefixtures("working")
def test_a_stopped_read_model_that_lags_makes_it_unready(anybody: Client, ann: Person) -> None:
    from projections.position_table import STOPPED, ProjectionPosition

    _ready_within(anybody, 10)
    ann.get("/api/conversations/", after=ann.start()["position"])
    ProjectionPosition.objects.filter(name="transcript").update(state=STOPPED, position=1)

    response = anybody.get("/readyz")

    assert response.status_code == 503
    transcript = response.json()["parts"]["projections"]["transcript"]
    assert (transcript["state"], transcript["position"]) == ("stopped", "1")
    assert transcript["lag"] > 0
