"""Hears once per web process what happened, and hands it to every open stream that it concerns.

One connection listens, a few threads read; however many browsers are open, no more is needed. Each
stream has a queue with an end: a client that does not read is dropped, and memory never grows.
Decides nothing about frames; that is what live_feed and live_source are for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import Error as DatabaseError
from django.db import connections
from psycopg.conninfo import make_conninfo

from backend.api import live_source
from backend.api.live_source import LiveRow

logger = logging.getLogger(__name__)

CHANGES_CHANNEL: Final = "live_changes"
CHUNKS_CHANNEL: Final = "call_chunks"
READ_THREADS: Final = 4
QUEUE_ITEMS: Final = 5_000
QUEUE_BYTES: Final = 4 * 1024 * 1024
SLOW_CLIENT_S: Final = 5.0
LOOK_EVERY_S: Final = 1.0
CATCH_UP_S: Final = 2.0
START_TIMEOUT_S: Final = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class LiveChunk:
    """A piece of a reply as the model-call worker told of it."""

    call_id: UUID
    reply_id: UUID | None
    seq: int
    text: str
    reasoning: str


class ChunksMayBeMissing:
    """Told to every stream after the listening connection was lost: look into the table once."""


Item = LiveRow | LiveChunk | ChunksMayBeMissing


class LiveUnavailable(Exception):
    """The database cannot be listened to just now. Opening the stream again in a moment helps."""


class Subscription:
    """One open stream's place at the hub. start: it is handed everything beyond this position."""

    def __init__(self, owner_id: UUID, start: int, abort: Callable[[], object]) -> None:
        self.owner_id = owner_id
        self.start = start
        self.calls: set[UUID] = set()
        self.overflowed = False
        self.closing = False
        self._abort = abort
        self._abort_later: asyncio.TimerHandle | None = None
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    def put(self, item: Item, size: int) -> None:
        """Add to the queue, or give the client up when it has left too much unread."""
        if self.overflowed or self.closing:
            return
        if len(self._items) >= QUEUE_ITEMS or self._bytes + size > QUEUE_BYTES:
            self.overflowed = True
            self._items.clear()
            self._bytes = 0
            # A client that reads slowly still gets to hear `reset`; one that reads nothing is cut off.
            self._abort_later = asyncio.get_running_loop().call_later(SLOW_CLIENT_S, self._abort)
        else:
            self._items.append((item, size))
            self._bytes += size
        self._wake.set()

    async def take(self, timeout_s: float) -> list[Item]:
        """Everything queued, as soon as there is something; nothing after `timeout_s`, or at the end."""
        if not self._items and not self.overflowed and not self.closing:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), timeout_s)
            except TimeoutError:
                return []
        items = [item for item, _ in self._items]
        self._items.clear()
        self._bytes = 0
        return items

    def close(self) -> None:
        """End the stream soon, because the server stops."""
        self.closing = True
        self._wake.set()

    def forget(self) -> None:
        if self._abort_later is not None:
            self._abort_later.cancel()


