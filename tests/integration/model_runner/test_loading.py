"""Who is served first when several models want the same room, and what happens when an engine ends or a file is broken.

Engines are stand-ins here; the real ones are in tests/integration/embedded/test_builtin_runner.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from backend.model_runner.builtin.errors import CannotLoad, StillLoading
from backend.model_runner.builtin.files import ModelFile
from backend.model_runner.builtin.loading import Models, Patience

pytestmark = pytest.mark.asyncio

SHORT = Patience(keep=0.1, reserve=0.4, drain=0.3, want=1.0, failure=0.3)


def model(name: str) -> ModelFile:
    return ModelFile(name, Path(f"/models/{name}.gguf"), 1, 1)


A, B, C = model("a"), model("b"), model("c")


class FakeEngine:
    def __init__(self, name: str, port: int, on_end: Callable[[], None]) -> None:
        self.name = name
        self.port = port
        self.is_running = True
        self._on_end = on_end

    async def end(self) -> None:
        self.die()

    def die(self) -> None:
        if self.is_running:
            self.is_running = False
            asyncio.get_running_loop().call_soon(self._on_end)


class World:
    """Models with stand-ins for engines; `log` tells what was started and ended, in order."""

    def __init__(self, room: int, patience: Patience) -> None:
        self.engines: dict[str, FakeEngine] = {}
        self.started: list[str] = []
        self.broken: dict[str, str] = {}
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.models = Models(self._start, room, patience)

    async def _start(self, file: ModelFile, on_end: Callable[[], None]) -> FakeEngine:
        self.started.append(file.id)
        assert len(self.running) <= 1, "nothing is loaded before there is room"
        await self.may_load.wait()
        if file.id in self.broken:
            raise CannotLoad(self.broken[file.id])
        engine = self.engines[file.id] = FakeEngine(file.id, 1000 + len(self.started), on_end)
        return engine

    @property
    def running(self) -> list[str]:
        return sorted(name for name, engine in self.engines.items() if engine.is_running)

    def asks(self, file: ModelFile) -> str:
        """One request that is answered at once."""
        try:
            with self.models.using(file):
                return "answered"
        except StillLoading:
            return "loading"
        except CannotLoad as failure:
            return f"cannot: {failure}"

    async def keeps_asking(self, file: ModelFile, *, every: float = 0.02) -> float:
        """Ask until it is answered, as a client does that is told to come again; how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(10):
            while self.asks(file) != "answered":  # noqa: ASYNC110  a client that polls is what is played here
                await asyncio.sleep(every)
        return time.monotonic() - began


@asynccontextmanager
async def world(
    *, first: ModelFile | None = A, room: int = 1, patience: Patience = SHORT
) -> AsyncIterator[World]:
    made = World(room, patience)
    if first is not None:
        await made.models.load(first)
    running = asyncio.create_task(made.models.run())
    try:
        yield made
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.models.end()
    assert made.running == []


async def test_a_model_in_memory_answers_at_once() -> None:
    async with world() as w:
        assert w.asks(A) == "answered"
        assert w.models.is_loaded(A)
        assert not w.models.is_loaded(B)


async def test_another_model_is_loaded_when_it_is_asked_for_and_the_one_before_makes_way() -> None:
    async with world() as w:
        assert w.asks(B) == "loading"
        await w.keeps_asking(B)
        assert (w.running, w.started) == (["b"], ["a", "b"])


async def test_while_a_model_loads_whoever_asks_for_it_comes_again() -> None:
    async with world(first=None) as w:
        w.may_load.clear()
        for _ in range(3):
            assert w.asks(B) == "loading"
            await asyncio.sleep(0.02)
        w.may_load.set()
        await w.keeps_asking(B)
        assert w.started == ["b"], "it is loaded once, however often it is asked for"


async def test_a_model_stays_for_a_while_before_it_makes_way() -> None:
    async with world(patience=replace(SHORT, keep=0.5)) as w:
        assert await w.keeps_asking(B) >= 0.4


async def test_replies_in_flight_end_before_their_model_does() -> None:
    async with world(patience=replace(SHORT, drain=5.0)) as w:
        with w.models.using(A):
            for _ in range(10):
                assert w.asks(B) == "loading"
                await asyncio.sleep(0.03)
            assert w.running == ["a"]
            assert w.asks(A) == "loading", "its turn is over: it takes nothing new"
        await w.keeps_asking(B)


async def test_a_reply_that_takes_too_long_does_not_keep_others_out_for_ever() -> None:
    async with world() as w:
        with w.models.using(A):
            took = await w.keeps_asking(B)
            assert 0.3 <= took < 3
            assert w.running == ["b"]


async def test_who_asks_first_is_served_first() -> None:
    async with world() as w:
        assert [w.asks(B), w.asks(C)] == ["loading", "loading"]
        await asyncio.gather(w.keeps_asking(C), w.keeps_asking(B))
        assert w.started == ["a", "b", "c"]


