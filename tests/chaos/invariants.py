"""What must be true after the storm, whatever died in it. Looks into the database; knows nothing of processes.

One exception is allowed, and counted: where PostgreSQL dies, and a model-call worker within a second of it or before it
has reached the database again, what was written in the last moments before may be lost. Chunks are committed without
waiting for the disk; the worker keeps them in memory and writes them again when it can.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.chaos.killers import Death
from tests.chaos.witness import Turn, Witness

Json = dict[str, Any]
TOGETHER_S = 1.0
LOST_AT_MOST_S = 0.6
AROUND_S = 5.0
HEARD_LATER_S = 0.2  # a client hears of a chunk a little after it was committed
ENDS = ("ModelCallCompleted", "ModelCallFailed", "ModelCallCancelled", "ModelCallInterrupted")


@dataclass
class Record:
    """The events, by what they are about."""

    user_messages: list[Json] = field(default_factory=list)
    requested_replies: list[Json] = field(default_factory=list)
    replies: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    attempts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    calls: set[str] = field(default_factory=set)


def read_record(database_url: str) -> Record:
    record = Record()
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        for row in connection.execute(
            "SELECT originator_id, topic, state FROM events ORDER BY notification_id"
        ):
            name, stream, payload = (
                row["topic"].partition(".")[0],
                str(row["originator_id"]),
                json.loads(row["state"]),
            )
            if name == "UserMessageSent":
                record.user_messages.append(payload)
            elif name == "ReplyRequested":
                record.requested_replies.append(payload)
            elif name == "ReplyRecorded":
                record.replies[payload["reply_id"]].append(payload)
            elif name == "ModelCallRequested":
                record.calls.add(stream)
            elif name == "ModelCallStarted":
                record.attempts[stream].append(payload["attempt"])
            elif name in ENDS:
                record.ends[stream].append(payload)
    return record


@dataclass
class Findings:
    """problems: each one is a failure. exceptions: calls that lost a moment's text in the one way that is allowed."""

    problems: list[str] = field(default_factory=list)
    exceptions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    tokens_shown: int = 0
    attempts_made_again: int = 0


def check(
    witnesses: Sequence[Witness],
    record: Record,
    deaths: Sequence[Death],
    database_back: Sequence[float],
    whole_reply: str,
    chunks: dict[str, str],
) -> Findings:
    """database_back: when PostgreSQL answered again. chunks: the stored text of each call's last attempt."""
    found = Findings()
    at_risk = moments_at_risk(deaths, database_back)
    turns = [turn for witness in witnesses for turn in witness.turns]
    for witness in witnesses:
        found.problems += witness.problems
    _messages(turns, record, found)
    _calls(record, found)
    for turn in turns:
        _reply(turn, record, deaths, at_risk, whole_reply, chunks, found)
        _frames(turn, found)
    return found


def _messages(turns: Iterable[Turn], record: Record, found: Findings) -> None:
    """Each acknowledged message is there once; nothing is there that nobody sent."""
    stored = Counter((payload["message_id"], payload["content"]) for payload in record.user_messages)
    acknowledged = Counter((turn.sent["message_id"], turn.content) for turn in turns)
    for message, times in (acknowledged - stored).items():
        found.problems.append(f"acknowledged {times} times more often than stored: {message}")
    for message, times in (stored - acknowledged).items():
        found.problems.append(f"stored {times} times more often than acknowledged: {message}")
    named = Counter(payload["call_id"] for payload in record.requested_replies)
    for turn in turns:
        if named[turn.call_id] != 1:
            found.problems.append(f"{turn.content}: its call is requested {named[turn.call_id]} times")


def _calls(record: Record, found: Findings) -> None:
    """Each started attempt has exactly one end, each call one final one, each requested reply one record."""
    for call_id in record.calls:
        ends = record.ends[call_id]
        ended = Counter(end["attempt"] for end in ends if end["attempt"] > 0)
        if ended != Counter(record.attempts[call_id]) or any(times != 1 for times in ended.values()):
            found.problems.append(f"call {call_id}: started {record.attempts[call_id]}, ended {dict(ended)}")
        final = [end for end in ends if end["final"]]
        if len(final) != 1 or not ends[-1]["final"]:
            found.problems.append(f"call {call_id}: {len(final)} final ends")
        found.attempts_made_again += len(ends) - len(final)
    for request in record.requested_replies:
        if len(record.replies[request["reply_id"]]) != 1:
            found.problems.append(
                f"reply {request['reply_id']}: recorded {len(record.replies[request['reply_id']])} times"
            )


