"""Hears once per web process what happened, and hands it to every open stream that it concerns.

One connection listens, a few threads read; however many browsers are open, no more is needed. A chunk's
frame is made once, for all that want it. Decides nothing about what a client has seen; that is for live_feed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import Error as DatabaseError
from django.db import connections
from psycopg.conninfo import make_conninfo

from backend.api import live_frames, live_source
from backend.api.live_calls import FollowedCalls
from backend.api.live_subscription import CallBegun, ChunksMayBeMissing, LiveChunk, Subscription

logger = logging.getLogger(__name__)

CHANGES_CHANNEL: Final = "live_changes"
CHUNKS_CHANNEL: Final = "call_chunks"
READ_THREADS: Final = 4
LOOK_EVERY_S: Final = 1.0
CATCH_UP_S: Final = 2.0
START_TIMEOUT_S: Final = 5.0
LOOK_FOR_PLACES_S: Final = 0.4
BEGUN_CALLS: Final = 512
HEARD_ALL_S: Final = 30.0
"""So long after it began to listen, a hub may still be told of calls whose start it has not heard."""

Result = TypeVar("Result")


class LiveUnavailable(Exception):
    """The database cannot be listened to just now. Opening the stream again in a moment helps."""


class LiveHub:
    """One per event loop; get it with `hub_of_this_loop`."""

    def __init__(self, database_url: str) -> None:
        # A server that vanished without a word is noticed within half a minute.
        self._conninfo = make_conninfo(
            database_url, keepalives_idle=10, keepalives_interval=5, keepalives_count=3
        )
        self._threads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="live")
        self._subscriptions: set[Subscription] = set()
        self._on_screen: dict[str, set[Subscription]] = {}
        self._calls = FollowedCalls()
        self._begun: deque[str] = deque(maxlen=BEGUN_CALLS)
        self._deaf_until = math.inf
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
        self,
        owner_id: UUID,
        *,
        conversation_id: UUID | None = None,
        shutdown: asyncio.Event | None,
        abort: Callable[[], object],
    ) -> Subscription:
        """Begin to queue this person's changes. abort: cuts the stream off. Raises LiveUnavailable.

        conversation_id: the one on screen, whose chunks are wanted too.
        """
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
        subscription = Subscription(owner_id, self.delivered, abort, conversation_id)
        if shutdown is not None and shutdown.is_set():
            subscription.close()
        self._subscriptions.add(subscription)
        if conversation_id is not None:
            self._on_screen.setdefault(str(conversation_id), set()).add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        subscription.forget()
        self._subscriptions.discard(subscription)
        if (on_screen := self._on_screen.get(str(subscription.conversation_id))) is not None:
            on_screen.discard(subscription)
            if not on_screen:
                del self._on_screen[str(subscription.conversation_id)]
        for call_id in tuple(subscription.calls):
            self.unwatch(subscription, call_id)

    def watch(self, subscription: Subscription, call_id: UUID, reply_id: UUID | None) -> None:
        """Hand this call's chunks to the stream from now on."""
        self._calls.follow(subscription, call_id, reply_id, subscription.conversation_id)

    def unwatch(self, subscription: Subscription, call_id: UUID) -> None:
        self._calls.unfollow(subscription, call_id)

    def may_have_begun(self, call_id: UUID) -> bool:
        """Whether chunks of a call that is new to a stream may have been told already.

        Not where its start has not been heard of; should that have been lost, the next chunk shows it.
        """
        return str(call_id) in self._begun or time.monotonic() < self._deaf_until + HEARD_ALL_S

    def waits_again(self, call_id: UUID) -> None:
        """The call has failed once and is to be tried again: its place in the queue is worth telling."""
        self._calls.waits_again(call_id)

    # ---- listening --------------------------------------------------------------------------

    def _start(self, shutdown: asyncio.Event | None) -> None:
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(work()) for work in (self._listen, self._deliver, self._tell_who_waits)
            ]
            for task in self._tasks:
                task.add_done_callback(self._on_task_ended)
        if shutdown is not None and self._closer is None:
            self._closer = asyncio.create_task(self._close_all_when(shutdown))

    def _on_task_ended(self, task: asyncio.Task[None]) -> None:
        """No task ends by itself. If one fails, the streams end too: browsers come back and resume."""
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
        self._deaf_until = time.monotonic()
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
                    self._on_frame(frame)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Anybody with access to the database can notify; a payload of another shape is not ours.
            logger.warning("A notification on %s could not be read: %r", channel, error)

    def _on_frame(self, frame: dict[str, Any]) -> None:
        if frame.get("state") == "started":
            self._on_started(frame)
        call = self._calls.get(frame["c"])
        if call is None:
            return
        if "s" in frame:
            call.begun = True
            text, reasoning = frame.get("t", ""), frame.get("g", "")
            seq = int(frame["s"])
            body = live_frames.chunk(call.call_id, call.reply_id, seq=seq, text=text, reasoning=reasoning)
            chunk = LiveChunk(call.call_id, seq, body)
            for subscription in tuple(call.followers):
                subscription.put(chunk, len(body))
        elif frame["state"] == "prefill":
            processed, total = frame["p"]
            self._calls.tell_prefill(call, int(processed), int(total))

    def _on_started(self, frame: dict[str, Any]) -> None:
        """Follow a call from its start, which is known here before any read model has it.

        A call without a reply has nothing to show: its text becomes a title.
        """
        if frame["r"] is None:
            return
        call_id, reply_id = UUID(frame["c"]), UUID(frame["r"])
        self._begun.append(frame["c"])
        for subscription in tuple(self._on_screen.get(frame["v"], ())):
            if str(subscription.owner_id) == frame["o"]:
                self.watch(subscription, call_id, reply_id)
                subscription.put(CallBegun(call_id, reply_id), 0)
        if (call := self._calls.get(frame["c"])) is not None:
            call.begun = True

    async def _tell_who_waits(self) -> None:
        """Look a few times a second after the calls on somebody's screen that no worker has taken yet."""
        while True:
            await asyncio.sleep(LOOK_FOR_PLACES_S)
            if waiting := self._calls.waiting():
                try:
                    self._calls.tell_places(waiting, await self.read(live_source.places, waiting))
                except DatabaseError as error:
                    logger.warning("Places in the queue cannot be read and are tried again: %s", error)

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
