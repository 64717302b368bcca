"""Where a program's messages go on from: asked before its call is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from backend.domain.commands import JoinAt

# What was said under the same system prompt comes first, then what was said last.
_FIND = """
SELECT chain, conversation_id, message_id FROM conversation_prefix
WHERE owner_id = %(owner_id)s AND chain = ANY(%(chains)s)
ORDER BY array_position(%(chains)s, chain) DESC, system_sha256 = %(system_sha256)s DESC, kept_at DESC
LIMIT %(limit)s
"""

LOOKED_AT = 8
"""Conversations that may have been deleted since are passed by, so a few are found."""


def joins_of(
    connection: psycopg.Connection[dict[str, Any]],
    owner_id: UUID,
    chains: Sequence[tuple[bytes, int]],
    system_sha256: bytes,
) -> tuple[JoinAt, ...]:
    """Messages of this person's conversations up to which a list is known, the longest part of it first.

    chains: digests of the list's beginnings, the shortest first, each with how many messages it takes in.
    """
    if not chains:
        return ()
    counts = dict(chains)
    rows = connection.execute(
        _FIND,
        {
            "owner_id": owner_id,
            "chains": [chain for chain, _ in chains],
            "system_sha256": system_sha256,
            "limit": LOOKED_AT,
        },
    ).fetchall()
    return tuple(
        JoinAt(row["conversation_id"], row["message_id"], counts[bytes(row["chain"])]) for row in rows
    )
