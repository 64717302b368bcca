"""What the endpoint for programs adds: time to the first token, and delay of each further one.

Run by `make bench`. The floor is the scripted runner asked in the same way, in turns with the product, in the same run.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.openai_program import token_for
from tests.support.stack import running_stack

CALLS = 60
WARM_UP = 5
TOKENS = 100
TOKEN_DELAY_MS = 10
GOAL_FIRST_MS = 7.0
GOAL_TOKEN_MS = 0.5


def script() -> Script:
    made = Script()
    for number in range(TOKENS):
        made.text(f"{number} ", delay_ms=0 if number == 0 else TOKEN_DELAY_MS)
    return made.complete()


@dataclass
class Program:
    """Asks on one connection, with next to nothing of its own on top.

    first: milliseconds to the first words. spread: milliseconds from there to the last words.
    """

    port: int
    token: str
    first: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)

    def ask(self, number: int, *, keep: bool) -> None:
        body = json.dumps(
            {
                "model": MODEL_ID,
                "messages": [{"role": "user", "content": f"Call {number}"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        times = []
        while line := response.readline():
            if b'"content":' in line and b'"content": null' not in line and b'"content":null' not in line:
                times.append(time.perf_counter())
        connection.close()
        assert len(times) == TOKENS, f"{len(times)} pieces with words, expected {TOKENS}"
        if keep:
            self.first.append((times[0] - began) * 1000)
            self.spread.append((times[-1] - times[0]) * 1000)


def row(name: str, values: list[float], unit: str = "ms") -> str:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"{name:<48} p50 {statistics.median(values):8.2f} {unit}   p95 {p95:8.2f} {unit}"


def report(direct: Program, through: Program) -> list[str]:
    added = [one - other for one, other in zip(through.first, direct.first, strict=True)]
    per_token = [
        (one - other) / (TOKENS - 1) for one, other in zip(through.spread, direct.spread, strict=True)
    ]
    return [
        f"{len(direct.first)} calls of {TOKENS} tokens at {TOKEN_DELAY_MS} ms, one program, each call recorded durably",
        row("first token, runner asked directly (floor)", direct.first),
        row("first token, through the endpoint", through.first),
        f"{row('added to the first token', added)}   goal <= {GOAL_FIRST_MS:g} ms",
        f"{row('added to each further token', per_token)}   goal <= {GOAL_TOKEN_MS:g} ms",
    ]


def measure(direct: Program, through: Program) -> None:
    """In turns, so that whatever else the machine does meets both."""
    for number in range(WARM_UP + CALLS):
        for program in (direct, through):
            program.ask(number, keep=number >= WARM_UP)


def main() -> int:
    with ScriptedRunner().in_thread() as runner:
        runner.always(script())
        with (
            running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack,
            ApiClient(stack.url) as person,
        ):
            person.sign_up()
            direct = Program(int(runner.url.rsplit(":", 1)[1].partition("/")[0]), "none")
            through = Program(stack.port, token_for(person))
            measure(direct, through)
    print("\n".join(report(direct, through)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
