"""Decides which models are in memory: who asks first is served first, and nobody's reply is cut for long.

A model that is not in memory is loaded when it is asked for; whoever asked is told to come again. When there is no
room, the model that was used least recently makes way:
- not before it was kept for a while, and has served whoever asked for it, or waited long enough for them: two
  people who want different models would otherwise only ever see them being loaded;
- from then on it takes no new requests, ends those it has, and is ended itself when they take too long.

Starts engines through a function it is given, and knows nothing about HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from backend.model_runner.builtin.errors import CannotLoad, StillLoading
from backend.model_runner.builtin.files import ModelFile


@dataclass(frozen=True)
class Patience:
    """In seconds. A client that was told to come again may take half a minute, so longer than that is waited."""

    keep: float = 5.0  # a model stays at least so long
    reserve: float = 35.0  # …and so long while whoever asked for it has not come back
    drain: float = 60.0  # replies that a model still writes when another's turn has come
    want: float = 45.0  # a model that nobody asked for again is not loaded any more
    failure: float = 30.0  # a file that could not be loaded is not tried again sooner, unless it changes


class RunningEngine(Protocol):
    """What is needed of an engine."""

    @property
    def port(self) -> int: ...

    @property
    def is_running(self) -> bool: ...

    async def end(self) -> None: ...


StartEngine = Callable[[ModelFile, Callable[[], None]], Awaitable[RunningEngine]]


@dataclass
class _Held:
    """A model in memory, or on its way there."""

    model: ModelFile
    engine: RunningEngine | None = None  # None while it loads
    is_owed: bool = False  # whoever asked for it has not come back yet
    loaded_at: float = 0.0
    used_at: float = 0.0
    is_leaving: bool = False
    in_use: int = 0
    unused: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class _Failure:
    contents: tuple[str, int, int]
    reason: str
    at: float


@dataclass
class _Want:
    model: ModelFile
    asked_at: float


class Models:
    """The models in memory. Belongs to one event loop; `run` must be running for anything to be loaded on demand."""

    def __init__(self, start: StartEngine, room: int, patience: Patience | None = None) -> None:
        """room: how many models may be in memory at the same time."""
        self._start = start
        self._room = room
        self._patience = patience or Patience()
        self._held: dict[str, _Held] = {}
        self._wanted: dict[str, _Want] = {}  # in the order they were first asked for
        self._failures: dict[str, _Failure] = {}
        self._changed = asyncio.Event()

    # ---- for requests -----------------------------------------------------------------------

    @contextlib.contextmanager
    def using(self, model: ModelFile) -> Iterator[int]:
        """The port of the model's engine, which is not ended meanwhile if that can be avoided.

        Raises StillLoading where it is not in memory: it will be, unless CannotLoad tells that it cannot.
        """
        held = self._held.get(model.id)
        if held is None or held.is_leaving:
            self._want(model)
            raise StillLoading
        if held.engine is None:
            raise StillLoading
        if held.is_owed:
            held.is_owed = False
            self._changed.set()
        with self._kept(held) as port:
            yield port

    @contextlib.contextmanager
    def using_any(self) -> Iterator[int]:
        """The port of the engine used last, for questions that are about no model. Raises StillLoading."""
        ready = [held for held in self._held.values() if held.engine is not None and not held.is_leaving]
        if not ready:
            raise StillLoading
        with self._kept(max(ready, key=lambda held: held.used_at)) as port:
            yield port

    def is_loaded(self, model: ModelFile) -> bool:
        held = self._held.get(model.id)
        return held is not None and held.engine is not None and not held.is_leaving

    def failure_of(self, model: ModelFile) -> str | None:
        """Why this file could not be loaded when that was last tried; None after it was changed."""
        failure = self._failures.get(model.id)
        return failure.reason if failure is not None and failure.contents == model.contents else None

    # ---- running ----------------------------------------------------------------------------

    async def load(self, model: ModelFile, *, is_owed: bool = False) -> None:
        """Load a model into room that is free. Raises CannotLoad, and remembers it.

        is_owed: somebody asked for it, was told to come again, and finds it then.
        """
        held = self._held[model.id] = _Held(model, is_owed=is_owed)
        try:
            engine = await self._start(model, lambda: self._has_ended(held))
        except CannotLoad as failure:
            self._failures[model.id] = _Failure(model.contents, str(failure), self._now())
            del self._held[model.id]
            raise
        except BaseException:
            del self._held[model.id]
            raise
        self._failures.pop(model.id, None)
        held.loaded_at = held.used_at = self._now()
        held.unused.set()
        held.engine = engine
        if not engine.is_running:  # it ended before anybody could be told
            self._has_ended(held)

    async def run(self) -> None:
        """Load what is asked for, one model after the other, until cancelled."""
        while True:
            want = self._next_want()
            if want is None:
                await self._change()
                continue
            before = await self._make_room()
            del self._wanted[want.model.id]
            try:
                await self.load(want.model, is_owed=True)
            except CannotLoad:  # which is remembered for whoever asks next
                if before is not None and not self._wanted:
                    self._wanted[before.id] = _Want(before, self._now())

    async def end(self) -> None:
        """End all engines."""
        engines = [held.engine for held in self._held.values() if held.engine is not None]
        await asyncio.gather(*(engine.end() for engine in engines))

    # ---- inside -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _kept(self, held: _Held) -> Iterator[int]:
        assert held.engine is not None
        held.in_use += 1
        held.unused.clear()
        try:
            yield held.engine.port
        finally:
            held.in_use -= 1
            held.used_at = self._now()
            if held.in_use == 0:
                held.unused.set()

    def _want(self, model: ModelFile) -> None:
        failure = self._failures.get(model.id)
        if (
            failure is not None
            and failure.contents == model.contents
            and self._now() - failure.at < self._patience.failure
        ):
            raise CannotLoad(failure.reason)
        want = self._wanted.setdefault(model.id, _Want(model, 0.0))
        want.model, want.asked_at = model, self._now()
        self._changed.set()

    def _next_want(self) -> _Want | None:
        for model_id, want in list(self._wanted.items()):
            if self._now() - want.asked_at <= self._patience.want:
                return want
            del self._wanted[model_id]
        return None

    async def _make_room(self) -> ModelFile | None:
        """Wait until a model may be loaded, ending another one where there is no room: that one, or None."""
        left = None
        while len(self._held) >= self._room:
            leaving = self._first_to_leave()
            pause = self._may_leave_at(leaving) - self._now()
            if pause > 0:
                # Somebody may be served meanwhile, and it may end by itself.
                await self._change(pause)
                continue
            leaving.is_leaving = True
            await _wait(leaving.unused, self._patience.drain)
            if leaving.engine is not None:
                await leaving.engine.end()
            self._has_ended(leaving)
            left = leaving.model
        return left

    def _first_to_leave(self) -> _Held:
        """The model that can be spared first, and among those that can be spared now, best."""
        now = self._now()
        return min(
            self._held.values(),
            key=lambda held: (max(self._may_leave_at(held), now), held.in_use > 0, held.used_at),
        )

    def _may_leave_at(self, held: _Held) -> float:
        return held.loaded_at + (self._patience.reserve if held.is_owed else self._patience.keep)

    def _has_ended(self, held: _Held) -> None:
        if held.engine is not None and self._held.get(held.model.id) is held:
            del self._held[held.model.id]
            held.unused.set()
            self._changed.set()

    async def _change(self, within: float | None = None) -> None:
        """Wait until something changed, or for so many seconds."""
        self._changed.clear()
        await _wait(self._changed, within)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for the event, but no longer than so many seconds."""
    # Not wait_for: Python 3.11's swallows a cancellation that comes together with the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
