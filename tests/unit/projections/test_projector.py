"""How projectors find the method for an event, and what they make of texts no table can keep."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from backend.application.ports import RecordedEvent
from backend.domain import events as e
from projections.projector import Projector, event_kind, storable, storable_json
from projections.registry import PROJECTORS, UnknownReadModel, projector_named, read_model_names


class Noting(Projector):
    """Notes what it is given, in order."""

    name = "noting"
    tables = ()

    def load(self, batch: object) -> None:
        self.noted: list[str] = []

    def save(self) -> None:
        self.noted.append("saved")

    def on_conversation_renamed(self, event: e.ConversationRenamed, position: int) -> None:
        self.noted.append(f"renamed to {event.title} at {position}")

    def on_model_call_event(self, event: e.ModelCallEvent, position: int) -> None:
        self.noted.append(f"{event_kind(type(event))} at {position}")

    def on_model_call_attempt_ended(self, event: e.ModelCallAttemptEnded, position: int) -> None:
        self.noted.append(f"ended at {position}")


NOW = datetime.now(UTC)


def recorded(position: int, event_class: type[e.VerbatimEvent], **fields: object) -> RecordedEvent:
    event = object.__new__(event_class)
    event.__dict__.update({"originator_id": UUID(int=1), "originator_version": position, **fields})
    return RecordedEvent(position, event, event.TOPIC)


def test_each_event_goes_to_the_method_of_its_closest_class_and_unknown_ones_to_none() -> None:
    noting = Noting(NOW)

    noting.apply(
        [
            recorded(3, e.ConversationPinned),
            recorded(4, e.ConversationRenamed, title="Ostsee"),
            recorded(5, e.ModelCallStarted),
            recorded(6, e.ModelCallInterrupted),
        ]
    )

    assert noting.noted == ["renamed to Ostsee at 4", "model_call_started at 5", "ended at 6", "saved"]


def test_a_projector_knows_which_events_concern_it() -> None:
    assert Noting.concerns(recorded(1, e.ModelCallCompleted).event)
    assert not Noting.concerns(recorded(1, e.ConversationPinned).event)


def test_a_method_for_an_event_that_does_not_exist_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Misspelt\.on_conversation_renammed names no event"):

        class Misspelt(Projector):
            def on_conversation_renammed(self, event: e.ConversationRenamed, position: int) -> None:
                """Never called."""


def test_live_changes_concern_every_event() -> None:
    for event_class in e.EVENT_CLASSES.values():
        assert projector_named("live_changes").concerns(object.__new__(event_class)), event_class.TOPIC


@pytest.mark.parametrize(
    ("event_class", "kind"),
    [(e.ReplyRecorded, "reply_recorded"), (e.ModelCallCancelRequested, "model_call_cancel_requested")],
)
def test_kinds_are_the_names_of_events_in_snake_case(event_class: type, kind: str) -> None:
    assert event_kind(event_class) == kind


def test_texts_no_table_can_keep_get_the_replacement_character() -> None:
    assert storable("a\x00b\ud800c🙂") == "a\ufffdb\ufffdc🙂"
    assert storable_json({"k\x00": ["\x00", 1, None, True, {"x": "y\x00"}]}) == {
        "k\ufffd": ["\ufffd", 1, None, True, {"x": "y\ufffd"}]
    }


def test_the_registry_has_one_projector_for_each_name_and_no_table_twice() -> None:
    assert read_model_names() == (
        "conversation_list",
        "transcript",
        "model_calls",
        "replays",
        "audit_reads",
        "live_changes",
        "search",
    )
    tables = [table for projector in PROJECTORS for table in projector.tables]
    assert len(tables) == len(set(tables))
    assert all(table._meta.db_table.startswith("read_") for table in tables)
    unknown = str(uuid4())
    with pytest.raises(UnknownReadModel, match=unknown):
        projector_named(unknown)
