"""200 people at once: turns a second beside the runner driven directly, what got lost, and what a turn costs.

Run by `make bench`. Runner, client and product are processes of their own on one machine; the same client
drives the runner directly in the same run. Every acknowledged turn's shown text is compared with the store.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psycopg

from backend.event_store.mapper import decode_payload
from tests.bench import figures
from tests.bench.load_client import LAST_TURNS_S
from tests.bench.metronome import MODEL_ID, TOKEN_DELAY_S, TOKENS
from tests.support.stack import REPOSITORY, Stack, running_stack

USERS = int(os.environ.get("BENCH_USERS", "200"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
WARM_UP_S = 6.0
COUNTED_S = 10.0
TURN_S = TOKENS * TOKEN_DELAY_S
FLUSH = "INSERT INTO call_chunk "
# What every process asks for by the clock, whether anybody chats or not, is told apart by this share of time.
IDLE_S = 5.0


@dataclass
class Load:
    """One client process and what it found. from_us, until_us: the part of its time that is measured."""

    found: dict[str, Any]
    from_us: int
    until_us: int
    cpu: dict[str, float]
    client_cpu: float

    @property
    def turns(self) -> int:
        return sum(self.from_us <= at < self.until_us for at in self.found["finished_at"])

    @property
    def turns_per_s(self) -> float:
        return self.turns / ((self.until_us - self.from_us) / 1e6)


def run_client(
    task: dict[str, Any],
    stack: Stack | None = None,
    during: AbstractContextManager[object] = nullcontext(),  # noqa: B008  holds nothing
) -> Load:
    """Let the client work; what is measured, and `during`, begins after the first turns."""
    answer = tempfile.NamedTemporaryFile("r", encoding="utf-8", suffix=".json")  # noqa: SIM115  closed below
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load_client"],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        print(json.dumps({**task, "answer": answer.name}), file=process.stdin, flush=True)
        assert process.stdout.readline().strip() == "ready", "the client could not begin"
        print("go", file=process.stdin, flush=True)
        warm_up_s = task["warm_up_s"]
        time.sleep(warm_up_s)
        with during:
            before, from_us = figures.cpu_seconds(stack) if stack else {}, time.monotonic_ns() // 1000
            client_before = figures.process_cpu_seconds(process.pid)
            time.sleep(task["seconds"] - warm_up_s)
            after, until_us = figures.cpu_seconds(stack) if stack else {}, time.monotonic_ns() // 1000
        client_cpu = figures.process_cpu_seconds(process.pid) - client_before
        process.wait(LAST_TURNS_S + 30)
        found = json.load(answer)
    finally:
        answer.close()
        if process.poll() is None:
            process.kill()
    return Load(found, from_us, until_us, {part: after[part] - before[part] for part in after}, client_cpu)


def lost_turns(stack: Stack, found: dict[str, Any]) -> list[str]:
    """What is wrong with acknowledged turns: shown text that is not the stored reply, or not the runner's whole one."""
    with psycopg.connect(stack.database_url) as connection:
        rows = connection.execute("SELECT state FROM events WHERE topic LIKE 'ReplyRecorded.%'").fetchall()
    stored = {payload["call_id"]: payload for payload in (decode_payload(row[0]) for row in rows)}
    wrong = []
    for call_id, shown in found["shown"].items():
        reply = stored.get(call_id)
        if reply is None:
            wrong.append(f"{call_id}: no reply is stored")
        elif reply["content"] != shown:
            wrong.append(f"{call_id}: shown {len(shown)} characters, stored {len(reply['content'])}")
        elif len(shown.split()) != TOKENS or reply["outcome"] != "complete":
            wrong.append(f"{call_id}: {len(shown.split())} tokens, outcome {reply['outcome']}")
    return wrong


def row(name: str, values_us: list[int]) -> str:
    if not values_us:
        return f"  {name:<42} nothing measured"
    ordered = sorted(values_us)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"  {name:<42} p50 {statistics.median(ordered) / 1000:8.1f} ms   p95 {p95 / 1000:8.1f} ms"


