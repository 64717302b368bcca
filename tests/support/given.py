"""Given / when / then for aggregates: what happened before, what is asked, what happens or is refused.

    given_conversation(*EMPTY).when(lambda c, stamp: c.rename("Tea", stamp)).then(
        fact(e.ConversationRenamed, title="Tea")
    )

No store, no mock: an aggregate is made from its past events and asked, and what it triggers is compared whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import pytest

from backend.domain.audit_trail import AuditTrail, trail_id
from backend.domain.conversation import Conversation
from backend.domain.envelope import Stamp
from backend.domain.errors import DomainError
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import ModelCall
from tests.support.facts import BEGINNING, CALL, CONVERSATION, OWNER, Fact, as_events, fact_of, stamper

A = TypeVar("A", Conversation, ModelCall, AuditTrail)


@dataclass(frozen=True)
class Happened(Generic[A]):
    """What came of it. answer: what the aggregate's method returned."""

    aggregate: A
    answer: Any
    refusal: DomainError | None
    events: list[VerbatimEvent]

    def then(self, *expected: Fact) -> Happened[A]:
        """Exactly these facts happened, in this order, with all of their fields."""
        if self.refusal is not None:
            raise AssertionError(f"refused with {self.refusal.code}: {self.refusal}") from self.refusal
        assert [fact_of(event) for event in self.events] == list(expected)
        return self

    def then_nothing(self) -> Happened[A]:
        """It was accepted, and nothing happened."""
        return self.then()

    def then_refused(self, kind: type[DomainError], *, field: str | None = None) -> DomainError:
        """It was refused in this way, and nothing happened."""
        assert type(self.refusal) is kind, f"expected {kind.__name__}, found {self.refusal!r}"
        assert self.events == []
        assert list(self.refusal.fields) == ([field] if field else [])
        return self.refusal


class Given(Generic[A]):
    """An aggregate with a past."""

    def __init__(self, aggregate_class: type[A], stream_id: UUID, past: Sequence[Fact]) -> None:
        self._class: type[A] = aggregate_class
        self.past = as_events(stream_id, past, stamp=stamper("user:before"))

    @property
    def aggregate(self) -> A:
        """The aggregate made anew from its past."""
        found = self._class.from_events(self.past)
        assert found is not None, "these facts do not make an aggregate"
        return found

    def when(self, act: Callable[[A, Stamp], object]) -> Happened[A]:
        """Ask for something. The aggregate must come out the same when it is made again from all events."""
        aggregate = self.aggregate
        answer: object = None
        refusal: DomainError | None = None
        try:
            answer = act(aggregate, stamper())
        except DomainError as error:
            refusal = error
        events: list[VerbatimEvent] = [
            event for event in aggregate.collect_events() if isinstance(event, VerbatimEvent)
        ]
        again = self._class.from_events([*self.past, *events])
        assert again == aggregate, "the aggregate and the one made again from its events differ"
        return Happened(aggregate, answer, refusal, events)


def given_conversation(*past: Fact) -> Given[Conversation]:
    return Given(Conversation, CONVERSATION, past)


def given_call(*past: Fact) -> Given[ModelCall]:
    return Given(ModelCall, CALL, past)


def given_trail(*past: Fact) -> Given[AuditTrail]:
    return Given(AuditTrail, trail_id(OWNER, BEGINNING.date()), past)


def refusal_of(
    act: Callable[[], object], kind: type[DomainError], *, field: str | None = None
) -> DomainError:
    """The refusal that `act` must end in; its text must be something a person can act on."""
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    assert list(caught.value.fields) == ([field] if field else [])
    assert str(caught.value).endswith(".")
    return caught.value
