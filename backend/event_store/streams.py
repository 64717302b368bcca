"""What any store does once it can read one stream's events: follow a fork chain, tell a call from a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from backend.application.erased import erased_conversation
from backend.domain.errors import ModelCallIsErased, UnknownConversation, UnknownModelCall
from backend.domain.events import ConversationStarted, ErasedEvent, VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.prompting.build import StreamSlice

ReadEvents = Callable[[UUID, int | None], Sequence[VerbatimEvent]]
"""The events of one stream in ascending versions, up to a version or to the end; none for an unknown one."""


def history_of(
    read_events: ReadEvents, conversation_id: UUID, up_to_version: int | None
) -> tuple[StreamSlice, ...]:
    """A conversation's fork chain, root first. Raises UnknownConversation, ConversationIsErased."""
    slices: list[StreamSlice] = []
    stream_id, version = conversation_id, up_to_version
    while True:
        events = read_events(stream_id, version)
        if events and isinstance(events[0], ErasedEvent):
            # Up to a version, the event that says whose it was may not be among them.
            raise erased_conversation(stream_id, events if version is None else read_events(stream_id, None))
        if not events or not isinstance(events[0], ConversationStarted):
            raise UnknownConversation(stream_id)
        slices.append(StreamSlice(stream_id, events))
        origin = events[0].forked_from
        if origin is None:
            return tuple(reversed(slices))
        stream_id, version = origin.conversation_id, origin.version


def call_of(read_events: ReadEvents, call_id: UUID) -> ModelCall:
    """A model call from its stream. Raises UnknownModelCall, also for a conversation's id, and ModelCallIsErased."""
    events = read_events(call_id, None)
    if events and isinstance(events[0], ErasedEvent):
        if events[0].topic.startswith("ModelCall"):
            raise ModelCallIsErased(call_id)
        raise UnknownModelCall(call_id)
    call = None if events and isinstance(events[0], ConversationStarted) else ModelCall.from_events(events)
    if call is None:
        raise UnknownModelCall(call_id)
    return call