class LiveHub:
    """One per event loop; get it with `hub_of_this_loop`."""

    def __init__(self, database_url: str) -> None:
        # A server that vanished without a word is noticed within half a minute.
        self._conninfo = make_conninfo(
            database_url, keepalives_idle=10, keepalives_interval=5, keepalives_count=3
        )
        self._threads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="live")
        self._subscriptions: set[Subscription] = set()
        self._watchers: dict[UUID, set[Subscription]] = {}
        self._listening = asyncio.Event()
        self._changed = asyncio.Event()
        self._heard = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._closer: asyncio.Task[None] | None = None
        self.delivered = 0

    # ---- for the streams --------------------------------------------------------------------

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a blocking function of live_source in one of the hub's threads.

        Raises django.db.Error when the database is away.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(_and_give_back, function, *arguments))

    async def subscribe(
        self, owner_id: UUID, *, shutdown: asyncio.Event | None, abort: Callable[[], object]
    ) -> Subscription:
        """Begin to queue this person's changes. abort: cuts the stream off. Raises LiveUnavailable."""
        self._start(shutdown)
        try:
            await asyncio.wait_for(self._listening.wait(), START_TIMEOUT_S)
            if not self._subscriptions:
                reached = await self.read(live_source.floor)
                if not self._subscriptions:
                    # While nobody listened nothing was delivered, and nobody needs what went by.
                    self.delivered = max(self.delivered, reached)
        except (TimeoutError, DatabaseError) as error:
            raise LiveUnavailable("The database cannot be reached. Try again in a moment.") from error
        subscription = Subscription(owner_id, self.delivered, abort)
        if shutdown is not None and shutdown.is_set():
            subscription.close()
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        subscription.forget()
        self._subscriptions.discard(subscription)
        for call_id in tuple(subscription.calls):
            self.unwatch(subscription, call_id)

    def watch(self, subscription: Subscription, call_id: UUID) -> None:
        """Hand this call's chunks to the stream from now on."""
        subscription.calls.add(call_id)
        self._watchers.setdefault(call_id, set()).add(subscription)

    def unwatch(self, subscription: Subscription, call_id: UUID) -> None:
        subscription.calls.discard(call_id)
        watchers = self._watchers.get(call_id, set())
        watchers.discard(subscription)
        if not watchers:
            self._watchers.pop(call_id, None)

    # ---- listening --------------------------------------------------------------------------

    def _start(self, shutdown: asyncio.Event | None) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._deliver())]
            for task in self._tasks:
                task.add_done_callback(self._on_task_ended)
        if shutdown is not None and self._closer is None:
            self._closer = asyncio.create_task(self._close_all_when(shutdown))

    def _on_task_ended(self, task: asyncio.Task[None]) -> None:
        """Neither task ends by itself. If one fails, the streams end too: browsers come back and resume."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The live stream failed and starts anew with the next client.", exc_info=error)
        tasks, self._tasks = self._tasks, []
        for other in tasks:
            other.cancel()
        self._listening.clear()
        self._close_all()

    async def _close_all_when(self, shutdown: asyncio.Event) -> None:
        await shutdown.wait()
        self._close_all()

    def _close_all(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()

    async def _listen(self) -> None:
        """Keep one listening connection for ever; after each loss tell the streams what they may have missed."""
        pause = 0.1
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
                async with connection:
                    for channel in (CHANGES_CHANNEL, CHUNKS_CHANNEL):
                        await connection.execute(f"LISTEN {channel}")
                    pause = 0.1
                    self._on_connected()
                    async for notification in connection.notifies():
                        self._on_notification(notification.channel, notification.payload)
            except psycopg.Error as error:
                logger.warning("The live stream lost the database and connects again: %s", error)
            self._listening.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _on_connected(self) -> None:
        self._listening.set()
        self._changed.set()
        for subscription in self._subscriptions:
            subscription.put(ChunksMayBeMissing(), 0)

    def _on_notification(self, channel: str, payload: str) -> None:
        try:
            if channel == CHANGES_CHANNEL:
                self._heard = max(self._heard, int(payload or 0))
                self._changed.set()
            else:
                told = json.loads(payload)
                for frame in told if isinstance(told, list) else [told]:
                    self._on_chunk(frame)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Anybody with access to the database can notify; a payload of another shape is not ours.
            logger.warning("A notification on %s could not be read: %r", channel, error)

    def _on_chunk(self, frame: dict[str, Any]) -> None:
        watchers = self._watchers.get(UUID(frame["c"])) if "s" in frame else None
        if not watchers:
            return
        text, reasoning = frame.get("t", ""), frame.get("g", "")
        reply_id = None if frame["r"] is None else UUID(frame["r"])
        chunk = LiveChunk(UUID(frame["c"]), reply_id, int(frame["s"]), text, reasoning)
        for subscription in tuple(watchers):
            subscription.put(chunk, len(text) + len(reasoning))

    # ---- delivering -------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """Hand changes out as soon as every read model has passed them; look by itself now and then."""
        while True:
            with suppress(TimeoutError):  # then look all the same: a notification may have been missed
                await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)
            self._changed.clear()
            if not self._subscriptions:
                continue
            try:
                await self._advance()
            except DatabaseError as error:
                logger.warning("Changes cannot be read for the live stream and are tried again: %s", error)

    async def _advance(self) -> None:
        """Deliver all that may be told, waiting a moment for read models that have not passed it yet."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + CATCH_UP_S, 0.004
        while self._subscriptions:
            owners = self._owners()
            batch = await self.read(live_source.changes_since, self.delivered, owners)
            if not self._owners() <= owners:
                continue  # somebody came while this was read; their changes may be in it too
            for row in batch.rows:
                for subscription in tuple(self._subscriptions):
                    if subscription.owner_id == row.owner_id:
                        subscription.put(row, len(row.body or b""))
            self.delivered = max(self.delivered, batch.up_to)
            if not batch.complete:
                continue
            if self.delivered >= self._heard or loop.time() > deadline:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def _owners(self) -> frozenset[UUID]:
        return frozenset(subscription.owner_id for subscription in self._subscriptions)


def _and_give_back(function: Callable[..., Result], *arguments: Any) -> Result:
    """Run in a thread of the hub: its connection goes back to the pool each time."""
    try:
        return function(*arguments)
    finally:
        connections.close_all()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveHub] = WeakKeyDictionary()


def hub_of_this_loop(database_url: str) -> LiveHub:
    """The hub of this process's event loop, made when first asked for."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = LiveHub(database_url)
    return hub
