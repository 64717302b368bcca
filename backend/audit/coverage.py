"""Whether every call that began also ended, exactly once, and every requested reply was recorded, exactly once.

Pure: streams are handed in one after the other, each in its order; nothing is kept of those that are in order. What is
under way right now is known from the queue, and counted apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.audit.leaves import erased_sha256
from backend.audit.log_check import EventRow

REQUESTED, STARTED = "ModelCallRequested", "ModelCallStarted"
ENDS: Final = ("ModelCallCompleted", "ModelCallFailed", "ModelCallCancelled", "ModelCallInterrupted")
REPLY_REQUESTED, REPLY_RECORDED = "ReplyRequested", "ReplyRecorded"
TOPICS: Final = (REQUESTED, STARTED, *ENDS, REPLY_REQUESTED, REPLY_RECORDED)
"""Without their versions. No other event is needed."""


@dataclass(frozen=True)
class CoverageProblem:
    """kind: attempt, call, reply or event (one that cannot be read). detail: for people."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass
class CoverageCheck:
    """One pass. queued: the calls that wait or are carried out right now. Afterwards: what there was, and outcomes by end."""

    queued: Collection[str]
    calls: int = 0
    attempts: int = 0
    replies: int = 0
    running: int = 0
    erased: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    _unrecorded: dict[str, str] = field(default_factory=dict)

    def run(self, streams: Iterable[Sequence[EventRow]]) -> Iterator[CoverageProblem]:
        """streams: the events of TOPICS, all of one stream together, by version."""
        for events in streams:
            if name_of(events[0]).startswith("ModelCall"):
                yield from self._call(events)
            else:
                yield from self._replies(events)
        for call_id, reply in self._unrecorded.items():
            if call_id in self.queued:
                continue
            yield CoverageProblem(
                "reply",
                f"{reply} was requested, but never recorded, and its call {call_id} is not under way.",
            )

    def _call(self, events: Sequence[EventRow]) -> Iterator[CoverageProblem]:
        call_id = events[0].stream
        self.calls += 1
        if name_of(events[0]) != REQUESTED:
            yield CoverageProblem(
                "call",
                f"Call {call_id} begins with {events[0].topic} at position {events[0].position}, not with its request.",
            )
        if any(erased_sha256(event.payload) for event in events):
            yield from self._erased_call(events)
            return
        started: list[int] = []
        ended: Counter[int] = Counter()
        final: EventRow | None = None
        for event in events:
            name = name_of(event)
            if final is not None:
                yield CoverageProblem(
                    "call", f"{_where(event)} comes after the final end at position {final.position}."
                )
            if name != STARTED and name not in ENDS:
                continue
            try:
                payload = _payload(event, attempt=int) if name == STARTED else _end_of(event)
            except _Unreadable as error:
                yield CoverageProblem("event", str(error))
                continue
            if name == STARTED:
                started.append(payload["attempt"])
            else:
                ended[payload["attempt"]] += 1
                self.ends[name] += 1
                final = event if payload["final"] else final
        self.attempts += len(started)
        yield from self._attempts(call_id, started, ended, is_final=final is not None)
        if final is None and call_id in self.queued:
            self.running += 1
        elif final is None:
            yield CoverageProblem("call", f"Call {call_id} has no final end, and nobody carries it out.")

    def _attempts(
        self, call_id: str, started: Sequence[int], ended: Counter[int], *, is_final: bool
    ) -> Iterator[CoverageProblem]:
        if list(started) != list(range(1, len(started) + 1)):
            yield CoverageProblem("attempt", f"Call {call_id} started its attempts as {list(started)}.")
        for attempt in started:
            under_way = not is_final and attempt == started[-1] and call_id in self.queued
            if ended[attempt] == 0 and not under_way:
                yield CoverageProblem(
                    "attempt", f"Attempt {attempt} of call {call_id} was started, but never ended."
                )
        for attempt, times in ended.items():
            if times > 1:
                yield CoverageProblem("attempt", f"Attempt {attempt} of call {call_id} ended {times} times.")
            if attempt and attempt not in started:
                yield CoverageProblem(
                    "attempt", f"Attempt {attempt} of call {call_id} ended, but was never started."
                )

    def _erased_call(self, events: Sequence[EventRow]) -> Iterator[CoverageProblem]:
        """Of an erased call the kinds of its events are left: as many ends as starts, and one at least."""
        self.erased += 1
        names = Counter(name_of(event) for event in events)
        ends = sum(names[name] for name in ENDS)
        self.attempts += names[STARTED]
        if ends < max(1, names[STARTED]):
            yield CoverageProblem(
                "call",
                f"Call {events[0].stream}, which was erased, has {names[STARTED]} starts and {ends} ends.",
            )

    def _replies(self, events: Sequence[EventRow]) -> Iterator[CoverageProblem]:
        requested: dict[str, str] = {}
        recorded: Counter[str] = Counter()
        erased = 0
        for event in events:
            if erased_sha256(event.payload):
                # Which reply it was about is erased with it: only the numbers are left.
                erased += 1 if name_of(event) == REPLY_REQUESTED else -1
                self.replies += name_of(event) == REPLY_REQUESTED
                continue
            try:
                payload = _payload(event, reply_id=str, call_id=str)
            except _Unreadable as error:
                yield CoverageProblem("event", str(error))
                continue
            if name_of(event) == REPLY_REQUESTED:
                requested[payload["reply_id"]] = payload["call_id"]
                continue
            recorded[payload["reply_id"]] += 1
            if payload["reply_id"] not in requested:
                yield CoverageProblem("reply", f"{_where(event)} records a reply that nobody requested.")
            elif recorded[payload["reply_id"]] > 1:
                yield CoverageProblem(
                    "reply", f"{_where(event)} records reply {payload['reply_id']} once more."
                )
        if erased:
            yield CoverageProblem(
                "reply",
                f"Conversation {events[0].stream}, which was erased, has {erased} more requested replies than recorded ones.",
            )
        self.replies += len(requested)
        for reply_id, call_id in requested.items():
            if reply_id not in recorded:
                self._unrecorded[call_id] = f"Reply {reply_id} of conversation {events[0].stream}"


def name_of(event: EventRow) -> str:
    """The kind of an event, without the version of its shape."""
    return event.topic.partition(".")[0]


class _Unreadable(Exception):
    """The payload was changed into something that no event of this kind is."""


def _payload(event: EventRow, **fields: type) -> dict[str, Any]:
    """The stored fields. fields: those that are needed, and what each must be. Raises _Unreadable."""
    try:
        found = json.loads(event.payload)
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"{_where(event)} cannot be read: it is not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise _Unreadable(f"{_where(event)} cannot be read: it is not a JSON object.")
    for name, kind in fields.items():
        if type(found.get(name)) is not kind:
            raise _Unreadable(
                f"{_where(event)} cannot be read: its field {name} is {repr(found.get(name))[:60]}, expected {kind.__name__}."
            )
    return found


def _end_of(event: EventRow) -> dict[str, Any]:
    return _payload(event, attempt=int, final=bool)


def _where(event: EventRow) -> str:
    return f"{event.topic} at position {event.position} (version {event.version} of stream {event.stream})"