def _reply(
    turn: Turn,
    record: Record,
    deaths: Sequence[Death],
    at_risk: Sequence[tuple[float, float]],
    whole_reply: str,
    chunks: dict[str, str],
    found: Findings,
) -> None:
    """The record begins with everything that was shown, and is the beginning of what the runner said."""
    recorded = record.replies[turn.sent["reply_id"]]
    if len(recorded) != 1:
        return
    content, outcome = recorded[0]["content"], recorded[0]["outcome"]
    found.outcomes[outcome] += 1
    shown = turn.shown()
    found.tokens_shown += len(turn.chunks)
    if turn.outcome is not None and turn.outcome != outcome:
        found.problems.append(f"{turn.content}: told as {turn.outcome}, recorded as {outcome}")
    if not whole_reply.startswith(content) or (outcome == "complete" and content != whole_reply):
        found.problems.append(
            f"{turn.content}: recorded as {outcome} with a text nobody wrote: …{content[-60:]!r}"
        )
    if not content.startswith(shown):
        lost_since = _lost_since(turn, content)
        if shown.startswith(content) and any(since <= lost_since <= until for since, until in at_risk):
            found.exceptions += 1
        else:
            around = [
                f"{death.part} {death.at - lost_since:+.2f} s"
                for death in deaths
                if abs(death.at - lost_since) < AROUND_S
            ]
            found.problems.append(
                f"{turn.content}: call {turn.call_id}: shown up to …{shown[-40:]!r}, recorded ({outcome}) up to"
                f" …{content[-40:]!r}, stored chunks up to …{chunks.get(turn.call_id, '')[-40:]!r};"
                f" died around the first word that is missing: {', '.join(around) or 'nobody'}"
            )
    elif (
        turn.call_id in chunks
        and chunks[turn.call_id] != content
        and not _forgotten_by_the_database(turn, chunks[turn.call_id], content, deaths)
    ):
        found.problems.append(
            f"{turn.content}: stored chunks end with …{chunks[turn.call_id][-40:]!r}, the reply with …{content[-40:]!r}"
        )


def _forgotten_by_the_database(turn: Turn, stored: str, content: str, deaths: Sequence[Death]) -> bool:
    """Whether the last chunks went with PostgreSQL just before the reply ended, whose text was in its worker's memory.

    Then the reply holds them, and nobody writes them again: chunks are for replies that are being written.
    """
    if not content.startswith(stored) or not turn.chunks:
        return False
    since = _lost_since(turn, stored)
    return any(
        death.at - LOST_AT_MOST_S - HEARD_LATER_S <= since <= death.at + HEARD_LATER_S
        for death in deaths
        if death.part.startswith("postgres")
    )


def _lost_since(turn: Turn, content: str) -> float:
    """When the first piece was received that is not in the record."""
    length = 0
    for chunk in sorted(turn.chunks, key=lambda chunk: chunk.seq):
        length += len(chunk.text)
        if length > len(content):
            return chunk.received
    return turn.chunks[-1].received


def moments_at_risk(deaths: Sequence[Death], database_back: Sequence[float]) -> list[tuple[float, float]]:
    """When text was shown that may be missing: just before PostgreSQL died, if a worker died with it.

    With it: within a second of it, or before it was back for a second, so that nobody could write the text again.
    """
    workers = [death.at for death in deaths if death.part == "model-calls"]
    found = []
    for death in deaths:
        if death.part.startswith("postgres"):
            back = min((at for at in database_back if at > death.at), default=death.at)
            if any(death.at - TOGETHER_S <= worker <= back + TOGETHER_S for worker in workers):
                found.append((death.at - LOST_AT_MOST_S - HEARD_LATER_S, death.at + HEARD_LATER_S))
    return found


def _frames(turn: Turn, found: Findings) -> None:
    """No gap and no duplicate over all connections, except where the client was told to begin anew."""
    for resets in {chunk.after_resets for chunk in turn.chunks}:
        seqs = [chunk.seq for chunk in turn.chunks if chunk.after_resets == resets]
        if seqs != list(range(seqs[0], seqs[0] + len(seqs))) or (resets == 0 and seqs[0] != 0):
            found.problems.append(f"{turn.content}: chunks came as {seqs}")


def stored_chunks(database_url: str) -> dict[str, str]:
    """The text of each call's last attempt as it was stored while it was shown."""
    query = """
        SELECT call_id, string_agg(text, '' ORDER BY seq) AS text FROM call_chunk AS chunk
        WHERE attempt = (SELECT max(attempt) FROM call_chunk AS other WHERE other.call_id = chunk.call_id)
        GROUP BY call_id
    """
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return {str(row["call_id"]): row["text"] for row in connection.execute(query)}


def read_tables(database_url: str) -> dict[str, list[str]]:
    """Every row of every read table, in an order of its own."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'read\\_%'"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(f'SELECT to_jsonb(t)::text FROM "{name}" AS t')
            found[name] = sorted(row[0] for row in rows)
    return found
