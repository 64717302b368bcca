"""A turn in a conversation of 1,000 messages beside one in a short conversation, and what all of it takes on disk.

Run by `make bench`, through the whole product. The floor is the runner asked directly with the very bodies
that the two turns send: a longer prompt costs something on the way to any runner.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psycopg

from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient, LiveStream
from tests.support.stack import Stack, running_stack, wait_until

MESSAGES = 1_000
WORDS = "The quick brown fox jumps over the lazy dog, and “naïve” café-goers look on. "
TEXT = (WORDS * 10)[:745]
TURNS = 30
TOKENS = 20
TOKEN_DELAY_MS = 20


def filling() -> Script:
    return Script().text(TEXT).complete()


def measured() -> Script:
    script = Script()
    for number in range(TOKENS):
        script.text(f"{number} ", delay_ms=0 if number == 0 else TOKEN_DELAY_MS)
    return script.complete()


def turn(person: ApiClient, live: LiveStream, conversation_id: str, text: str) -> tuple[float, str]:
    """Milliseconds from the click to the end as a browser hears of it, and the call."""
    began = time.perf_counter()
    call_id = person.send(conversation_id, text)["call_id"]
    wait_until(lambda: "finished" in live.states_of(call_id), "the end of a turn", step_s=0.001)
    took = (time.perf_counter() - began) * 1000
    live.frames.clear()
    return took, call_id


def fill(person: ApiClient, conversation: dict[str, Any], messages: int) -> None:
    with person.live(cursor=person.last_position, conversation_id=conversation["id"]) as live:
        for number in range(messages // 2):
            turn(person, live, conversation["id"], f"{number:04} {TEXT}")
            if sys.stdout.isatty():
                print(f"\rfilling a conversation: {2 * (number + 1)} messages", end="", flush=True)


def turns(person: ApiClient, conversation_id: str) -> tuple[list[float], str]:
    with person.live(cursor=person.last_position, conversation_id=conversation_id) as live:
        found = [turn(person, live, conversation_id, "Go on.") for _ in range(TURNS + 1)]
    return [took for took, _ in found[1:]], found[-1][1]


def floor(runner: ScriptedRunner, body: bytes) -> list[float]:
    """Milliseconds of a whole reply, with the runner asked directly."""

    async def measure() -> list[float]:
        client, found = HttpModelRunner(runner.url), []
        for _ in range(TURNS):
            began = time.perf_counter()
            async with client.stream_chat(body) as stream:
                async for _event in stream:
                    pass
            found.append((time.perf_counter() - began) * 1000)
        await client.aclose()
        return found

    return asyncio.run(measure())


def row(name: str, values: list[float]) -> None:
    p95 = sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]
    print(f"{name:<58} p50 {statistics.median(values):7.1f} ms   p95 {p95:7.1f} ms")


def database_bytes(stack: Stack) -> int:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("VACUUM")
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert found is not None
    return int(found[0])


def main() -> int:
    with ScriptedRunner(delay_ms=0).in_thread() as runner:
        runner.always(filling())
        with (
            running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack,
            ApiClient(stack.url) as person,
        ):
            person.sign_up()
            empty = database_bytes(stack)
            short, long = person.start_conversation(), person.start_conversation()
            fill(person, long, MESSAGES)
            fill(person, short, 10)
            print()
            text = MESSAGES * len(f"0000 {TEXT}".encode())
            grown = database_bytes(stack) - empty
            print(f"{'the whole database, for the text':<58} {grown / text:7.2f} times     goal <= 6 times")
            runner.always(measured())
            quick, quick_call = turns(person, short["id"])
            slow, slow_call = turns(person, long["id"])
            bodies = [
                person.get(f"/api/model-calls/{call}/prompt/")["body"] for call in (quick_call, slow_call)
            ]
        floors = [floor(runner, body.encode("utf-8")) for body in bodies]
    print(f"{TURNS} turns of {TOKENS} tokens at {TOKEN_DELAY_MS} ms, one user")
    row("a turn in a short conversation", quick)
    row(f"a turn in one of {MESSAGES:,} messages", slow)
    row("  floor: the short prompt, runner asked directly", floors[0])
    row("  floor: the long prompt, runner asked directly", floors[1])
    ratio = statistics.median(slow) / statistics.median(quick)
    print(
        f"{'a turn in the long one, in turns of the short one':<58} {ratio:7.2f} times     goal <= 1.3 times"
    )
    added = [statistics.median(a) - statistics.median(b) for a, b in ((quick, floors[0]), (slow, floors[1]))]
    print(f"{'what the product adds, short and long':<58} {added[0]:7.1f} ms and {added[1]:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
