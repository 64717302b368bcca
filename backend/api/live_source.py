"""What the live stream reads from the database, as plain blocking functions.

Called from the hub's few threads only, never from the event loop and never from a request: so that
forty open streams need no more connections than one. Reads; never writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import psycopg
from django.contrib.auth import get_user_model
from django.db import connection

from backend import bootstrap
from backend.api.live_frames import call_state, frame_body, is_about_call
from backend.api.output_serializers import ConversationRowOutput, TranscriptRowOutput
from backend.domain.errors import UnknownModelCall
from backend.model_calls.queue import Place, read_places
from backend.model_calls.stored_chunks import StoredChunk, read_chunks_after
from projections import tracking
from projections.conversation_list import queries as conversation_list
from projections.live_changes import queries as live_changes
from projections.transcript import queries as transcript

_FOLLOWED: Final = frozenset(
    {"live_changes", "conversation_list", "transcript", "model_calls", "replays", "audit_reads"}
)
_WITH_MESSAGE: Final = frozenset(
    {"user_message_sent", "message_imported", "reply_requested", "reply_recorded"}
)
# Of a reading its owner hears; where it is filed is our affair.
_UNTOLD: Final = frozenset({"audit_trail_opened"})
BATCH: Final = 500


@dataclass(frozen=True)
class LiveRow:
    """A change on its way to the browsers of one person. body: its frame without the id, or None.

    state: what became of a model call, for the kinds that tell. chunks: how many a call has that ended with its
    first attempt.
    """

    position: int
    owner_id: UUID
    conversation_id: UUID | None
    call_id: UUID | None
    reply_id: UUID | None
    state: str | None
    body: bytes | None
    chunks: int | None = None


@dataclass(frozen=True)
class Batch:
    """Everything up to `up_to`; `complete` when that is as far as all read models have come."""

    rows: tuple[LiveRow, ...]
    up_to: int
    complete: bool


def floor() -> int:
    """The position that every read model behind a frame has passed.

    A change is told only then: whoever hears of it and asks, or gets its rows with it, finds it done.
    """
    return min(status.position for status in tracking.statuses() if status.name in _FOLLOWED)


def changes_since(position: int, owners: frozenset[UUID]) -> Batch:
    """The next changes beyond `position` for all of `owners`, as far as they may be told."""
    limit, rows = live_changes.changes_passed_by_all(position=position, names=_FOLLOWED, limit=BATCH)
    complete = len(rows) < BATCH
    up_to = max(position, limit) if complete else rows[-1].position
    return Batch(
        _prepared([row for row in rows if row.owner_id in owners]), up_to, complete or up_to == limit
    )


def changes_between(position: int, up_to: int, owner_id: UUID) -> Batch | None:
    """A person's changes in (position, up_to], at most BATCH of them; None while they are being made anew."""
    try:
        with tracking.snapshot("live_changes") as snapshot:
            if snapshot.position < up_to:
                return None
            rows = live_changes.changes_after(position=position, owner_id=owner_id, limit=BATCH)
    except tracking.Rebuilding:
        return None
    complete = len(rows) < BATCH
    reached = up_to if complete else min(up_to, rows[-1].position)
    return Batch(
        _prepared([row for row in rows if row.position <= reached]), reached, complete or reached == up_to
    )


def can_resume_from(position: int) -> bool:
    """Whether nothing beyond this position has been forgotten, and the position exists at all."""
    return live_changes.oldest_cursor() <= position <= bootstrap.event_store().end()


def owns(conversation_id: UUID, owner_id: UUID) -> bool:
    """Whether this person has such a conversation. Raises tracking.Rebuilding."""
    with tracking.snapshot("conversation_list"):
        found = conversation_list.get_conversation(conversation_id=conversation_id, owner_id=owner_id)
    return found is not None


def pending_calls(conversation_id: UUID, owner_id: UUID, position: int) -> tuple[tuple[UUID, UUID], ...]:
    """(call id, reply id) of the replies being written in this conversation. Raises tracking.Rebuilding.

    position: what the client has seen. Read tables may fall behind it, since their commits do not wait for the disk
    and the database can lose its power; then the events say which replies have ended.
    """
    with tracking.snapshot("transcript") as snapshot:
        replies = transcript.pending_replies(conversation_id=conversation_id, owner_id=owner_id)
    calls = tuple((reply.call_id, reply.id) for reply in replies if reply.call_id is not None)
    return calls if snapshot.position >= position else tuple(call for call in calls if _goes_on(call[0]))


def _goes_on(call_id: UUID) -> bool:
    try:
        return not bootstrap.event_store().read_call(call_id).is_final
    except UnknownModelCall:
        return False


