"""/metrics of a whole installation, read by Prometheus' own parser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import REPOSITORY, Stack, running_stack, wait_until

TOKEN = "a-token-for-prometheus"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figures(stack: Stack, **headers: str) -> Samples:
    answer = httpx.get(f"{stack.url}/metrics", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return samples_of(answer.text)


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all samples of this name that have at least these labels."""
    return sum(number for (each, has), number in samples.items() if each == name and {*labels.items()} <= has)


@pytest.fixture(scope="module")
def stack(shared_runner: ScriptedRunner) -> Iterator[Stack]:
    shared_runner.reset()
    settings = {"MODEL_RUNNER_URL": shared_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID, "TITLES": "off"}
    with running_stack(**settings) as running:
        yield running
    shared_runner.reset()


@pytest.fixture(scope="module")
def two_webs(shared_runner: ScriptedRunner) -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=shared_runner.url, WEB_WORKERS="2", METRICS_TOKEN=TOKEN) as running:
        yield running


def test_what_happened_is_counted(stack: Stack, shared_runner: ScriptedRunner) -> None:
    shared_runner.play(
        Script().words("one two three").finish().usage(7, 3).done(),
        Script().respond(400, {"error": {"message": "No."}}),
    )
    with ApiClient(stack.url) as ann:
        ann.sign_up()
        conversation = ann.start_conversation()
        with ann.live(cursor="0"):
            assert ann.say(conversation["id"], "Count")["outcome"] == "complete"
            assert ann.say(conversation["id"], "Count")["outcome"] == "failed"
            wait_until(
                lambda: value(figures(stack), "verbatim_model_calls_total") == 2, "both calls", timeout_s=30
            )
            found = figures(stack)
            assert value(found, "verbatim_live_streams_open") == 1
    assert value(found, "verbatim_up") == 1
    assert value(found, "verbatim_turns_total") == 2
    called = {"purpose": "reply", "source": "browser", "model": MODEL_ID}
    assert value(found, "verbatim_model_calls_total", outcome="complete", **called) == 1, found
    assert value(found, "verbatim_model_calls_total", outcome="failed", **called) == 1
    assert value(found, "verbatim_tokens_total", kind="prompt") == 7
    assert value(found, "verbatim_tokens_total", kind="completion") == 3
    assert value(found, "verbatim_first_token_seconds_count") == 1
    assert value(found, "verbatim_first_token_seconds_bucket", le="+Inf") == 1
    assert value(found, "verbatim_queue_waiting") == value(found, "verbatim_queue_running") == 0
    assert value(found, "verbatim_model_call_workers_alive") == 1
    assert value(found, "verbatim_read_model_lag_events") == 0
    assert value(found, "verbatim_read_model_state", state="running") == 7
    assert value(found, "verbatim_projection_worker_active") == 1
    assert value(found, "verbatim_events_total") > 5
    sent = "/api/conversations/<uuid:conversation_id>/messages/"
    assert value(found, "verbatim_http_requests_total", method="POST", route=sent, status="202") == 2
    assert value(found, "verbatim_http_request_duration_seconds_count", route=sent) == 2
    assert value(found, "process_resident_memory_bytes") > 10_000_000
    wait_until(lambda: value(figures(stack), "verbatim_live_streams_open") == 0, "the end of the stream")


def test_no_figure_is_about_somebody(stack: Stack) -> None:
    with ApiClient(stack.url) as ann:
        ann.sign_up("okapi@example.org")
        conversation = ann.start_conversation(title="okapi")
        for path in (
            f"/c/{conversation['id']}",
            "/okapi",
            "/api/okapi/",
            "/v1/okapi",
            "/api/search/?q=okapi",
        ):
            ann.http.get(path)
    text = httpx.get(f"{stack.url}/metrics").text
    assert "okapi" not in text
    assert re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-", text) == []


def test_without_a_token_only_machines_nearby_may_look(stack: Stack) -> None:
    passed_on = httpx.get(f"{stack.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert (passed_on.status_code, passed_on.json()["code"]) == (404, "not_found")
    assert httpx.post(f"{stack.url}/metrics").status_code in (403, 405)


def test_with_a_token_whoever_has_it(two_webs: Stack) -> None:
    assert httpx.get(f"{two_webs.url}/metrics").status_code == 404
    for wrong in ("Bearer", "Bearer wrong", TOKEN[:-1]):
        assert httpx.get(f"{two_webs.url}/metrics", headers={"Authorization": wrong}).status_code == 404
    assert value(figures(two_webs, **AUTHORIZED), "verbatim_up") == 1


def test_several_web_processes_tell_what_all_of_them_counted(two_webs: Stack) -> None:
    with ApiClient(two_webs.url) as ann:
        ann.sign_up()
        before = value(figures(two_webs, **AUTHORIZED), "verbatim_http_requests_total", route="/api/me/")
        for _ in range(40):
            # A connection of its own each time, so that both are asked.
            httpx.get(f"{two_webs.url}/api/me/", cookies=ann.http.cookies).raise_for_status()
        after = value(figures(two_webs, **AUTHORIZED), "verbatim_http_requests_total", route="/api/me/")
        assert after - before == 40
        with ann.live(cursor="0"):
            assert value(figures(two_webs, **AUTHORIZED), "verbatim_live_streams_open") == 1
            old = two_webs.kill_part("web")
            two_webs.wait_for_new_part("web", old)
    wait_until(lambda: httpx.get(f"{two_webs.url}/healthz").status_code == 200, "a web process")
    wait_until(
        lambda: value(figures(two_webs, **AUTHORIZED), "verbatim_live_streams_open") == 0,
        "streams of the dead",
    )


def test_the_dashboard_shows_figures_that_there_are(stack: Stack) -> None:
    dashboard = json.loads((REPOSITORY / "docs" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(expressions) > 12
    told = {name for name, _ in figures(stack)}
    families = {
        line.split()[2]
        for line in httpx.get(f"{stack.url}/metrics").text.splitlines()
        if line.startswith("# TYPE")
    }
    known = told | families | {f"{name}_bucket" for name in families}
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len({*titles}) == len(titles)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len({*places}) == len(places)
    asked = {name for each in expressions for name in re.findall(r"\b(?:verbatim|process)_[a-z_]+", each)}
    assert asked - known == set()
    own = {name for name in families if name.startswith("verbatim")}
    assert {name for name in own if not any(each.startswith(name) for each in asked)} == set()
    documented = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in sorted(own) if f"`{name}`" not in documented] == []


def test_only_web_processes_count_and_each_start_begins_anew(two_webs: Stack) -> None:
    folder = Path(two_webs.data_dir) / "counts"

    def counting() -> set[int]:
        return {int(file.stem.rpartition("_")[2]) for file in folder.glob("*.db")}

    before = counting()
    assert before >= {*two_webs.part_pids("web")}
    assert not before & {*two_webs.part_pids("projections"), *two_webs.part_pids("model-calls")}
    memory = value(figures(two_webs, **AUTHORIZED), "process_resident_memory_bytes")
    assert memory > 2 * 10_000_000

    two_webs.stop()
    two_webs.start()
    figures(two_webs, **AUTHORIZED)

    assert counting() == {*two_webs.part_pids("web")}
