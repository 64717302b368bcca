"""The SQL of erasing: the one way in which a stored event may ever change, and what keeps forks away from it meanwhile.

Runs on the event store's cursor inside its transaction. The database itself allows no other replacement than this one:
see the triggers of migration 0002.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import psycopg

from backend.application.erased import erased_conversation
from backend.application.ports import Companion, ErasePayloads, GoOnFrom
from backend.domain.errors import ForksRemain
from backend.domain.events import ConversationStarted

# Two-part advisory lock: this number, and a hash of the conversation's id. Whoever forks shares it with others who do;
# whoever erases has it alone. Without it a fork could be stored that goes on from what is just being erased.
_SOURCES: Final = 0x0EBA

_SHARE_SOURCE = "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))"
_HAVE_SOURCE_ALONE = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
_IS_ERASED = (
    "SELECT 1 FROM events WHERE originator_id = %s AND originator_version = 1"
    " AND substring(state FROM 1 FOR 10) = '{\"erased\":'::bytea"
)

# Tells the triggers that this transaction may erase; it ends with the transaction.
_MAY_ERASE = "SELECT set_config('verbatim.erasing', 'payloads', true)"
_ERASE = (
    "UPDATE events SET state ="
    " convert_to('{\"erased\":{\"sha256\":\"' || encode(sha256(state), 'hex') || '\"}}', 'UTF8')"
    " WHERE originator_id = ANY(%s)"
)
# Stored JSON is compact and its fields stand in their order; quotes within a text are escaped, so no title looks like this.
_FORKS = (
    "SELECT originator_id FROM events WHERE topic = %s AND position(%s::bytea in state) > 0"
    " AND NOT originator_id = ANY(%s)"
)
_FORGET_RECEIPTS = (
    "DELETE FROM append_receipt WHERE position(%(id)s in path) > 0 OR position(%(id)s in body::text) > 0"
)


def share_source(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Let the fork stand only if what it goes on from is not erased, now or before its commit."""
    assert isinstance(companion, GoOnFrom)
    source = companion.conversation_id
    cursor.execute(_SHARE_SOURCE, (_SOURCES, str(source)))
    cursor.execute(_IS_ERASED, (source,))
    if cursor.fetchone() is not None:
        raise erased_conversation(source, ())


def erase_payloads(cursor: psycopg.Cursor[dict[str, Any]], companion: Companion) -> None:
    """Replace the payloads by their digests and drop receipts that speak of them. Raises ForksRemain."""
    assert isinstance(companion, ErasePayloads)
    conversation_ids = list(companion.conversation_ids)
    for conversation_id in sorted(conversation_ids):
        cursor.execute(_HAVE_SOURCE_ALONE, (_SOURCES, str(conversation_id)))
    forks = {fork for each in conversation_ids for fork in forks_of(cursor, each, besides=conversation_ids)}
    if forks:
        raise ForksRemain(forks)
    cursor.execute(_MAY_ERASE)
    cursor.execute(_ERASE, (list(companion.stream_ids),))
    for conversation_id in conversation_ids:
        cursor.execute(_FORGET_RECEIPTS, {"id": str(conversation_id)})


def forks_of(
    cursor: psycopg.Cursor[dict[str, Any]], conversation_id: UUID, *, besides: list[UUID]
) -> set[UUID]:
    """The conversations that go on directly from this one."""
    named = f'"forked_from":{{"conversation_id":"{conversation_id}"'.encode()
    cursor.execute(_FORKS, (ConversationStarted.TOPIC, named, besides))
    return {row["originator_id"] for row in cursor.fetchall()}


ERASURE_STEPS: Final = {GoOnFrom: share_source, ErasePayloads: erase_payloads}