async def test_two_who_want_different_models_and_come_again_seldom_are_both_served() -> None:
    async with world() as w:
        # Both come again at longer intervals than a model is kept for: without a reserve, each would only ever find
        # the other's model.
        await asyncio.gather(w.keeps_asking(B, every=0.3), w.keeps_asking(C, every=0.3))
        assert sorted(w.started[1:3]) == ["b", "c"]


async def test_a_model_that_nobody_came_back_for_makes_way_in_the_end() -> None:
    async with world() as w:
        w.asks(B)
        await asyncio.sleep(0.25)
        assert w.running == ["b"]
        assert 0.2 <= await w.keeps_asking(A) < 3


async def test_a_wish_that_is_not_repeated_is_forgotten() -> None:
    async with world(patience=replace(SHORT, drain=5.0, want=0.2)) as w:
        with w.models.using(A):
            w.asks(B)
            await asyncio.sleep(0.15)
            w.asks(C)  # waits behind B, and is not repeated
            await asyncio.sleep(0.3)
        await w.keeps_asking(B)
        await asyncio.sleep(0.3)
        assert w.started == ["a", "b"]


async def test_with_room_for_two_the_one_used_least_recently_makes_way() -> None:
    async with world(room=2) as w:
        await w.keeps_asking(B)
        assert w.running == ["a", "b"]
        await asyncio.sleep(0.15)
        assert w.asks(A) == "answered"
        await w.keeps_asking(C)
        assert w.running == ["a", "c"]


async def test_with_room_for_two_one_that_writes_a_reply_is_spared() -> None:
    async with world(room=2) as w:
        await w.keeps_asking(B)
        with w.models.using(A):
            await asyncio.sleep(0.15)
            assert w.asks(B) == "answered", "so that A is the one used least recently"
            await w.keeps_asking(C)
            assert w.running == ["a", "c"]


async def test_an_engine_that_died_is_started_again_with_the_next_request() -> None:
    async with world() as w:
        w.engines["a"].die()
        await asyncio.sleep(0.02)
        assert not w.models.is_loaded(A)
        assert w.started == ["a"]
        assert w.asks(A) == "loading"
        assert await w.keeps_asking(A) < 0.3, "there is room, so nothing is waited for"
        assert w.started == ["a", "a"]


async def test_an_engine_that_dies_in_use_makes_no_trouble() -> None:
    async with world() as w:
        with w.models.using(A):
            w.engines["a"].die()
            await asyncio.sleep(0.02)
            await w.keeps_asking(B)
        assert w.asks(B) == "answered"


async def test_an_engine_that_dies_while_another_waits_for_its_room_gives_it_at_once() -> None:
    async with world(patience=replace(SHORT, keep=5.0)) as w:
        w.asks(B)
        await asyncio.sleep(0.02)
        w.engines["a"].die()
        assert await w.keeps_asking(B) < 1


async def test_a_file_that_cannot_be_loaded_is_not_tried_again_at_once() -> None:
    async with world(first=None) as w:
        w.broken["b"] = "it is truncated"
        assert w.asks(B) == "loading"
        await asyncio.sleep(0.05)
        assert [w.asks(B) for _ in range(3)] == ["cannot: it is truncated"] * 3
        assert w.models.failure_of(B) == "it is truncated"
        assert w.started == ["b"]
        await asyncio.sleep(0.35)
        assert w.asks(B) == "loading", "after a while it is worth another try"
        await asyncio.sleep(0.05)
        assert w.started == ["b", "b"]


async def test_a_file_that_was_changed_is_tried_again_at_once() -> None:
    async with world(first=None) as w:
        w.broken["b"] = "it is truncated"
        w.asks(B)
        await asyncio.sleep(0.05)
        whole = replace(B, size_bytes=2)
        assert w.models.failure_of(whole) is None
        del w.broken["b"]
        assert w.asks(whole) == "loading"
        await w.keeps_asking(whole)
        assert w.models.failure_of(B) is None


async def test_after_a_file_that_cannot_be_loaded_the_model_before_it_comes_back() -> None:
    async with world() as w:
        w.broken["b"] = "it is truncated"
        w.asks(B)
        await asyncio.sleep(0.3)
        assert w.asks(B) == "cannot: it is truncated"
        assert w.asks(A) == "answered"
        assert w.started == ["a", "b", "a"]


async def test_a_question_about_no_model_goes_to_the_one_used_last_and_loads_nothing() -> None:
    async with world(room=2) as w:
        await w.keeps_asking(B)
        with w.models.using_any() as port:
            assert port == w.engines["b"].port
        w.engines["a"].die()
        w.engines["b"].die()
        await asyncio.sleep(0.02)
        with pytest.raises(StillLoading), w.models.using_any():
            raise AssertionError("there is no model to ask")
        assert w.started == ["a", "b"]
