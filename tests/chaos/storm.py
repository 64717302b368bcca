"""One storm from its beginning to its verdict: the real product, a runner of its own, clients, and a killer.

Repeatable by its seed as far as the machine allows: who is to die when is drawn from it; what is going on at that
moment is not.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg

from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID
from tests.chaos import invariants
from tests.chaos.invariants import Findings
from tests.chaos.killers import COPIES, Blow, DatabaseWatch, Killer, RunnerProcess, schedule, wait_until_up
from tests.chaos.witness import Witness
from tests.support.api_client import ApiClient
from tests.support.stack import Stack, running_stack, wait_until

PEOPLE = 10
WORDS = 120
WORD_MS = 25
WHOLE_REPLY = "".join(f"w{number} " for number in range(WORDS))
SETTLE_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Summary:
    """What came of a storm. problems: empty, or it has failed."""

    seed: int
    seconds: float
    deaths: Counter[str]
    findings: Findings
    turns: int
    retries: int
    reconnects: int
    resets: int
    ready_again_s: float

    @property
    def problems(self) -> list[str]:
        return self.findings.problems

    def lines(self) -> list[str]:
        found = self.findings
        killed = ", ".join(f"{part} {times}" for part, times in sorted(self.deaths.items()))
        outcomes = ", ".join(f"{outcome} {times}" for outcome, times in sorted(found.outcomes.items()))
        return [
            f"seed {self.seed}: {self.turns} turns in {self.seconds:.0f} s, {sum(self.deaths.values())} processes killed ({killed})",
            f"replies: {outcomes}; {found.tokens_shown:,} chunks shown; {found.attempts_made_again} attempts made again",
            f"clients: {self.retries} commands sent again, {self.reconnects} streams opened again, {self.resets} told to begin anew",
            f"ready again {self.ready_again_s:.1f} s after the last blow; text lost in the one way that is allowed: {found.exceptions}",
            *(f"PROBLEM {problem}" for problem in found.problems[:50]),
            f"{len(found.problems)} problems",
        ]


def run_storm(
    *,
    seed: int,
    seconds: float,
    replies: int,
    blows: Sequence[Blow] | None = None,
    say: Say = lambda line: None,
) -> Summary:
    """Kill for so many seconds while so many replies are being written, then look whether anything is missing.

    blows: who is killed when; None: as the seed has it.
    """
    if blows is None:
        blows = schedule(seed, seconds)
    with tempfile.TemporaryDirectory(prefix="verbatim-storm-") as folder:
        script = Path(folder) / "script.json"
        script.write_text(
            json.dumps({"always": {"steps": Script().words(WHOLE_REPLY, delay_ms=WORD_MS).complete().steps}})
        )
        runner = RunnerProcess(script)
        runner.start()
        try:
            with running_stack(
                MODEL_RUNNER_URL=runner.url,
                MODEL_RUNNER_MODEL=MODEL_ID,
                TITLES="off",
                WEB_WORKERS=str(COPIES["web"]),
                MODEL_CALL_WORKERS=str(COPIES["model-calls"]),
                PROJECTION_WORKERS=str(COPIES["projections"]),
            ) as stack:
                return _storm(stack, runner, blows, seed, seconds, replies, say)
        finally:
            runner.end()


def _storm(
    stack: Stack,
    runner: RunnerProcess,
    blows: Sequence[Blow],
    seed: int,
    seconds: float,
    replies: int,
    say: Say,
) -> Summary:
    people = [ApiClient(stack.url) for _ in range(min(PEOPLE, replies))]
    for person in people:
        person.sign_up()
    database_url = stack.database_url
    killer = Killer(stack, runner, seed)
    over = asyncio.Event()
    witnesses = [Witness(people[number % len(people)], number, over.is_set) for number in range(replies)]
    # The killer's own thread lives until the end: a product that it starts again ends with the thread that started it.
    with ThreadPoolExecutor(1, thread_name_prefix="killer") as hand:
        with DatabaseWatch(database_url) as watch:
            ready_again_s = asyncio.run(
                _let_it_rage(stack, runner, killer, hand, witnesses, over, blows, say)
            )
        for person in people:
            person.http.close()
        say("the storm is over; looking at what is left")
        _settle(database_url)
        findings = invariants.check(
            witnesses,
            invariants.read_record(database_url),
            killer.deaths,
            watch.back,
            WHOLE_REPLY,
            invariants.stored_chunks(database_url),
        )
        findings.problems += _proofs(stack, database_url)
    return Summary(
        seed=seed,
        seconds=seconds,
        deaths=Counter(death.part for death in killer.deaths),
        findings=findings,
        turns=sum(len(witness.turns) for witness in witnesses),
        retries=sum(witness.retries for witness in witnesses),
        reconnects=sum(witness.reconnects for witness in witnesses),
        resets=sum(witness.resets for witness in witnesses),
        ready_again_s=ready_again_s,
    )


async def _let_it_rage(
    stack: Stack,
    runner: RunnerProcess,
    killer: Killer,
    hand: Executor,
    witnesses: Sequence[Witness],
    over: asyncio.Event,
    blows: Sequence[Blow],
    say: Say,
) -> float:
    talking = [asyncio.create_task(witness.run()) for witness in witnesses]
    began = time.monotonic()
    try:
        for blow in blows:
            while time.monotonic() - began < blow.at:
                await asyncio.sleep(0.1)
                await asyncio.to_thread(runner.keep_alive)
            await asyncio.get_running_loop().run_in_executor(hand, killer.strike, blow)
            turns = sum(len(witness.turns) for witness in witnesses)
            say(
                f"{blow.at:5.1f} s  killed {', '.join(part for part, _ in blow.victims)}; {turns} messages so far"
            )
        ready_again_s = await asyncio.to_thread(wait_until_up, stack, runner)
        over.set()
        done = await asyncio.gather(*talking, return_exceptions=True)
    finally:
        for task in talking:
            task.cancel()
    for witness, result in zip(witnesses, done, strict=True):
        if isinstance(result, BaseException):
            witness.problems.append(f"a client failed: {result!r}")
    return ready_again_s


def _settle(database_url: str) -> None:
    """Wait until no call is queued or held and every read model has seen the last event."""

    def is_quiet() -> bool:
        with psycopg.connect(database_url) as connection:
            [(queued,)] = connection.execute("SELECT count(*) FROM model_call_queue").fetchall()
            [(behind,)] = connection.execute(
                "SELECT count(*) FROM projection_position"
                " WHERE position < (SELECT max(notification_id) FROM events)"
            ).fetchall()
        return int(queued) == 0 and int(behind) == 0

    wait_until(
        is_quiet, "the queue to be empty and the read models to be up to date", timeout_s=SETTLE_S, step_s=0.2
    )


def _proofs(stack: Stack, database_url: str) -> list[str]:
    """Read tables rebuilt from zero are as they were, every prompt can be rebuilt, all that began has ended, and the log fits."""
    problems = []
    before = invariants.read_tables(database_url)
    rebuilt = stack.manage("rebuild_projection", "--all")
    if rebuilt.returncode != 0:
        problems.append(f"rebuild_projection failed: {rebuilt.stdout[-1000:]}")
    _settle(database_url)
    after = invariants.read_tables(database_url)
    for name in sorted(before.keys() | after.keys()):
        missing = set(before.get(name, [])) - set(after.get(name, []))
        added = set(after.get(name, [])) - set(before.get(name, []))
        if missing or added:
            example = next(iter(missing or added))
            problems.append(
                f"{name}: {len(missing)} rows were wrong, {len(added)} are new after a rebuild: {example[:300]}"
            )
    for arguments in (("prompts", "--all"), ("coverage",), ("log",)):
        verified = stack.manage("verify", *arguments)
        if verified.returncode != 0:
            problems.append(f"verify {arguments[0]} failed: {verified.stdout[-1000:]}")
    return problems
