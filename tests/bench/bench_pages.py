"""How long a person waits for a page: a conversation of 1,000 messages, the list, and the health checks.

Run by `make bench`. The floor is GET /healthz, which touches nothing, in the same run.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import running_stack, wait_until

TURNS = 500
REPEATS = 40


def measure(name: str, ask: Callable[[], object], goal_ms: int | None = None) -> None:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    ordered = sorted(times)
    goal = f"   goal <= {goal_ms} ms" if goal_ms else ""
    print(
        f"{name:<52} p50 {statistics.median(times):7.1f} ms   p95 {ordered[int(REPEATS * 0.95)]:7.1f} ms{goal}"
    )


def main() -> int:
    with ScriptedRunner(delay_ms=0).in_thread() as runner:
        runner.always(Script().text("word " * 150).complete())
        with (
            running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack,
            ApiClient(stack.url) as person,
        ):
            person.sign_up()
            short, long = person.start_conversation()["id"], person.start_conversation()["id"]
            person.say(short, "Hello")
            with person.live(cursor=person.last_position, conversation_id=long) as live:
                for number in range(TURNS):
                    sent = person.send(long, "word " * 150)
                    call_id = sent["call_id"]
                    wait_until(lambda: "finished" in live.states_of(call_id), "a turn", step_s=0.002)  # noqa: B023  waited for at once
                    live.frames.clear()
                    if sys.stdout.isatty():
                        print(f"\rfilling a conversation: {2 * (number + 1)} messages", end="", flush=True)
            print()
            measure("GET /healthz (floor)", lambda: person.http.get("/healthz"))
            measure("GET /readyz", lambda: person.http.get("/readyz"))
            measure("GET /api/me/", lambda: person.get("/api/me/"))
            measure("list of conversations", lambda: person.get("/api/conversations/"))
            measure("last 50 messages of a short conversation", lambda: person.transcript(short))
            page = f"last 50 of {2 * TURNS} messages"
            measure(page, lambda: person.transcript(long), goal_ms=20)
            size = len(person.http.get(f"/api/conversations/{long}/transcript/").content)
            print(
                f"{'its size':<52} {size / 1024:7.1f} KB   goal <= 60 KB with messages of 150 words or less"
            )
            measure("rename, short conversation", lambda: _rename(person, short))
            measure(f"rename, {2 * TURNS} messages", lambda: _rename(person, long))
    return 0


def _rename(person: ApiClient, conversation_id: str) -> None:
    person.command(
        "PATCH", f"/api/conversations/{conversation_id}/", {"title": f"Name {time.perf_counter()}"}
    )


if __name__ == "__main__":
    sys.exit(main())
