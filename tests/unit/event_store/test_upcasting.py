"""Old shapes are brought up when they are read; what lies in the store stays as it is."""

from __future__ import annotations

import json

import pytest
from eventsourcing.persistence import StoredEvent

from backend.domain.events import ConversationRenamed
from backend.event_store.codec import UnreadableEvent
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.upcasting import Payload, Upcasters
from tests.support.builders import Stamps, started_conversation


def stored(topic: str, **changes: object) -> StoredEvent:
    conversation = started_conversation()
    conversation.rename("New name", Stamps())
    event = VerbatimMapper().to_stored_event(conversation.pending_events[-1])
    payload = {**json.loads(event.state), **changes}
    payload = {name: value for name, value in payload.items() if value is not ...}
    return StoredEvent(event.originator_id, event.originator_version, topic, json.dumps(payload).encode())


def test_a_chain_of_upcasters_leads_to_the_present_shape() -> None:
    def first_to_second(payload: Payload) -> Payload:
        payload["caption"] = payload.pop("name")
        return payload

    def second_to_present(payload: Payload) -> Payload:
        payload["title"] = payload.pop("caption").title()
        return payload

    upcasters = Upcasters()
    upcasters.register("ConversationNamed.v1", "ConversationNamed.v2", first_to_second)
    upcasters.register("ConversationNamed.v2", "ConversationRenamed.v1", second_to_present)
    old = stored("ConversationNamed.v1", title=..., name="an old name")

    event = VerbatimMapper(upcasters).to_domain_event(old)

    assert isinstance(event, ConversationRenamed)
    assert event.title == "An Old Name"


def test_an_old_topic_has_one_upcaster() -> None:
    upcasters = Upcasters()
    upcasters.register("A.v1", "A.v2", lambda payload: payload)
    with pytest.raises(ValueError, match=r"A\.v1 has an upcaster already, to A\.v2"):
        upcasters.register("A.v1", "A.v3", lambda payload: payload)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": ...}, "lacks title"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"event_id": "not an id"}, "is not a UUID"),
        ({"at": "yesterday"}, "Invalid isoformat"),
    ],
)
def test_what_does_not_fit_is_named_and_never_guessed(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UnreadableEvent, match=words):
        VerbatimMapper().to_domain_event(stored("ConversationRenamed.v1", **changes))


def test_bytes_that_are_no_json_are_named() -> None:
    broken = stored("ConversationRenamed.v1")
    with pytest.raises(UnreadableEvent, match="Event 4 of stream"):
        VerbatimMapper().to_domain_event(StoredEvent(broken.originator_id, 4, broken.topic, b"{"))
