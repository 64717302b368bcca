"""Holds the event store against its transparency log, and names every event that is not as it was logged.

Pure: events, leaves, subtrees and checkpoints are handed in as they are stored, each in its order. What is stored of
the log is not trusted either: leaves must give the stored subtrees, and those the roots that were signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from backend.audit.checkpoints import Checkpoint
from backend.audit.leaves import erased_sha256, leaf_data
from backend.audit.merkle import Growing, leaf_hash

ERASURE_TOPIC: Final = "ConversationErased."
_NAMED_AT_MOST: Final = 10_000


class EventRow(NamedTuple):
    """stream: the UUID's text. payload: as stored."""

    position: int
    stream: str
    version: int
    topic: str
    payload: bytes


class LeafRow(NamedTuple):
    leaf_index: int
    position: int
    hash: bytes


@dataclass(frozen=True)
class LogProblem:
    """kind: changed, moved, missing, inserted, stream, erased, leaf, subtree, checkpoint or truncated. detail: for people."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True)
class SignedRoot:
    """A checkpoint whose signature is good. where: how people find it."""

    checkpoint: Checkpoint
    where: str


@dataclass
class LogCheck:
    """One pass over the store. After `run`: size (leaves), behind (events without a leaf yet), unsigned (leaves after the
    last checkpoint), erased, checkpoints (that held).

    stored_subtrees: level and index -> hash. subtree_step: every so many levels are stored.
    """

    signed: Sequence[SignedRoot]
    stored_subtrees: Mapping[tuple[int, int], bytes]
    subtree_step: int
    progress: Callable[[int], None] = lambda events: None
    size: int = 0
    behind: int = 0
    erased: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    _problems: list[LogProblem] = field(default_factory=list)
    _changed: list[tuple[EventRow, LeafRow, bytes]] = field(default_factory=list)
    _missing: list[LeafRow] = field(default_factory=list)
    _erased_streams: dict[str, EventRow] = field(default_factory=dict)
    _recorded: set[str] = field(default_factory=set)
    _seen_subtrees: int = 0
    _signed_size: int = 0
    _last: LeafRow | None = None

    def run(self, events: Iterable[EventRow], leaves: Iterable[LeafRow]) -> Iterator[LogProblem]:
        """The problems, those that can be told at once first. events: by position. leaves: by index."""
        self._tree = Growing(completed=self._completed)
        self._waiting = sorted(self.signed, key=lambda each: each.checkpoint.size, reverse=True)
        waiting = iter(leaves)
        leaf = next(waiting, None)
        for number, event in enumerate(events, start=1):
            if number % 1000 == 0:
                self.progress(number)
            while leaf is not None and leaf.position < event.position:
                self._note_missing(leaf)
                leaf = next(waiting, None)
            if leaf is None:
                self.behind += 1
            elif leaf.position > event.position:
                yield LogProblem("inserted", f"{_name(event)} is not in the log, though later ones are.")
            else:
                self._compare(event, leaf)
                leaf = next(waiting, None)
            if self._problems:
                yield from self._drain()
        while leaf is not None:
            self._note_missing(leaf)
            leaf = next(waiting, None)
        yield from self._drain()
        self.size = self._tree.size
        yield from self._changed_ones()
        yield from self._end()

    def _compare(self, event: EventRow, leaf: LeafRow) -> None:
        data = leaf_hash(leaf_data(event.stream, event.version, event.topic, event.payload))
        if data != leaf.hash and len(self._changed) < _NAMED_AT_MOST:
            self._changed.append((event, leaf, data))
        if event.payload.startswith(b'{"erased":') and erased_sha256(event.payload) is not None:
            self.erased += 1
            self._erased_streams.setdefault(event.stream, event)
        elif event.topic.startswith(ERASURE_TOPIC):
            self._recorded |= _streams_erased(event)
        self._add(leaf)

    def _note_missing(self, leaf: LeafRow) -> None:
        if len(self._missing) < _NAMED_AT_MOST:
            self._missing.append(leaf)
        self._add(leaf)

    def _add(self, leaf: LeafRow) -> None:
        tree, last = self._tree, self._last
        if leaf.leaf_index != tree.size:
            self._problems.append(
                LogProblem(
                    "leaf",
                    f"Expected leaf {tree.size} of the log, found leaf {leaf.leaf_index} (position {leaf.position}).",
                )
            )
        if last is not None and leaf.position <= last.position:
            self._problems.append(
                LogProblem(
                    "leaf",
                    f"Leaf {leaf.leaf_index} is of position {leaf.position}, but the one before it of {last.position}.",
                )
            )
        self._last = leaf
        tree.add(leaf.hash)
        while self._waiting and self._waiting[-1].checkpoint.size == tree.size:
            signed = self._waiting.pop()
            if signed.checkpoint.root == tree.root():
                self.checkpoints += 1
                self._signed_size = tree.size
            else:
                self._problems.append(
                    LogProblem(
                        "checkpoint",
                        f"The first {tree.size:,} leaves (up to position {leaf.position}) do not give the root signed in {signed.where}.",
                    )
                )

    def _completed(self, level: int, index: int, found: bytes) -> None:
        if level % self.subtree_step:
            return
        stored = self.stored_subtrees.get((level, index))
        self._seen_subtrees += stored is not None
        if stored != found:
            begin, end = index << level, (index + 1) << level
            state = "is not stored" if stored is None else "does not follow from its leaves"
            self._problems.append(
                LogProblem(
                    "subtree",
                    f"The subtree over leaves {begin:,} to {end - 1:,} {state}: one of them was changed.",
                )
            )

    def _drain(self) -> Iterator[LogProblem]:
        yield from self._problems
        self._problems.clear()

    def _changed_ones(self) -> Iterator[LogProblem]:
        """Events that are not as logged: moved, if what is found there was logged elsewhere; else changed."""
        expected_at = {leaf.hash: leaf.position for _, leaf, _ in self._changed}
        expected_at |= {leaf.hash: leaf.position for leaf in self._missing}
        for event, _, found in self._changed:
            if found in expected_at:
                yield LogProblem("moved", f"{_name(event)} was recorded at position {expected_at[found]}.")
            else:
                yield LogProblem(
                    "changed",
                    f"{_name(event)} is not what was recorded: its payload, type or place in its stream differs.",
                )
        for leaf in self._missing:
            yield LogProblem(
                "missing", f"The event at position {leaf.position} (leaf {leaf.leaf_index}) is gone."
            )

    def _end(self) -> Iterator[LogProblem]:
        self.unsigned = self.size - self._signed_size
        if self.size and not self.signed:
            yield LogProblem(
                "checkpoint",
                f"The log has {self.size:,} leaves, but no checkpoint that could be relied on: none of it is vouched for.",
            )
        for signed in reversed(self._waiting):
            size = signed.checkpoint.size
            if size == 0:
                continue
            yield LogProblem(
                "truncated",
                f"{signed.where} was signed over {size:,} events, but the log has {self.size:,}: the last ones are gone.",
            )
        if len(self.stored_subtrees) > self._seen_subtrees:
            extra = len(self.stored_subtrees) - self._seen_subtrees
            yield LogProblem(
                "subtree", f"{extra} stored subtrees lie beyond the last leaf, or are of no such level."
            )
        for stream, event in self._erased_streams.items():
            if stream not in self._recorded:
                yield LogProblem(
                    "erased", f"{_name(event)} has no payload any more, but no erasure of it is recorded."
                )


def streams_out_of_order(found: Iterable[tuple[str, int, int]]) -> Iterator[LogProblem]:
    """Streams whose versions are not 1, 2, 3 …: something was put in behind our back, or is gone.

    found: each such stream, how many events it has, and its highest version.
    """
    for stream, events, highest in found:
        yield LogProblem(
            "stream",
            f"Stream {stream} has {events:,} events up to version {highest}; expected one of each version from 1 on.",
        )


def _name(event: EventRow) -> str:
    return f"The event at position {event.position} ({event.topic}, version {event.version} of stream {event.stream})"


def _streams_erased(event: EventRow) -> set[str]:
    """The streams that a recorded erasure names: its own, and those of the calls that belonged to it."""
    try:
        calls = json.loads(event.payload)["calls"]
        return {event.stream, *(str(UUID(call["call_id"])) for call in calls)}
    except (ValueError, LookupError, TypeError):
        return {event.stream}
