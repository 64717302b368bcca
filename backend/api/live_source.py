"""What the live stream reads from the database, as plain blocking functions.

Called from the hub's few threads only, never from the event loop and never from a request: so that
forty open streams need no more connections than one. Reads; never writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import psycopg
from django.contrib.auth import get_user_model
from django.db import connection

from backend import bootstrap
from backend.api.live_frames import call_state, frame_body, is_about_call
from backend.api.output_serializers import ConversationRowOutput, TranscriptRowOutput
from backend.model_calls.stored_chunks import StoredChunk, read_chunks_after
from projections import tracking
from projections.conversation_list import queries as conversation_list
from projections.live_changes import queries as live_changes
from projections.model_calls import queries as model_calls
from projections.transcript import queries as transcript

_FOLLOWED: Final = frozenset({"live_changes", "conversation_list", "transcript", "model_calls", "replays"})
_WITH_MESSAGE: Final = frozenset({"user_message_sent", "reply_requested", "reply_recorded"})
BATCH: Final = 500


@dataclass(frozen=True)
class LiveRow:
    """A change on its way to the browsers of one person. body: its frame without the id, or None.

    state: what became of a model call, for the kinds that tell.
    """

    position: int
    owner_id: UUID
    conversation_id: UUID | None
    call_id: UUID | None
    reply_id: UUID | None
    state: str | None
    body: bytes | None


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
    try:
        with tracking.snapshot("live_changes"):
            limit = floor()
            rows = live_changes.changes_after(position=position, owner_id=None, limit=BATCH)
    except tracking.Rebuilding:
        return Batch((), position, complete=True)
    if limit <= position:
        return Batch((), position, complete=True)
    complete = len(rows) < BATCH
    up_to = limit if complete else min(limit, rows[-1].position)
    told = [row for row in rows if row.position <= up_to and row.owner_id in owners]
    return Batch(_prepared(told), up_to, complete or up_to == limit)


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


def pending_calls(conversation_id: UUID, owner_id: UUID) -> tuple[tuple[UUID, UUID], ...]:
    """(call id, reply id) of the replies being written in this conversation. Raises tracking.Rebuilding."""
    with tracking.snapshot("transcript"):
        replies = transcript.pending_replies(conversation_id=conversation_id, owner_id=owner_id)
    return tuple((reply.call_id, reply.id) for reply in replies if reply.call_id is not None)


def reply_of_call(call_id: UUID, conversation_id: UUID, owner_id: UUID) -> UUID | None:
    """The reply that a call of this conversation writes, or None where there is none. Raises tracking.Rebuilding."""
    with tracking.snapshot("model_calls"):
        row = model_calls.get_model_call(call_id=call_id, owner_id=owner_id)
    return row.reply_id if row is not None and row.conversation_id == conversation_id else None


def stored_chunks(call_id: UUID, after_seq: int) -> list[StoredChunk]:
    with connection.cursor() as cursor:
        return read_chunks_after(cast("psycopg.Cursor[Any]", cursor), call_id, after_seq)


def _prepared(rows: Iterable[Any]) -> tuple[LiveRow, ...]:
    """Frames for rows of live_changes, with the conversation and the message as they are now."""
    rows = list(rows)
    owners = _owners({row.owner_id for row in rows})
    conversations: dict[UUID, dict[str, Any] | None] = {}
    prepared = []
    for row in rows:
        data = dict(row.data)
        state = None
        if is_about_call(row.kind):
            state = call_state(row.kind, final=data.get("final", True))
            body = None if state is None else _call_body(row, data, state)
        else:
            if row.conversation_id not in conversations:
                conversations[row.conversation_id] = _conversation(row, owners[row.owner_id])
            body = _change_body(row, data, conversations[row.conversation_id])
        prepared.append(
            LiveRow(
                position=row.position,
                owner_id=row.owner_id,
                conversation_id=row.conversation_id,
                call_id=_id(data.get("call_id")),
                reply_id=_id(data.get("reply_id")),
                state=state,
                body=body,
            )
        )
    return tuple(prepared)


def _owners(owner_ids: set[UUID]) -> dict[UUID, dict[str, str]]:
    names = dict(get_user_model()._default_manager.filter(pk__in=owner_ids).values_list("pk", "display_name"))
    return {
        owner_id: {"id": str(owner_id), "display_name": names.get(owner_id, "")} for owner_id in owner_ids
    }


def _conversation(row: Any, owner: dict[str, str]) -> dict[str, Any] | None:
    found = conversation_list.get_conversation(conversation_id=row.conversation_id, owner_id=row.owner_id)
    return None if found is None else dict(ConversationRowOutput(found, context={"owner": owner}).data)


def _change_body(row: Any, data: dict[str, Any], conversation: dict[str, Any] | None) -> bytes:
    if conversation is not None:
        data["conversation"] = conversation
    message_id = _id(data.get("message_id"))
    if row.kind in _WITH_MESSAGE and message_id is not None:
        message = transcript.get_message(message_id=message_id, owner_id=row.owner_id)
        if message is not None:
            data["message"] = TranscriptRowOutput(message).data
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
