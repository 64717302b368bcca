"""A stream's queue has an end: whoever leaves it full hears `reset`, or is cut off."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from backend.api import live_frames, live_hub, live_subscription
from backend.api.live_feed import LiveFeed
from backend.api.live_hub import LiveHub
from backend.api.live_subscription import ChunksMayBeMissing, LiveChunk, Subscription

OWNER = UUID(int=1)


def _chunk(seq: int) -> LiveChunk:
    return LiveChunk(UUID(int=2), seq, b"word")


def test_a_full_queue_is_emptied_and_takes_nothing_more() -> None:
    async def scenario() -> None:
        subscription = Subscription(OWNER, 0, abort=lambda: None)
        for seq in range(live_subscription.QUEUE_ITEMS):
            subscription.put(_chunk(seq), 4)
        assert not subscription.overflowed

        subscription.put(_chunk(0), 4)
        subscription.put(_chunk(0), 4)

        assert subscription.overflowed
        assert await subscription.take(0.1) == []
        subscription.forget()

    asyncio.run(scenario())


def test_a_queue_is_full_by_its_bytes_too() -> None:
    async def scenario() -> None:
        subscription = Subscription(OWNER, 0, abort=lambda: None)
        subscription.put(_chunk(0), live_subscription.QUEUE_BYTES)
        subscription.put(_chunk(1), 1)
        assert subscription.overflowed
        subscription.forget()

    asyncio.run(scenario())


def test_a_slow_client_hears_reset_and_the_stream_ends() -> None:
    async def scenario() -> list[bytes]:
        hub = LiveHub("postgresql://nobody@127.0.0.1:1/none")
        subscription = Subscription(OWNER, 7, abort=lambda: None)
        feed = LiveFeed(hub, subscription, owner_id=OWNER, conversation_id=None)
        for _ in range(live_subscription.QUEUE_ITEMS + 1):
            subscription.put(ChunksMayBeMissing(), 0)
        frames = [frame async for frame in feed.frames(None, reset=False)]
        hub.unsubscribe(subscription)
        return frames

    frames = asyncio.run(scenario())

    assert frames == [live_frames.opening(live_frames.Cursor(7)), live_frames.RESET]


def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_subscription, "SLOW_CLIENT_S", 0.01)

    async def scenario() -> int:
        cut: list[int] = []
        subscription = Subscription(OWNER, 0, abort=lambda: cut.append(1))
        subscription.put(_chunk(0), live_subscription.QUEUE_BYTES + 1)
        await asyncio.sleep(0.05)
        return len(cut)

    assert asyncio.run(scenario()) == 1


def test_silence_is_broken_by_pings_that_move_the_cursor_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.api.live_feed.PING_EVERY_S", 0.01)

    async def scenario() -> list[bytes]:
        hub = LiveHub("postgresql://nobody@127.0.0.1:1/none")
        feed = LiveFeed(hub, Subscription(OWNER, 7, abort=lambda: None), owner_id=OWNER, conversation_id=None)
        frames: list[bytes] = []
        async for frame in feed.frames(None, reset=False):
            frames.append(frame)
            hub.delivered = 40 + len(frames)
            if len(frames) == 3:
                return frames
        return frames

    opening, first, second = asyncio.run(scenario())

    assert opening.endswith(b"id: 7\n\n")
    assert first == b"event: ping\ndata: {}\nid: 41\n\n"
    assert second == b"event: ping\ndata: {}\nid: 42\n\n"


def test_when_a_part_of_the_hub_fails_streams_end_and_the_next_client_starts_it_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[str] = []

    async def listen(self: LiveHub) -> None:
        started.append("listen")
        await asyncio.Event().wait()

    async def deliver(self: LiveHub) -> None:
        raise RuntimeError("an unexpected row")

    monkeypatch.setattr(LiveHub, "_listen", listen)
    monkeypatch.setattr(LiveHub, "_deliver", deliver)

    async def scenario() -> bool:
        hub = LiveHub("postgresql://nobody@127.0.0.1:1/none")
        subscription = Subscription(OWNER, 0, abort=lambda: None)
        hub._subscriptions.add(subscription)
        hub._start(None)
        await asyncio.sleep(0.01)
        assert hub._tasks == []
        hub._start(None)
        await asyncio.sleep(0.01)
        return subscription.closing

    assert asyncio.run(scenario())
    assert started == ["listen", "listen"]
    assert "an unexpected row" in caplog.text


def test_a_notification_of_another_shape_is_logged_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        hub = LiveHub("postgresql://nobody@127.0.0.1:1/none")
        for payload in ("", "7", "[7]", '[{"c": [], "s": 1}]', "{", "null", '[{"s": 1}]'):
            hub._on_notification(live_hub.CHUNKS_CHANNEL, payload)
        hub._on_notification(live_hub.CHANGES_CHANNEL, "soon")

    asyncio.run(scenario())

    assert len(caplog.records) == 8
