"""Two web processes, three model-call workers and two projection workers: any of them can go, and nobody notices for long."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.chaos.killers import COPIES, rolling_restart
from tests.chaos.storm import run_storm
from tests.support.api_client import ApiClient
from tests.support.stack import Stack, running_stack, wait_until

WORDS = [f"w{number} " for number in range(150)]


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as runner:
        yield runner


@pytest.fixture(scope="module")
def stack(runner: ScriptedRunner) -> Iterator[Stack]:
    with running_stack(
        MODEL_RUNNER_URL=runner.url,
        MODEL_RUNNER_MODEL=MODEL_ID,
        WEB_WORKERS=str(COPIES["web"]),
        MODEL_CALL_WORKERS=str(COPIES["model-calls"]),
        PROJECTION_WORKERS=str(COPIES["projections"]),
    ) as stack:
        yield stack


@pytest.fixture
def person(stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(stack.url) as client:
        client.sign_up()
        yield client


class OneStream:
    """An EventSource on a connection of its own, read by hand, of which is known which process serves it."""

    def __init__(self, stack: Stack, person: ApiClient, address: str, last_id: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
        cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
        headers = {"Cookie": cookies, **({"Last-Event-ID": last_id} if last_id else {})}
        self._connection.request("GET", address, headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        assert isinstance(self._connection.sock, socket.socket)
        self.served_by = _process_at(stack, self._connection.sock.getsockname()[1])
        self.last_id = last_id

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Whole events until the connection is cut."""
        event, data, cursor = "", "", None
        try:
            while line := self._response.readline().decode():
                if line == "\n" and data:
                    self.last_id = cursor or self.last_id
                    yield event, json.loads(data)
                    event, data, cursor = "", "", None
                elif line.startswith("event: "):
                    event = line[7:-1]
                elif line.startswith("data: "):
                    data = line[6:-1]
                elif line.startswith("id: "):
                    cursor = line[4:-1]
        except (OSError, http.client.HTTPException):
            return

    def close(self) -> None:
        self._connection.close()


def _process_at(stack: Stack, client_port: int) -> int:
    """The web process that holds the other end of a connection from this port."""
    local, remote = f":{stack.port:04X}", f":{client_port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [inode] = [row[9] for row in rows if row[1].endswith(local) and row[2].endswith(remote)]
    for pid in stack.part_pids("web"):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    raise AssertionError(f"no web process holds the connection from port {client_port}")


def test_a_stream_begun_on_one_web_process_goes_on_at_the_other(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> None:
    runner.play(Script().words("".join(WORDS), delay_ms=30).complete())
    conversation = person.start_conversation(title="Two of them")
    address = f"/api/live/?conversation={conversation['id']}&cursor={conversation['position']}"
    first = OneStream(stack, person, address)
    sent = person.send(conversation["id"], "Count")

    chunks: list[dict[str, Any]] = []
    for event, data in first.events():
        if event == "chunk":
            chunks.append(data)
            if len(chunks) == 40:
                os.kill(first.served_by, signal.SIGKILL)
    assert len(chunks) >= 40, "the stream was cut in the middle of the reply"
    second = OneStream(stack, person, address, first.last_id)
    assert second.served_by != first.served_by
    for event, data in second.events():
        if event == "chunk":
            chunks.append(data)
        elif event == "call" and (data["call_id"], data["state"]) == (sent["call_id"], "finished"):
            assert data["outcome"] == "complete"
            break
    second.close()

    assert [chunk["seq"] for chunk in chunks] == list(range(len(chunks))), "no gap, no duplicate"
    assert "".join(chunk["text"] for chunk in chunks) == "".join(WORDS)
    assert person.wait_for_reply(conversation["id"], sent["reply_id"])["content"] == "".join(WORDS)


def test_of_two_projection_workers_one_works_and_the_other_takes_over(
    stack: Stack, person: ApiClient
) -> None:
    def holders() -> int:
        """Connections that hold the lock of the worker that works."""
        with psycopg.connect(stack.database_url) as connection:
            query = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    conversation = person.start_conversation(title="Watched")
    for pid in stack.part_pids("projections"):
        assert holders() <= 1
        os.kill(pid, signal.SIGKILL)
        person.command("PATCH", f"/api/conversations/{conversation['id']}/", {"title": f"After {pid}"})
        began = time.monotonic()
        # ?after= itself waits two seconds for the read model, and says 503 when it has not come so far.
        wait_until(
            lambda: (
                person.http.get(
                    f"/api/conversations/{conversation['id']}/", params={"after": person.last_position}
                ).status_code
                == 200
            ),
            "another worker to take over",
            timeout_s=10,
        )
        print(f"taken over after {time.monotonic() - began:.1f} s")
        wait_until(lambda: len(stack.part_pids("projections")) == 2, "both workers")
        wait_until(lambda: holders() == 1, "one of them to work")


def test_a_rolling_restart_under_load_loses_nothing_and_no_stream_for_good() -> None:
    pause_s = 3.0
    blows = rolling_restart(pause_s)
    assert len(blows) == sum(COPIES.values())

    summary = run_storm(seed=1, seconds=len(blows) * pause_s, replies=20, blows=blows)

    assert summary.problems == [], "\n".join(summary.lines())
    assert sum(summary.deaths.values()) == len(blows)
    assert set(summary.findings.outcomes) <= {"complete", "interrupted"}
    assert summary.findings.outcomes["complete"] > summary.findings.outcomes["interrupted"]
