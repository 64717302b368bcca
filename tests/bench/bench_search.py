"""How long a search takes among 10,000 conversations with 40,000 messages, and how much room searching needs.

Run by `make bench`. Ten other people have conversations in the same tables. The floors, in the same run: the bare
SQL that asks the index for one word, and GET /healthz, which touches nothing. SEARCH_BENCH=1000 takes fewer
conversations.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.api_client import ApiClient
from tests.support.search_corpus import Corpus
from tests.support.stack import running_stack

CONVERSATIONS = int(os.environ.get("SEARCH_BENCH", "10000"))
TURNS = 2
OTHERS = 10
REPEATS = 12
GOAL_MS = 50

_FLOOR = """
SELECT id FROM read_search WHERE owner_id = %(owner)s AND words <> '' AND position > %(above)s
  AND read_search_lexemes(owner_id, words, stems) @@ (SELECT %(question)s::tsquery)
ORDER BY position + 0 DESC LIMIT 20
"""
_SIZES = """
SELECT pg_total_relation_size('read_search') + pg_total_relation_size('read_search_conversation'),
       pg_relation_size('read_search_words'), pg_total_relation_size('events'), pg_database_size(current_database())
"""


def questions(corpus: Corpus) -> dict[str, list[str]]:
    """What people type, by kind: from words that nearly every message has to some that few have."""
    words, chance = corpus.words["en"], corpus.random
    common, middle, rare = words[:20], words[100:2000], words[5000:20000]

    def pick(known: list[str]) -> str:
        return chance.choice(known)

    return {
        "a very common word": [pick(common) for _ in range(REPEATS)],
        "two very common words": [f"{pick(common)} {pick(common)}" for _ in range(REPEATS)],
        "a word that some have": [pick(middle) for _ in range(REPEATS)],
        "a rare word": [pick(rare) for _ in range(REPEATS)],
        "a common and a rare word": [f"{pick(common)} {pick(rare)}" for _ in range(REPEATS)],
        "two letters of a word being typed": [pick(rare)[:2] for _ in range(REPEATS)],
        "a prefix of four": [pick(middle)[:4] + "*" for _ in range(REPEATS)],
        "a phrase of common words": [f'"{pick(common)} {pick(common)}"' for _ in range(REPEATS)],
        "a phrase with a rarer word": [f'"{pick(common)} {pick(middle)}"' for _ in range(REPEATS)],
        "common, from:me": [f"from:me {pick(common)}" for _ in range(REPEATS)],
        "common, in:title": [f"in:title {pick(common)}" for _ in range(REPEATS)],
        "common, model:large": [f"model:large {pick(common)}" for _ in range(REPEATS)],
        "common without another": [f"{pick(common)} -{pick(common)} x" for _ in range(REPEATS)],
        "a filter alone": ["from:me"] * REPEATS,
        "nothing found": [f"{pick(rare)}xq" for _ in range(REPEATS)],
    }


def timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def row(name: str, values: list[float], goal: str = "") -> None:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(f"{name:<44} p50 {statistics.median(values):7.1f} ms   p95 {p95:7.1f} ms{goal}")


def wait_until_projected(person: ApiClient, position: int) -> None:
    """Until search has taken everything in; tells how far it is on a terminal."""
    path = "/api/search/?" + urlencode({"q": "the", "after": position})
    while (answer := person.http.get(path)).status_code != 200:
        assert answer.status_code == 503, answer.text
        if sys.stdout.isatty():
            at = person.http.get("/readyz").json()["parts"]["projections"]["search"]["position"]
            print(f"\rreading events: {at} of {position}   ", end="", flush=True)
    print()


def floor(database_url: str, owner_id: UUID, corpus: Corpus) -> list[float]:
    """The bare question for one common word among the newest rows, on a connection of its own."""
    tag = str(owner_id)[:6]
    with psycopg.connect(database_url, autocommit=True) as connection:
        newest = connection.execute(
            "SELECT position FROM read_search WHERE owner_id = %s ORDER BY position DESC OFFSET 2000 LIMIT 1",
            [owner_id],
        ).fetchone()
        values = {"owner": owner_id, "above": newest[0] if newest else 0}
        return [
            timed(
                lambda: connection.execute(_FLOOR, {**values, "question": f"'{tag}{word}'"}).fetchall()  # noqa: B023  called at once
            )
            for word in corpus.words["en"][:20]
        ]


def sizes(database_url: str, corpus: Corpus) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(_SIZES).fetchone()
    assert found is not None
    text = corpus.text_bytes
    for name, size in zip(
        ("search, tables and indexes", "of it the index of words", "events", "whole database"),
        found,
        strict=True,
    ):
        print(f"{name:<44} {size / 1e6:7.1f} MB   {size / text:4.2f} times the text ({text / 1e6:.1f} MB)")


def main() -> int:
    corpus = Corpus()
    with running_stack() as stack, ApiClient(stack.url) as person:
        owner_id = UUID(person.sign_up()["id"])
        url = stack.database_url
        for _ in range(OTHERS):
            corpus.fill(url, uuid4(), CONVERSATIONS // 20, TURNS)
        began = time.perf_counter()
        position = corpus.fill(url, owner_id, CONVERSATIONS, TURNS)
        wait_until_projected(person, position)
        print(
            f"{CONVERSATIONS} conversations, {2 * TURNS * CONVERSATIONS} messages, and {OTHERS} other people; "
            f"all read models filled in {time.perf_counter() - began:.0f} s"
        )
        # As autovacuum does within a minute; without it, the figures would tell when that happens to come.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
        row("GET /healthz (floor)", [timed(lambda: person.http.get("/healthz")) for _ in range(40)])
        row("bare SQL for a common word (floor)", floor(url, owner_id, corpus))
        everything: list[float] = []
        for name, asked in questions(corpus).items():
            times = [timed(lambda: person.get("/api/search/?" + urlencode({"q": text}))) for text in asked]  # noqa: B023  called at once
            everything += times
            row(f"GET /api/search/: {name}", times)
        row("GET /api/search/: all of these", everything, f"   goal p95 <= {GOAL_MS} ms")
        sizes(url, corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