def reply_of_call(call_id: UUID, conversation_id: UUID, owner_id: UUID) -> UUID | None:
    """The reply that a call of this conversation writes, or None where there is none.

    Asked of the events: its words were shown as soon as it started, which may be before any read model knows it.
    """
    try:
        call = bootstrap.event_store().read_call(call_id)
    except UnknownModelCall:
        return None
    return call.reply_id if (call.conversation_id, call.owner_id) == (conversation_id, owner_id) else None


def stored_chunks(call_id: UUID, after_seq: int) -> list[StoredChunk]:
    with connection.cursor() as cursor:
        return read_chunks_after(cast("psycopg.Cursor[Any]", cursor), call_id, after_seq)


def places(call_ids: Collection[UUID]) -> dict[UUID, Place]:
    """Where those of these calls stand that wait in the queue."""
    with connection.cursor() as cursor:
        return read_places(cast("psycopg.Cursor[Any]", cursor), call_ids)


def _prepared(rows: Sequence[Any]) -> tuple[LiveRow, ...]:
    """Frames for rows of live_changes, with the conversations and the messages as they are now.

    Under load a batch holds the changes of many people, so what the frames need is read for all of them at once.
    """
    changes = [row for row in rows if not is_about_call(row.kind)]
    conversations = _conversations(changes)
    messages = _messages(changes)
    prepared = []
    for row in rows:
        data = dict(row.data)
        state = None
        if is_about_call(row.kind):
            state = call_state(row.kind, final=data.get("final", True))
            body = None if state is None else _call_body(row, data, state)
        elif row.kind in _UNTOLD:
            body = None
        else:
            body = _change_body(row, data, conversations, messages)
        prepared.append(
            LiveRow(
                position=row.position,
                owner_id=row.owner_id,
                conversation_id=row.conversation_id,
                call_id=_id(data.get("call_id")),
                reply_id=_id(data.get("reply_id")),
                state=state,
                body=body,
                chunks=data.get("chunk_count") if data.get("attempt") == 1 else None,
            )
        )
    return tuple(prepared)


def _owners(owner_ids: set[UUID]) -> dict[UUID, dict[str, str]]:
    names = dict(get_user_model()._default_manager.filter(pk__in=owner_ids).values_list("pk", "display_name"))
    return {
        owner_id: {"id": str(owner_id), "display_name": names.get(owner_id, "")} for owner_id in owner_ids
    }


def _conversations(changes: Sequence[Any]) -> dict[UUID, dict[str, Any]]:
    """The conversations of these changes, each as its owner sees it in the list."""
    if not changes:
        return {}
    found = conversation_list.get_conversations({row.conversation_id for row in changes})
    owners = _owners({row.owner_id for row in found.values()})
    # One serializer for all rows: making its fields costs many times what a row does.
    context: dict[str, Any] = {}
    serializer = ConversationRowOutput(context=context)
    shown = {}
    for conversation_id, row in found.items():
        context["owner"] = owners[row.owner_id]
        shown[conversation_id] = dict(serializer.to_representation(row))
    return shown


def _messages(changes: Sequence[Any]) -> dict[UUID, dict[str, Any]]:
    """The messages that these changes are about."""
    wanted = {_message_id(row) for row in changes} - {None}
    if not wanted:
        return {}
    found = transcript.get_messages(cast("set[UUID]", wanted))
    serializer = TranscriptRowOutput()
    return {message_id: serializer.to_representation(message) for message_id, message in found.items()}


def _message_id(row: Any) -> UUID | None:
    return _id(row.data.get("message_id")) if row.kind in _WITH_MESSAGE else None


def _change_body(
    row: Any,
    data: dict[str, Any],
    conversations: Mapping[UUID, dict[str, Any]],
    messages: Mapping[UUID, dict[str, Any]],
) -> bytes:
    if row.conversation_id in conversations:
        data["conversation"] = conversations[row.conversation_id]
    message_id = _message_id(row)
    if message_id is not None and message_id in messages:
        data["message"] = messages[message_id]
    return frame_body(
        "change",
        {
            "position": str(row.position),
            "kind": row.kind,
            "conversation_id": _text(row.conversation_id),
            "data": data,
        },
    )


def _call_body(row: Any, data: dict[str, Any], state: str) -> bytes:
    told: dict[str, Any] = {
        "position": str(row.position),
        "conversation_id": _text(row.conversation_id),
        "call_id": data["call_id"],
        "reply_id": data["reply_id"],
        "state": state,
    }
    if "outcome" in data:
        told["outcome"] = data["outcome"]
        told["error"] = data["error"]
    return frame_body("call", told)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
