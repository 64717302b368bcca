"""Events to stored rows and back: the same bytes for ever, and clear words where that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import events as e
from backend.event_store.codec import UnreadableEvent
from backend.event_store.mapper import VerbatimMapper
from backend.event_store.upcasting import UPCASTERS, Upcasters
from tests.support.facts import CONVERSATION, OWNER, as_events, fact, fact_of, message_id
from tests.support.histories import user_said

RENAMED = fact(e.ConversationRenamed, title="Tea")


def stored(event: e.VerbatimEvent, *, mapper: VerbatimMapper | None = None) -> StoredEvent:
    return (mapper or VerbatimMapper()).to_stored_event(event)


def changed(original: StoredEvent, topic: str | None = None, **payload: Any) -> StoredEvent:
    """The stored event with other fields; a field given as ... is taken out."""
    fields = {**json.loads(original.state), **payload}
    state = json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()
    return StoredEvent(
        originator_id=original.originator_id,
        originator_version=original.originator_version,
        topic=topic or original.topic,
        state=state,
    )


def test_an_event_is_stored_as_compact_json_with_its_envelope_first() -> None:
    event = as_events(CONVERSATION, [RENAMED], first_version=4)[0]
    found = stored(event)
    assert (found.originator_id, found.originator_version, found.topic) == (
        CONVERSATION,
        4,
        "ConversationRenamed.v1",
    )
    assert found.state.decode() == (
        '{"at":"2026-01-02T03:04:05.678901Z","event_id":"0e000000-0000-4000-8000-000000000001",'
        f'"actor":"user:{OWNER}","correlation_id":"c0220000-0000-4000-8000-000000000001","causation_id":null,'
        '"title":"Tea"}'
    )


def test_text_is_stored_as_utf_8_and_not_as_escapes() -> None:
    event = as_events(CONVERSATION, [user_said(1, "שלום 😀 \x01")])[0]
    state = stored(event).state
    assert "שלום 😀 \\u0001".encode() in state
    assert VerbatimMapper().to_domain_event(stored(event)) == event


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    event = as_events(CONVERSATION, [user_said(1, text)])[0]
    again = VerbatimMapper().to_domain_event(stored(event))
    assert again == event
    assert stored(again) == stored(event)


def test_half_of_a_character_cannot_be_stored() -> None:
    with pytest.raises(UnicodeEncodeError):
        stored(as_events(CONVERSATION, [user_said(1, "\ud83d")])[0])


def test_a_float_cannot_be_stored() -> None:
    event = as_events(CONVERSATION, [fact(e.ModelSettingsChanged, model="m", params={"temperature": 0.5})])[0]
    with pytest.raises(TypeError, match="float cannot be stored in an event"):
        stored(event)


def test_only_our_own_events_are_stored() -> None:
    with pytest.raises(TypeError, match="object is not one of our events"):
        VerbatimMapper().to_stored_event(object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda s: changed(s, topic="NobodyKnows.v1"), "NobodyKnows"),
        (lambda s: changed(s, title=...), "ConversationRenamed lacks title"),
        (lambda s: changed(s, colour="red"), "has no field 'colour'"),
        (lambda s: changed(s, event_id="not an id"), "is not a UUID"),
        (lambda s: changed(s, at="yesterday"), "yesterday"),
        (lambda s: StoredEvent(s.originator_id, s.originator_version, s.topic, b"{"), "Expecting"),
        (lambda s: StoredEvent(s.originator_id, s.originator_version, s.topic, b"\xff"), "utf-8"),
        (lambda s: changed(s, topic="Conversation.v1"), "Conversation"),
    ],
    ids=[
        "unknown topic",
        "missing field",
        "unknown field",
        "bad id",
        "bad time",
        "cut",
        "no utf-8",
        "no event",
    ],
)
def test_an_event_that_cannot_be_read_is_named_with_its_stream_and_version(
    damage: Callable[[StoredEvent], StoredEvent], words: str
) -> None:
    original = stored(as_events(CONVERSATION, [RENAMED], first_version=17)[0])
    with pytest.raises(UnreadableEvent, match=words) as caught:
        VerbatimMapper().to_domain_event(damage(original))
    assert f"Event 17 of stream {CONVERSATION}" in str(caught.value)


@pytest.mark.parametrize("state", [b"[]", b'"text"', b"7", b"null"])
def test_stored_json_that_is_no_object_is_named_too(state: bytes) -> None:
    with pytest.raises(UnreadableEvent, match=f"Event 3 of stream {CONVERSATION}"):
        VerbatimMapper().to_domain_event(StoredEvent(CONVERSATION, 3, "ConversationPinned.v1", state))


# ---- upcasting ------------------------------------------------------------------------------


def replaced(payload: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in payload.items()}


def test_the_stored_bytes_of_an_old_shape_are_left_alone() -> None:
    upcasters = Upcasters()
    upcasters.register(
        "ConversationNamed.v1", "ConversationRenamed.v1", lambda p: replaced(p, "name", "title")
    )
    event = as_events(CONVERSATION, [RENAMED])[0]
    old = changed(stored(event), topic="ConversationNamed.v1", title=..., name="Tea")
    before = bytes(old.state)
    read = VerbatimMapper(upcasters).to_domain_event(old)
    assert fact_of(read) == RENAMED
    assert (old.state, old.topic) == (before, "ConversationNamed.v1")
    assert stored(read).topic == "ConversationRenamed.v1", "what is written is always the present shape"


def test_without_its_upcaster_an_old_shape_is_named() -> None:
    old = changed(stored(as_events(CONVERSATION, [RENAMED])[0]), topic="ConversationNamed.v1")
    with pytest.raises(UnreadableEvent, match="ConversationNamed"):
        VerbatimMapper(Upcasters()).to_domain_event(old)


def test_an_upcaster_that_fails_is_named_with_stream_and_version() -> None:
    upcasters = Upcasters()
    upcasters.register("ConversationNamed.v1", "ConversationRenamed.v1", lambda p: {"title": p["nothing"]})
    old = changed(stored(as_events(CONVERSATION, [RENAMED])[0]), topic="ConversationNamed.v1")
    with pytest.raises(UnreadableEvent, match=f"Event 1 of stream {CONVERSATION}"):
        VerbatimMapper(upcasters).to_domain_event(old)


def test_the_products_own_upcasters_lead_to_events_that_exist() -> None:
    for topic in UPCASTERS._by_topic:
        assert topic not in e.EVENT_CLASSES, "an event in its present shape needs no upcaster"
        assert UPCASTERS._by_topic[topic].new_topic in {*e.EVENT_CLASSES, *UPCASTERS._by_topic}


def test_ids_of_streams_may_arrive_as_texts() -> None:
    event = as_events(CONVERSATION, [user_said(1, "Hi")])[0]
    row = stored(event)
    found = VerbatimMapper().to_domain_event(
        StoredEvent(str(CONVERSATION), row.originator_version, row.topic, row.state)
    )
    assert found == event
    assert isinstance(found, e.UserMessageSent)
    assert found.message_id == message_id(1)
