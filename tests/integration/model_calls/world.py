"""What the worker's tests share: a store with a conversation in it, a runner held by hand, a listener.

Made without Django: the worker gets its collaborators as arguments, here as in the product.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row

from backend.application.conversations import Conversations
from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.ports import Aggregate, Answer, Companion, InstallationDefaults, OneRunner
from backend.application.runner_port import Delta, Line, RunnerEvent, RunnerFailure, RunnerModel
from backend.domain import events as e
from backend.domain.commands import CancelModelCall, Command, SendUserMessage, StartConversation
from backend.domain.model_call import ModelCall
from backend.event_store.store import PostgresEventStore
from backend.model_calls.companions import COMPANION_STEPS
from backend.model_calls.timings import WorkerTimings
from backend.model_calls.worker import ModelCallWorker

T = TypeVar("T")

QUICK = WorkerTimings(
    heartbeat_s=0.2, lease_s=1.5, sweep_s=0.1, stop_grace_s=0.3, stop_limit_s=3.0, retry_pace=0.05
)
"""A lease short enough to wait for, yet long enough for a busy machine."""

PATIENCE_S = 15.0
RUNNER = "held"
"""The name of the one runner there is."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def new(self) -> UUID:
        return uuid4()


@dataclass(frozen=True)
class Asked:
    """One message sent, with the reply and the call it set off."""

    conversation_id: UUID
    message_id: UUID
    reply_id: UUID
    call_id: UUID


