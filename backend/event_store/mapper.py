"""Between event objects and stored rows: topic, canonical field names, plain JSON.

Takes the place of the library's mapper, whose transcoding wraps every id and time in an object.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import TopicError, get_topic, resolve_topic

from backend.audit.leaves import erased_sha256
from backend.domain import audit_trail, conversation, events, model_call
from backend.domain.events import ErasedEvent, VerbatimEvent
from backend.event_store.codec import Reviver, UnreadableEvent, revivers_of, to_plain
from backend.event_store.upcasting import UPCASTERS, Upcasters

# Imported so that every topic is registered before the first stored event is read.
REGISTERED = (
    conversation.Conversation,
    model_call.ModelCall,
    audit_trail.AuditTrail,
    events.VerbatimEvent,
)

# The library's `timestamp` is stored, like everywhere else in the product, as `at`.
STORED_NAMES = {"timestamp": "at"}
_IN_COLUMNS = frozenset({"originator_id", "originator_version"})


def encode_payload(event: VerbatimEvent) -> bytes:
    """The stored bytes of an event: compact JSON in UTF-8, fields in the order of their declaration."""
    payload = {
        STORED_NAMES.get(name, name): to_plain(getattr(event, name))
        for name in revivers_of(type(event))
        if name not in _IN_COLUMNS
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def decode_payload(state: bytes) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(state.decode("utf-8"))
    return payload


@cache
def _revivers_by_stored_name(event_class: type) -> dict[str, tuple[str, Reviver]]:
    """For each field as it is called in a payload: its attribute, and what makes its value."""
    return {
        STORED_NAMES.get(name, name): (name, make)
        for name, make in revivers_of(event_class).items()
        if name not in _IN_COLUMNS
    }


def _refuse(event_class: type, payload: dict[str, Any]) -> None:
    """Raises UnreadableEvent, naming the fields that are missing or unknown."""
    known = _revivers_by_stored_name(event_class).keys()
    unknown, missing = sorted(payload.keys() - known), sorted(known - payload.keys())
    if unknown:
        raise UnreadableEvent(
            f"{event_class.__name__} has no field {unknown[0]!r}; an upcaster is missing for it."
        )
    raise UnreadableEvent(f"{event_class.__name__} lacks {', '.join(missing)}.")


class VerbatimMapper(Mapper[UUID]):
    """The mapper of all our streams."""

    def __init__(self, upcasters: Upcasters = UPCASTERS) -> None:
        super().__init__(transcoder=JSONTranscoder())
        self._upcasters = upcasters

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        if not isinstance(domain_event, VerbatimEvent):
            raise TypeError(f"{type(domain_event).__name__} is not one of our events and cannot be stored.")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=get_topic(type(domain_event)),
            state=encode_payload(domain_event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> VerbatimEvent:
        """An ErasedEvent where the payload was erased.

        Raises UnreadableEvent, naming stream and version, where the stored event cannot be read.
        """
        erased = erased_sha256(stored_event.state)
        if erased is not None:
            return _erased(stored_event, erased)
        try:
            stored_payload = decode_payload(stored_event.state)
            if not isinstance(stored_payload, dict):
                raise UnreadableEvent("the stored JSON is not an object.")
            topic, payload = self._upcasters.upcast(stored_event.topic, stored_payload)
            event_class = resolve_topic(topic)
            revivers = _revivers_by_stored_name(event_class)
            if payload.keys() != revivers.keys():
                _refuse(event_class, payload)
            state = {name: make(payload[stored]) for stored, (name, make) in revivers.items()}
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError, TopicError) as error:
            raise UnreadableEvent(
                f"Event {stored_event.originator_version} of stream {stored_event.originator_id} "
                f"({stored_event.topic}) cannot be read: {error}"
            ) from error
        event = _made(event_class, stored_event, state)
        if not isinstance(event, VerbatimEvent):
            raise UnreadableEvent(
                f"The topic {stored_event.topic} names {event_class!r}, which is not an event."
            )
        return event


def _erased(stored_event: StoredEvent, sha256: str) -> ErasedEvent:
    event = _made(ErasedEvent, stored_event, {"topic": stored_event.topic, "sha256": sha256})
    assert isinstance(event, ErasedEvent)
    return event


def _made(event_class: type, stored_event: StoredEvent, state: dict[str, Any]) -> object:
    """An event with these fields, as it is: nothing is checked or filled in on the way back."""
    stream_id = stored_event.originator_id
    state["originator_id"] = stream_id if isinstance(stream_id, UUID) else UUID(stream_id)
    state["originator_version"] = stored_event.originator_version
    event: object = object.__new__(event_class)
    event.__dict__.update(state)
    return event
