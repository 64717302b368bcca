"""Two web processes, three model-call workers and two projection workers: any of them can go, and nobody notices for long."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.model_calls.timings import WorkerTimings
from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from projections.locks import WORKER_KEYS
from tests.chaos.invariants import read_record
from tests.chaos.killers import COPIES, ctrl_c, rolling_restart
from tests.chaos.storm import run_storm
from tests.support.api_client import ApiClient, LiveStream
from tests.support.stack import Stack, running_stack, wait_until

WORDS = [f"w{number} " for number in range(150)]
# It takes about a second; on a busy machine several. Who waited for the dead one's connection to time out would take far longer.
TAKEN_OVER_S = 15.0
TIMINGS = WorkerTimings()
PROCESS_END_S = 2.0  # for giving back the lease, and for the process to go away


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
    conversation = person.start_conversation(title="Watched")
    path = f"/api/conversations/{conversation['id']}/"
    renamed: list[str] = []
    took_s: list[float] = []
    wait_until(lambda: len(stack.part_pids("projections")) == COPIES["projections"], "both workers")
    with person.live(cursor=conversation["position"]) as live:
        for pid in stack.part_pids("projections"):
            [before] = _sessions_at_work(stack)
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            title = f"After the end of {pid}"
            renamed.append(str(person.command("PATCH", path, {"title": title})["position"]))
            wait_until(partial(_has_title, person, path, title), "the new title", step_s=0.02)
            seconds = time.monotonic() - began
            if _sessions_at_work(stack) != [before]:
                took_s.append(seconds)
            wait_until(lambda: len(stack.part_pids("projections")) == COPIES["projections"], "both workers")
        wait_until(lambda: renamed[-1] in _renamings_told(live), "the last change to be told")
        told = _renamings_told(live)

    # Whichever of the two was at work, it is among those that were killed.
    assert took_s, "nobody took over"
    print(f"taken over within {', '.join(f'{seconds:.2f}' for seconds in took_s)} s")
    assert max(took_s) < TAKEN_OVER_S
    assert told == renamed, "each change was applied once, whoever applied it"


def _has_title(person: ApiClient, path: str, title: str) -> bool:
    return bool(person.get(path)["title"] == title)


def _sessions_at_work(stack: Stack) -> list[int]:
    """The database sessions that hold the lock of the projection worker that works."""
    query = """
        SELECT pid FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s AND objsubid = 2
    """
    with psycopg.connect(stack.database_url) as connection:
        return [row[0] for row in connection.execute(query, WORKER_KEYS)]


def _renamings_told(live: LiveStream) -> list[str]:
    """Their positions in the store, as often as they were told."""
    return [
        str(frame.data["position"])
        for frame in list(live.frames)
        if frame.event == "change" and frame.data["kind"] == "conversation_renamed"
    ]


@dataclass(frozen=True)
class Asked:
    """A message whose reply the runner has begun on. kind: how the runner answers it."""

    kind: str
    conversation_id: str
    reply_id: str
    call_id: str


ANSWERS = {
    "nearly done": Script().text("Nearly ").hold().text("done.").complete(),
    "long": Script().words("".join(WORDS), delay_ms=80).complete(),
    "silent": Script().headers().sleep(12_000).text("At last.").complete(),
}


def test_a_worker_told_to_stop_finishes_records_or_hands_over_within_its_limit(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> None:
    runner.always(Script().text("By another worker.").complete())
    asked = _ask_until_one_worker_has_all_kinds(stack, runner, person)
    worker = _worker_with_all_kinds(stack, asked)
    assert worker is not None
    its = [one for one in asked if _holder(stack, one) == worker]
    long = next(one for one in its if one.kind == "long")
    pid = int(worker.rsplit("-", 2)[1])
    assert pid in stack.part_pids("model-calls")

    with person.live(cursor="0", conversation_id=long.conversation_id) as live:
        wait_until(lambda: len(live.chunks_of(long.call_id)) >= 3, "three chunks of the long reply")
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        runner.release()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the worker to end", timeout_s=30)
        took_s = time.monotonic() - began
        assert worker not in {_holder(stack, one) for one in its}, "it holds nothing any more"
        wait_until(lambda: "finished" in live.states_of(long.call_id), "the long reply's end to be told")
        shown = live.text_of(long.call_id)

    print(f"the worker ended after {took_s:.1f} s with {len(its)} of {len(asked)} replies")
    assert took_s < TIMINGS.stop_grace_s + TIMINGS.stop_limit_s + PROCESS_END_S
    replies = {one: person.wait_for_reply(one.conversation_id, one.reply_id) for one in asked}
    record = read_record(stack.database_url)
    for one, reply in replies.items():
        ends = [(end["attempt"], end["final"]) for end in record.ends[one.call_id]]
        if one in its and one.kind == "long":
            assert (reply["outcome"], reply["error"]["code"], ends) == (
                "interrupted",
                "worker_stopped",
                [(1, True)],
            )
            assert "".join(WORDS).startswith(reply["content"])
        elif one in its and one.kind == "silent":
            assert (reply["content"], reply["outcome"]) == ("By another worker.", "complete")
            assert ends == [(1, False), (2, True)]
        else:
            whole = {"nearly done": "Nearly done.", "long": "".join(WORDS), "silent": "At last."}[one.kind]
            assert (reply["content"], reply["outcome"], ends) == (whole, "complete", [(1, True)])
    assert shown, "something of the long reply was shown"
    assert replies[long]["content"] == shown, "what was shown is what is kept"


def _ask_until_one_worker_has_all_kinds(
    stack: Stack, runner: ScriptedRunner, person: ApiClient
) -> list[Asked]:
    """Which worker takes a call is chance."""
    asked: list[Asked] = []
    while _worker_with_all_kinds(stack, asked) is None:
        assert len(asked) < 30, "the calls are not spread over the workers as they should be"
        for kind, script in ANSWERS.items():
            reached = len(runner.completions)
            runner.play(script)
            conversation = person.start_conversation(title=kind)
            sent = person.send(conversation["id"], kind)
            asked.append(Asked(kind, conversation["id"], sent["reply_id"], sent["call_id"]))
            # So that each call gets the answer meant for it.
            wait_until(partial(_reached_again, runner, reached), "the call to reach the runner")
    return asked


def _reached_again(runner: ScriptedRunner, times: int) -> bool:
    return len(runner.completions) > times


def _worker_with_all_kinds(stack: Stack, asked: list[Asked]) -> str | None:
    kinds: dict[str, set[str]] = {}
    for one in asked:
        holder = _holder(stack, one)
        if holder is not None:
            kinds.setdefault(holder, set()).add(one.kind)
    return next((worker for worker, has in kinds.items() if has == set(ANSWERS)), None)


def _holder(stack: Stack, asked: Asked) -> str | None:
    """The worker that has a call in hand."""
    query = "SELECT claimed_by FROM model_call_queue WHERE call_id = %s"
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(query, [asked.call_id]).fetchone()
    return None if row is None else row[0]


def test_a_rolling_restart_under_load_loses_nothing_and_no_stream_for_good() -> None:
    pause_s = 3.0
    blows = rolling_restart(pause_s)
    assert len(blows) == sum(COPIES.values())

    summary = run_storm(seed=1, seconds=len(blows) * pause_s, replies=20, blows=blows)

    assert summary.problems == [], "\n".join(summary.lines())
    assert sum(summary.deaths.values()) == len(blows)
    assert set(summary.findings.outcomes) <= {"complete", "interrupted"}
    assert summary.findings.outcomes["complete"] > summary.findings.outcomes["interrupted"]


def test_ctrl_c_under_load_leaves_everything_as_it_was_shown_at_the_next_start() -> None:
    summary = run_storm(seed=2, seconds=5, replies=20, blows=ctrl_c(at=4.0))

    assert summary.problems == [], "\n".join(summary.lines())
    assert summary.findings.exceptions == 0
    assert set(summary.findings.outcomes) <= {"complete", "interrupted"}
    assert summary.findings.outcomes["complete"] > 0
    assert summary.turns > 20, "it went on after the new start"
