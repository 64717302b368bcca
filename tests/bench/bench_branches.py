"""What branching, forking and long conversations cost: bytes and milliseconds, at 10 and at 1,000 messages.

Run by `make bench`. Floors of the same run: one plain INSERT and commit of the same row, reading the
stored rows without making anything of them, and the runner asked directly with the same body.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psycopg

from backend.application.conversations import Conversations
from backend.audit.verify import verify_calls
from backend.domain import commands as c
from backend.event_store.bulk import BulkReader
from backend.event_store.store import PostgresEventStore
from backend.model_calls.companions import COMPANION_STEPS
from tests.support.core import Core, Sent
from tests.support.databases import running_test_server
from tests.support.facts import CountedIds

MESSAGES = 1_000
WORDS = "The quick brown fox jumps over the lazy dog, and “naïve” café-goers look on. "
TEXT = (WORDS * 10)[:745]
REPEATS = 60


def measure(ask: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Milliseconds of each of a number of calls, after one that does not count."""
    ask()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    return times


def row(name: str, times: list[float], goal: str = "") -> None:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(f"{name:<58} p50 {statistics.median(times):7.2f} ms   p95 {p95:7.2f} ms   {goal}")


@contextmanager
def durable_database() -> Iterator[str]:
    """A fresh database that waits for the disk, as installations do."""
    with running_test_server() as server, server.fresh() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = on")
            connection.execute("ALTER SYSTEM SET full_page_writes = on")
            connection.execute("SELECT pg_reload_conf()")
        yield url


def claim_by_sql(url: str) -> Callable[[UUID, str], int]:
    """Claims a queued call for a worker, as the workers' queue does."""
    connection = psycopg.connect(url, autocommit=True)

    def claim(call_id: UUID, worker: str) -> int:
        found = connection.execute(
            "UPDATE model_call_queue SET claimed_by = %s, claim = claim + 1 WHERE call_id = %s RETURNING claim",
            (worker, call_id),
        ).fetchone()
        assert found is not None
        return int(found[0])

    return claim


def fill(core: Core, conversation_id: UUID, messages: int) -> Sent:
    sent: Sent | None = None
    for number in range(messages // 2):
        sent = core.send(conversation_id, f"{number:04} {TEXT}")
        core.answer(sent, f"{number:04} {TEXT}")
        if sys.stdout.isatty():
            print(f"\rfilling a conversation: {2 * (number + 1)} messages", end="", flush=True)
    assert sent is not None
    return sent


def forks(core: Core, url: str, short: tuple[UUID, Sent], long: tuple[UUID, Sent]) -> None:
    sizes = set()
    for name, (conversation_id, last) in (("10", short), (f"{MESSAGES:,}", long)):

        def fork(conversation_id: UUID = conversation_id, last: Sent = last) -> UUID:
            command = c.ForkConversation(core.owner_id, conversation_id, last.reply_id)
            return UUID(core.run(command).body["id"])

        row(f"a fork at message {name}", measure(fork), "goal <= 5 ms")
        rows = core.store.read_stream(fork(), 0, 10)
        assert len(rows) == 1, "a fork is one event"
        sizes.add(len(rows[0].payload_bytes))
    print(f"{'the size of a fork, one event':<58} {max(sizes):7} bytes            goal <= 600 bytes")
    payload = b"x" * max(sizes)
    with psycopg.connect(url) as connection:

        def insert() -> None:
            connection.execute(
                "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, 1, 'floor', %s)",
                (uuid4(), payload),
            )
            connection.commit()

        row("  floor: a plain INSERT and commit of such a row", measure(insert))


def payloads(store: PostgresEventStore, conversation_id: UUID) -> None:
    rows = store.read_stream(conversation_id, 0, 100_000)
    stored = sum(len(found.payload_bytes) for found in rows)
    text = MESSAGES * len(f"0000 {TEXT}".encode())
    goal = "goal <= 2 times the text"
    print(f"{'event payloads of the long conversation':<58} {stored / text:7.2f} times the text   {goal}")


def prompts(core: Core, store: PostgresEventStore, url: str, last: Sent) -> None:
    request = core.request_of(last.call_id)
    kept = Conversations(store)
    row(
        f"prompt bytes at message {MESSAGES:,}, warm",
        measure(lambda: kept.prompts_of(last.conversation_id, request.version).build(request)),
        "goal <= 15 ms",
    )
    row(
        f"prompt bytes at message {MESSAGES:,}, cold",
        measure(
            lambda: Conversations(store).prompts_of(last.conversation_id, request.version).build(request), 20
        ),
        "goal <= 60 ms",
    )
    with psycopg.connect(url) as connection:
        query = "SELECT state FROM events WHERE originator_id = %s ORDER BY originator_version"
        row(
            "  floor: reading the stored rows of the conversation",
            measure(lambda: connection.execute(query, (last.conversation_id,)).fetchall(), 20),
        )


def commands(core: Core, short: Sent, long: Sent) -> None:
    for name, last in (("a short conversation", short), (f"{MESSAGES:,} messages", long)):
        row(
            f"sending a message, {name}",
            measure(lambda: core.send(last.conversation_id, "Go on.", last.reply_id)),  # noqa: B023  called at once
        )
    for name, conversation_id in (
        ("a short conversation", short.conversation_id),
        (f"{MESSAGES:,} messages", long.conversation_id),
    ):
        row(
            f"renaming, {name}",
            measure(lambda: core.change(conversation_id, title=f"Name {time.perf_counter()}"), 30),  # noqa: B023  called at once
        )


def proofs(url: str, conversation_id: UUID) -> None:
    """How fast recorded prompts are verified, events read from the database and decoded included."""
    rates = []
    with closing(BulkReader(url)) as reader:
        for _ in range(5):
            began = time.perf_counter()
            found = reader.read(conversation_id)
            findings = verify_calls(conversation_id, found.prompts, found.calls)
            rates.append(len(findings) / (time.perf_counter() - began))
            assert all(finding.holds for finding in findings)
    goal = "goal >= 5,000 calls/s"
    print(
        f"{'verify prompts, conversation of 1,000 messages':<58} {statistics.median(rates):9,.0f} calls/s   {goal}"
    )


def main() -> int:
    with durable_database() as url:
        store = PostgresEventStore(url, COMPANION_STEPS)
        core = Core(store, ids=CountedIds(), claim=claim_by_sql(url), conversations=Conversations(store))
        short, long = core.start(), core.start()
        last_short, last_long = fill(core, short, 10), fill(core, long, MESSAGES)
        print()
        forks(core, url, (short, last_short), (long, last_long))
        payloads(store, long)
        prompts(core, store, url, last_long)
        proofs(url, long)
        commands(core, last_short, last_long)
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
