"""Every event has a name of its own, chosen once; the aggregates have one too."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest
from eventsourcing.utils import get_topic, resolve_topic

from backend.domain import events as e
from backend.domain.audit_trail import AuditTrail
from backend.domain.conversation import Conversation
from backend.domain.model_call import ModelCall

BASES = {e.ErasedEvent, e.ConversationEvent, e.ModelCallEvent, e.ModelCallAttemptEnded, e.AuditTrailEvent}


def defined_in_the_product(base: type[e.VerbatimEvent]) -> Iterator[type[e.VerbatimEvent]]:
    """All subclasses written in backend.domain; tests define some of their own."""
    for subclass in base.__subclasses__():
        if subclass.__module__ == e.__name__:
            yield subclass
            yield from defined_in_the_product(subclass)


def test_every_event_class_has_a_topic_of_its_own() -> None:
    classes = set(defined_in_the_product(e.VerbatimEvent)) - BASES
    assert classes == {x for x in e.EVENT_CLASSES.values() if x.__module__ == e.__name__}
    for event_class in classes:
        topic = event_class.__dict__["TOPIC"]
        assert re.fullmatch(r"[A-Z][A-Za-z]+\.v[1-9][0-9]*", topic)
        assert topic.startswith(event_class.__name__ + ".")
        assert get_topic(event_class) == topic
        assert resolve_topic(topic) is event_class


def test_shared_shapes_have_no_topic_and_cannot_be_stored_under_one() -> None:
    for base in BASES:
        assert "TOPIC" not in base.__dict__
        assert base not in e.EVENT_CLASSES.values()


def test_the_aggregates_have_topics_that_survive_a_move_of_their_files() -> None:
    assert get_topic(Conversation) == "Conversation.v1"
    assert get_topic(ModelCall) == "ModelCall.v1"
    assert get_topic(AuditTrail) == "AuditTrail.v1"


def test_a_topic_that_is_taken_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"claims the topic ConversationPinned\.v1, which ConversationPinned has"
    ):
        type("Intruder", (e.ConversationEvent,), {"TOPIC": "ConversationPinned.v1"})
    assert e.EVENT_CLASSES["ConversationPinned.v1"] is e.ConversationPinned


@pytest.mark.parametrize("topic", sorted(e.EVENT_CLASSES))
def test_every_event_carries_the_envelope_and_is_immutable(topic: str) -> None:
    event_class = e.EVENT_CLASSES[topic]
    names = {field.name for field in dataclasses.fields(event_class)}
    assert names >= {"event_id", "timestamp", "actor", "correlation_id", "causation_id"}
    event = object.__new__(event_class)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.actor = "somebody else"
