"""Who sees /metrics, by which name it is asked for, and what it says when not all can be told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from backend.api.metrics import shared
from projections.position_table import REBUILDING, ProjectionPosition

TOKEN = "a-token-for-prometheus"
OUTSIDE = "9.9.9.9"


def asked(*, host: str = "localhost", address: str = "127.0.0.1", **headers: str) -> Any:
    fields: dict[str, Any] = {f"HTTP_{name}": value for name, value in headers.items()}
    return Client().get("/metrics", HTTP_HOST=host, REMOTE_ADDR=address, **fields)


def families(answer: Any) -> dict[str, Metric]:
    assert answer.status_code == 200, answer.content
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TRAFFIC", replace(settings.TRAFFIC, metrics_token=TOKEN))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "172.18.0.4", "::1", "fd00::7", "::ffff:192.168.1.2"]
)
def test_machines_nearby_may_look(fresh_database: str, address: str) -> None:
    assert families(asked(address=address))["verbatim_up"].samples[0].value == 1


@pytest.mark.parametrize("address", [OUTSIDE, "8.8.8.8", "::ffff:8.8.8.8", "2001:4860::1", "", "unix:"])
def test_others_find_nothing(address: str) -> None:
    answer = asked(address=address)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "header", ["FORWARDED", "VIA", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP"]
)
def test_whoever_comes_through_a_proxy_finds_nothing(header: str) -> None:
    assert asked(**{header: "127.0.0.1"}).status_code == 404


@pytest.mark.parametrize("host", ["localhost", "web:8000", "172.18.0.5:8000", "[::1]:8000", "127.0.0.1"])
def test_it_is_asked_for_by_whatever_name_the_own_network_has(fresh_database: str, host: str) -> None:
    assert asked(host=host).status_code == 200


@pytest.mark.parametrize("host", ["rebound.example.org", "rebound.example.org:8000", "", "web:x", "a/b"])
def test_a_page_that_let_its_name_point_here_finds_nothing(host: str) -> None:
    assert asked(host=host).status_code == 404


@pytest.mark.usefixtures("with_token")
@pytest.mark.parametrize(
    "wrong", ["", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer \xff\xfe"]
)
def test_with_a_token_nobody_else_sees_it(wrong: str) -> None:
    assert asked(AUTHORIZATION=wrong).status_code == 404


@pytest.mark.usefixtures("with_token")
def test_with_a_token_it_is_seen_from_anywhere(fresh_database: str) -> None:
    answer = asked(
        address=OUTSIDE, host="chat.example.org", AUTHORIZATION=f"bearer {TOKEN}", X_FORWARDED_FOR=OUTSIDE
    )
    assert answer.status_code == 200


def test_it_is_only_read(fresh_database: str) -> None:
    client = Client(HTTP_HOST="localhost")
    answer = client.post("/metrics")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert client.post("/metrics", REMOTE_ADDR=OUTSIDE).status_code == 404
    assert client.head("/metrics").status_code == 200


def test_without_a_database_it_says_so_at_once() -> None:
    began = time.monotonic()
    found = families(asked())
    assert time.monotonic() - began < 5
    assert found["verbatim_up"].samples[0].value == 0
    assert {"verbatim_info", "verbatim_http_requests", "process_resident_memory_bytes"} <= found.keys()
    assert "verbatim_model_calls" not in found


@pytest.mark.usefixtures("fresh_database")
def test_while_calls_are_counted_anew_none_are_told() -> None:
    ProjectionPosition.objects.create(name="model_calls", position=0)
    assert "verbatim_turns" in families(asked())

    ProjectionPosition.objects.filter(name="model_calls").update(state=REBUILDING)

    found = families(asked())
    assert not {"verbatim_turns", "verbatim_model_calls", "verbatim_tokens"} & found.keys()
    assert found["verbatim_up"].samples[0].value == 1
    states = {
        (each.labels["read_model"], each.labels["state"])
        for each in found["verbatim_read_model_state"].samples
    }
    assert ("model_calls", "rebuilding") in states


def test_memory_is_of_all_living_processes_and_streams_of_the_dead_are_over(tmp_path: Path) -> None:
    def memory() -> float:
        found = {family.name: family.samples for family in shared.Processes(tmp_path).collect()}
        return float(found["process_resident_memory_bytes"][0].value)

    (tmp_path / f"gauge_livesum_{os.getpid()}.db").touch()
    alone = memory()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        of_the_other = tmp_path / f"gauge_livesum_{other.pid}.db"
        of_the_other.touch()
        assert memory() > alone
        shared.forget_the_dead(tmp_path)
        assert of_the_other.exists()
        other.communicate()
    shared.forget_the_dead(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"gauge_livesum_{os.getpid()}.db"]