class World:
    """One database with one owner, and shorthands to act on it and look at it."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.owner_id = uuid4()
        self.store = PostgresEventStore(database_url, COMPANION_STEPS)
        self.conversations = Conversations(self.store)
        self.titles = False

    def close(self) -> None:
        self.store.close()

    # ---- acting -----------------------------------------------------------------------------

    def run(
        self, command: Command, *, actor: str | None = None, correlation_id: UUID | None = None
    ) -> Answer:
        services = Services(
            store=self.store,
            clock=SystemClock(),
            ids=RandomIds(),
            pause=lambda attempt: time.sleep(0.01 * attempt),
            defaults=InstallationDefaults("New conversation", "You are helpful.", "scripted-model"),
            conversations=self.conversations,
            runners=OneRunner(RUNNER),
            titles=self.titles,
        )
        handling = Handling(services, actor or f"user:{self.owner_id}", correlation_id or uuid4())
        return handle(command, handling)

    def ask(self, content: str = "Hello", conversation_id: UUID | None = None) -> Asked:
        if conversation_id is None:
            conversation_id = UUID(self.run(StartConversation(owner_id=self.owner_id)).body["id"])
        body = self.run(SendUserMessage(self.owner_id, conversation_id, content)).body
        return Asked(conversation_id, UUID(body["message_id"]), UUID(body["reply_id"]), UUID(body["call_id"]))

    def cancel(self, asked: Asked) -> None:
        self.run(CancelModelCall(self.owner_id, asked.call_id))

    def append(self, *aggregates: Aggregate, companions: Sequence[Companion] = ()) -> int:
        return self.store.append(*aggregates, companions=companions)

    # ---- looking ----------------------------------------------------------------------------

    def query(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description is not None else []

    def replies(self, asked: Asked) -> list[e.ReplyRecorded]:
        events = self.store.read_history(asked.conversation_id)[-1].events
        return [x for x in events if isinstance(x, e.ReplyRecorded) and x.reply_id == asked.reply_id]

    def call(self, asked: Asked) -> ModelCall:
        return self.store.read_call(asked.call_id)

    def ends(self, asked: Asked) -> list[Any]:
        """Final ends of the call as (topic, payload)."""
        return [(topic, payload) for topic, payload in self.ends_of_attempts(asked) if payload["final"]]

    def ends_of_attempts(self, asked: Asked) -> list[Any]:
        """Ends of the call's attempts, also those that were tried again, as (topic, payload)."""
        rows = self.store.read_stream(asked.call_id, 0, 100)
        ends = ("ModelCallCompleted", "ModelCallFailed", "ModelCallCancelled", "ModelCallInterrupted")
        return [(row.topic, row.payload) for row in rows if row.topic.startswith(ends)]

    def topics(self, asked: Asked) -> list[str]:
        return [row.topic for row in self.store.read_stream(asked.call_id, 0, 100)]

    def waiting_for_a_lock(self) -> int:
        """How many connections to this database stand still until another one lets go of something."""
        query = (
            "SELECT count(*) AS waiting FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(self.query(query)[0]["waiting"])

    def chunks(self, asked: Asked) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM call_chunk WHERE call_id = %s ORDER BY seq", asked.call_id)

    async def chunks_beyond(self, asked: Asked, count: int) -> None:
        """Wait until more than `count` chunks are stored."""
        await eventually(lambda: len(self.chunks(asked)) > count)

    def queue(self) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM model_call_queue ORDER BY queued_at")

    def live_workers(self) -> list[str]:
        rows = self.query("SELECT worker_id FROM model_call_worker WHERE NOT dead ORDER BY started_at")
        return [row["worker_id"] for row in rows]

    async def reply_of(self, asked: Asked) -> e.ReplyRecorded:
        """Wait for the reply; it must be the only one, and the call ended exactly once with it."""
        reply = (await eventually(lambda: self.replies(asked)))[0]
        assert len(self.replies(asked)) == 1
        assert len(self.ends(asked)) == 1
        return reply


async def eventually(look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What `look` returns, once it is true."""
    deadline = time.monotonic() + patience_s
    while True:
        found = await asyncio.to_thread(look)
        if found:
            return found
        assert time.monotonic() < deadline, f"not so within {patience_s} s"
        await asyncio.sleep(0.02)


# ---- a runner held by hand ------------------------------------------------------------------


_END = object()


@dataclass
class HeldStream:
    """One stream a test feeds piece by piece."""

    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _pieces: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    def say(self, text: str, reasoning: str = "") -> None:
        self._pieces.put_nowait(Delta(text, reasoning))

    def give(self, event: RunnerEvent) -> None:
        self._pieces.put_nowait(event)

    def fail(self, failure: Exception) -> None:
        self._pieces.put_nowait(failure)

    def end(self) -> None:
        self._pieces.put_nowait(_END)

    async def pieces(self) -> AsyncIterator[RunnerEvent]:
        while True:
            piece = await self._pieces.get()
            if piece is _END:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece


@dataclass
class HeldLine:
    """A connection that was made ahead."""

    hung_up: bool = False

    def hang_up(self) -> None:
        self.hung_up = True


class HeldRunner:
    """Implements ModelRunner; its streams wait for the test to go on."""

    name = RUNNER
    url = "http://held/v1"

    def __init__(self) -> None:
        self.streams: list[HeldStream] = []
        self.lines: list[HeldLine] = []

    def reach(self) -> HeldLine:
        self.lines.append(HeldLine())
        return self.lines[-1]

    def pass_chat(
        self, body: bytes, *, whole: bool, line: Line | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[RunnerEvent]]:
        return self.stream_chat(body)

    @asynccontextmanager
    async def stream_chat(self, body: bytes) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        stream = HeldStream(body)
        self.streams.append(stream)
        try:
            yield stream.pieces()
        finally:
            stream.closed.set()

    async def list_models(self) -> tuple[RunnerModel, ...]:
        return (RunnerModel("scripted-model"),)

    async def version(self) -> str | None:
        return "held 1"

    async def aclose(self) -> None:
        return None

    async def stream(self, number: int = 0) -> HeldStream:
        await eventually(lambda: len(self.streams) > number)
        return self.streams[number]


class BrokenRunner(HeldRunner):
    """Fails before anything comes back."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self._failure = failure

    @asynccontextmanager
    async def stream_chat(self, body: bytes) -> AsyncIterator[AsyncIterator[RunnerEvent]]:
        self.streams.append(HeldStream(body))
        raise self._failure
        yield  # unreachable, but makes this a generator


STREAM_CUT = RunnerFailure("stream_cut", "The connection to the model runner broke.")


@asynccontextmanager
async def working(
    world: World,
    runner: Any,
    timings: WorkerTimings = QUICK,
    runner_limits: Mapping[str, int] | None = None,
) -> AsyncIterator[ModelCallWorker]:
    """A worker that runs meanwhile and must end cleanly."""
    worker = ModelCallWorker(
        database_url=world.database_url,
        store=world.store,
        run_command=world.run,
        runners=[runner],
        runner_limits=runner_limits,
        conversations=world.conversations,
        timings=timings,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)


# ---- a listener -----------------------------------------------------------------------------


@dataclass
class Ears:
    """What was heard on the chunk channel, in order, by a connection of its own."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    payload_sizes: list[int] = field(default_factory=list)

    def text(self, asked: Asked) -> str:
        """The text of a call's chunks by seq, each counted once."""
        pieces = {f["s"]: f.get("t", "") for f in self.frames if f["c"] == str(asked.call_id) and "s" in f}
        return "".join(pieces[seq] for seq in sorted(pieces))


@contextmanager
def listening(database_url: str) -> Iterator[Ears]:
    """Listen on a thread of its own, as another process would."""
    ears, stop, ready = Ears(), threading.Event(), threading.Event()

    def listen() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("LISTEN call_chunks")
            ready.set()
            while not stop.is_set():
                for notification in connection.notifies(timeout=0.1):
                    ears.payload_sizes.append(len(notification.payload.encode()))
                    ears.frames.extend(json.loads(notification.payload))

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(10)
    try:
        yield ears
    finally:
        stop.set()
        thread.join(10)
