"""What the product adds to a turn: time to the first token, delay of each token, and the memory of its parts.

Run by `make bench`. The floor is the scripted runner asked directly, in the same run, on the same machine.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.application.runner_port import Delta
from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import PART_MARKS, Stack, running_stack, wait_until

TURNS = 40
TOKENS = 50
TOKEN_DELAY_MS = 20
BODY = b'{"messages":[{"content":"Hello","role":"user"}],"model":"m","stream":true}'


def script() -> Script:
    made = Script()
    for number in range(TOKENS):
        made.text(f"{number} ", delay_ms=0 if number == 0 else TOKEN_DELAY_MS)
    return made.complete()


def floor(runner: ScriptedRunner) -> list[float]:
    """Milliseconds to the first token, with the runner asked directly."""

    async def measure() -> list[float]:
        client = HttpModelRunner(runner.url)
        found: list[float] = []
        for _ in range(TURNS):
            began = time.perf_counter()
            async with client.stream_chat(BODY) as stream:
                async for event in stream:
                    if isinstance(event, Delta):
                        found.append((time.perf_counter() - began) * 1000)
                        break
        await client.aclose()
        return found

    return asyncio.run(measure())


class Sender:
    """Sends messages on a connection that stays open, as a browser's does, with next to nothing of its own on top."""

    def __init__(self, person: ApiClient, port: int, conversation_id: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
        self._headers = {**person.csrf(), "Cookie": cookies, "Content-Type": "application/json"}
        self._path = f"/api/conversations/{conversation_id}/messages/"

    def send(self, content: str) -> dict[str, Any]:
        self._connection.request("POST", self._path, json.dumps({"content": content}), self._headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 202, body
        answer: dict[str, Any] = json.loads(body)
        return answer


def through_the_product(person: ApiClient, port: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the click to the first token, and between two tokens beyond the runner's own pause."""
    first, between = [], []
    conversation = person.start_conversation(title="Bench")
    sender = Sender(person, port, conversation["id"])
    with person.live(cursor=conversation["position"], conversation_id=conversation["id"]) as live:
        for _ in range(TURNS):
            began = time.perf_counter()
            sent = sender.send("Hello")
            wait_until(lambda: "finished" in live.states_of(sent["call_id"]), "the end", step_s=0.002)  # noqa: B023  waited for at once
            times = [
                frame.received
                for frame in list(live.frames)
                if frame.event == "chunk" and frame.data["call_id"] == sent["call_id"]
            ]
            first.append((times[0] - began) * 1000)
            total = (times[-1] - times[0]) * 1000
            between.append(total / max(1, TOKENS - 1) - TOKEN_DELAY_MS)
    return first, between


def memory_mb(stack: Stack) -> dict[str, float]:
    """Proportional memory of each part, with PostgreSQL's own processes counted in."""
    sizes: dict[str, float] = {}
    for part in PART_MARKS:
        for pid in stack.part_pids(part):
            sizes[part] = sizes.get(part, 0.0) + sum(_pss(each) for each in [pid, *_descendants(pid)])
    sizes["supervisor"] = _pss(stack.pid)
    return sizes


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*children, *(each for child in children for each in _descendants(child))]


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def row(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"{name:<44} p50 {statistics.median(values):7.1f} ms   p95 {p95:7.1f} ms"


def main() -> int:
    with ScriptedRunner().in_thread() as runner:
        runner.always(script())
        direct = floor(runner)
        with running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack:
            with ApiClient(stack.url) as person:
                person.sign_up()
                first, between = through_the_product(person, stack.port)
            memory = memory_mb(stack)
    print(f"{TURNS} turns of {TOKENS} tokens, one user")
    print(row("first token, runner asked directly (floor)", direct))
    print(row("first token, from the click to the listener", first))
    added = statistics.median(first) - statistics.median(direct)
    print(f"{'added to the first token':<44} p50 {added:7.1f} ms   goal <= 20 ms")
    print(row("added to each further token", between))
    print("memory (PSS): " + ", ".join(f"{part} {size:.0f} MB" for part, size in memory.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
