"""How soon the stream to the runner is closed after a cancel, at each moment of a reply, and while it waits.

Run by `make bench`. Measured from the click (the request leaves the browser) to the runner seeing its connection close.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import running_stack, wait_until

CANCELS = 20
GOAL_MS = 200
STAGES = {
    "before the runner answers": Script().never(),
    "before the first token": Script().headers().hold(),
    "in mid-stream": Script().text("So far").hold(),
}


def close_after_cancel(person: ApiClient, runner: ScriptedRunner, script: Script) -> float:
    """Milliseconds from the click to the closed connection."""
    runner.reset()
    runner.play(script)
    conversation = person.start_conversation(title="Bench")
    sent = person.send(conversation["id"], "Hello")
    wait_until(lambda: runner.completions, "the request", step_s=0.002)
    time.sleep(0.1)
    began = time.monotonic()
    person.command("POST", f"/api/model-calls/{sent['call_id']}/cancel/", status=202)
    wait_until(lambda: runner.completions[0].closed_at, "the closed connection", step_s=0.001)
    closed_at = runner.completions[0].closed_at
    assert closed_at is not None
    person.wait_for_reply(conversation["id"], sent["reply_id"])
    return (closed_at - began) * 1000


def main() -> int:
    print(f"{CANCELS} cancels at each moment: from the click to the runner's closed connection")
    slowest = 0.0
    with (
        ScriptedRunner().in_thread() as runner,
        running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack,
        ApiClient(stack.url) as person,
    ):
        person.sign_up()
        for stage, script in STAGES.items():
            times = sorted(close_after_cancel(person, runner, script) for _ in range(CANCELS))
            slowest = max(slowest, times[-1])
            print(f"{stage:<44} p50 {statistics.median(times):7.1f} ms   slowest {times[-1]:7.1f} ms")
    print(f"{'slowest of all':<44} {slowest:7.1f} ms   goal <= {GOAL_MS} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