def tell(name: str, load: Load) -> None:
    found = load.found
    print(f"{name}: {load.turns_per_s:.1f} turns/s")
    print(row("first token", found["first_token"]))
    print(row("from the runner's token to the listener", found["token_delays"]))
    if found["command"]:
        print(row("answer to the command", found["command"]))
    if load.cpu and load.turns:
        shares = {part: seconds / load.turns * 1000 for part, seconds in load.cpu.items()}
        ours = sum(shares[part] for part in ("web", "model-calls", "projections"))
        print(
            f"  processor time per turn: web and workers {ours:.1f} ms"
            f" ({', '.join(f'{part} {ms:.1f}' for part, ms in shares.items())} ms)   goal <= 30 ms at 200 users"
        )
    elapsed = (load.until_us - load.from_us) / 1e6
    print(f"  the client itself used {load.client_cpu / elapsed:.0%} of one core, {found['frames']:,} frames"
          f" in {found['reads']:,} reads")  # fmt: skip


def count_statements(stack: Stack, task: dict[str, Any], *, show: int = 0) -> None:
    """Statements per turn, in a time of its own: counting them slows the database."""
    with figures.StatementCount(stack) as idle:
        time.sleep(IDLE_S)
    count = figures.StatementCount(stack)
    load = run_client(task, during=count)
    turns, elapsed = max(1, load.turns), (load.until_us - load.from_us) / 1e6
    by_text = count.counted()
    flushes = sum(number for text, number in by_text.items() if FLUSH in text)
    everything = sum(by_text.values()) - flushes
    brackets = sum(number for text, number in by_text.items() if text in {"BEGIN", "COMMIT", "ROLLBACK"})
    by_clock = len(idle.statements) / IDLE_S * elapsed
    print(
        f"  SQL statements per turn besides chunk flushes: {everything / turns:.1f}"
        f" ({(everything - brackets) / turns:.1f} without BEGIN and COMMIT,"
        f" {by_clock / turns:.1f} of all by the clock); flushes {flushes / turns:.1f}; {turns} turns"
    )
    for text, number in by_text.most_common(show):
        print(f"    {number / turns:6.2f}  {text[:120]!r}")


def main() -> int:
    problems: Counter[str] = Counter()
    with figures.metronome() as runner_url:
        base = {"seconds": SECONDS, "spread_s": TURN_S, "warm_up_s": WARM_UP_S}
        direct = run_client({**base, "kind": "direct", "url": runner_url, "users": USERS})
        settings = {
            "MODEL_RUNNER_URL": runner_url, "MODEL_RUNNER_MODEL": MODEL_ID,
            "SECRET_KEY": figures.SECRET_KEY, "ALLOWED_HOSTS": "127.0.0.1", "TITLES": "off",
        }  # fmt: skip
        with running_stack(**settings) as stack:
            accounts = figures.make_accounts(stack, USERS)
            product = {**base, "kind": "product", "url": stack.url}
            one = run_client({**product, "accounts": accounts[:1], "seconds": 14.0, "warm_up_s": 4.0}, stack)
            tell("one user", one)
            shown = int(os.environ.get("BENCH_STATEMENTS", "0"))
            count_statements(
                stack, {**product, "accounts": accounts[:1], "seconds": 16.0, "warm_up_s": 4.0}, show=shown
            )
            load = run_client({**product, "accounts": accounts}, stack)
            tell(f"{USERS} users", load)
            share = load.turns_per_s / direct.turns_per_s
            print(f"  {share:.0%} of the runner driven directly   goal >= 30 turns/s, aim 50 %")
            for each in (one, load):
                problems.update(lost_turns(stack, each.found))
                problems.update(each.found["refused"])
            acknowledged = len(load.found["shown"]) + len(one.found["shown"])
            print(
                f"  lost: {len(problems)} of {acknowledged:,} acknowledged turns, all of them compared   goal 0"
            )
            print(f"  live streams lost: {load.found['streams_lost']}")
            count_statements(
                stack, {**product, "accounts": accounts, "seconds": WARM_UP_S + COUNTED_S}, show=shown
            )
        tell("the runner driven directly", direct)
    for problem, times in problems.most_common(10):
        print(f"{times} x {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
