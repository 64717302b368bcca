"""What all projectors share: a batch of events in, changed rows out, nothing else.

A projector loads the rows that a batch needs, changes them in memory event by event, and writes them
at once. It opens no transaction and knows no positions table: the worker and rebuilds own both.
Applying an event again must change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models

from backend.application.ports import RecordedEvent
from backend.domain import events as e

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_Handler = Callable[[Any, int], None]
_Row = TypeVar("_Row", bound=models.Model)


@cache
def event_kind(event_class: type) -> str:
    """An event's name as live changes and `on_` methods spell it: ReplyRecorded is `reply_recorded`."""
    return _WORD_START.sub("_", event_class.__name__).lower()


class Projector:
    """Base of all projectors; one instance takes one batch.

    Subclasses define `on_<event's name>(event, position)` for the events, or families of events, they
    know; the closest class of an event wins. Events without such a method are none of their business.
    Erased events never come; `on_conversation_erased` comes after everything else of its batch is written,
    and deletes rows where they are.
    """

    name: ClassVar[str]
    tables: ClassVar[tuple[type[models.Model], ...]]
    channel: ClassVar[str | None] = None
    """Where to announce the new position after each batch that held an event of this read model."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        known = {event_kind(base) for known in e.EVENT_CLASSES.values() for base in known.__mro__}
        for method in vars(cls):
            if method.startswith("on_") and method.removeprefix("on_") not in known:
                raise TypeError(
                    f"{cls.__name__}.{method} names no event. Its name must be on_ and an event's name."
                )

    def apply(self, batch: Sequence[RecordedEvent]) -> None:
        """Bring the tables from before the batch to after it. Positions ascend within a batch."""
        # One look at the store sees an erasure and all that it erased, or neither.
        erasures = [recorded for recorded in batch if isinstance(recorded.event, e.ConversationErased)]
        if left := [r for r in batch if not isinstance(r.event, e.ConversationErased | e.ErasedEvent)]:
            self.load(left)
            for recorded in left:
                self.take(recorded.event, recorded.position)
            self.save()
        for recorded in erasures:
            self.dispatch(recorded.event, recorded.position)

    def load(self, batch: Sequence[RecordedEvent]) -> None:
        """Read the rows that the batch's events will change or ask about."""
        raise NotImplementedError

    def take(self, event: e.VerbatimEvent, position: int) -> None:
        """Let one event change the loaded rows. Overridden where repeats must be told apart."""
        self.dispatch(event, position)

    def save(self) -> None:
        """Write what has changed."""
        raise NotImplementedError

    def dispatch(self, event: e.VerbatimEvent, position: int) -> None:
        handler = self._handler_of(type(event))
        if handler is not None:
            handler(event, position)

    @classmethod
    def concerns(cls, event: e.VerbatimEvent) -> bool:
        """Whether this read model has a method for the event."""
        return _method_name(cls, type(event)) is not None

    @classmethod
    def tidy(cls, now: datetime) -> None:
        """Delete rows that are kept for a limited time only. Called now and then, fenced like a batch."""

    def _handler_of(self, event_class: type) -> _Handler | None:
        name = _method_name(type(self), event_class)
        return None if name is None else getattr(self, name)


_METHOD_NAMES: dict[tuple[type, type], str | None] = {}


def _method_name(projector: type[Projector], event_class: type) -> str | None:
    key = (projector, event_class)
    if key not in _METHOD_NAMES:
        names = (f"on_{event_kind(base)}" for base in event_class.__mro__)
        _METHOD_NAMES[key] = next((name for name in names if hasattr(projector, name)), None)
    return _METHOD_NAMES[key]


class MissingRow(LookupError):
    """An event speaks of something that no earlier event has made."""

    def __init__(self, kind: str, wanted: UUID, event: e.VerbatimEvent) -> None:
        super().__init__(
            f"{type(event).__name__} (version {event.originator_version} of stream {event.originator_id}) needs the "
            f"{kind} {wanted}, which no event before it has made."
        )


def stream_ids(batch: Iterable[RecordedEvent], family: type[e.VerbatimEvent]) -> set[UUID]:
    """The streams of those events of the batch that belong to `family`."""
    return {recorded.event.originator_id for recorded in batch if isinstance(recorded.event, family)}


def upsert(table: type[_Row], rows: Collection[_Row]) -> None:
    """Write the rows as they stand, new or not, in one statement for a few hundred of them."""
    if not rows:
        return
    key = table._meta.pk.name
    others = [field.name for field in table._meta.concrete_fields if field.name != key]
    table._default_manager.bulk_create(
        rows, update_conflicts=True, unique_fields=[key], update_fields=others, batch_size=500
    )


def storable(text: str) -> str:
    """The text as PostgreSQL can keep it: a model may write NUL, and what cannot be kept must not stop us.

    The event keeps the text as it was; only what a screen shows has the replacement character instead.
    """
    return _UNSTORABLE.sub(REPLACEMENT, text)


def storable_json(value: Any) -> Any:
    """As `storable`, for every text inside a JSON value."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(item) for key, item in value.items()}
    return value
