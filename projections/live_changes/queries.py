"""Questions to live changes. They never write."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db import connection

from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow
from projections.position_table import REBUILDING

# One statement, so that rows and positions are of one moment without a transaction around them.
_PASSED_BY_ALL: Final = """
WITH passed AS (
    SELECT CASE WHEN count(*) < cardinality(%(names)s::text[]) OR bool_or(name = 'live_changes' AND state = %(rebuilding)s)
        THEN 0 ELSE min(position) END AS floor
    FROM projection_position WHERE name = ANY(%(names)s::text[])
)
SELECT passed.floor, change.position, change.owner_id, change.conversation_id, change.kind, change.data, change.at
FROM passed LEFT JOIN LATERAL (
    SELECT * FROM read_live_changes
    WHERE position > %(position)s AND position <= passed.floor ORDER BY position LIMIT %(limit)s
) AS change ON true
"""


def changes_after(*, position: int, owner_id: UUID | None, limit: int = 500) -> list[LiveChangeRow]:
    """What happened beyond a position, ascending, to one owner's things; owner_id None: to everybody's.

    Complete only for a position that is not below `oldest_cursor()`.
    """
    rows = LiveChangeRow.objects.filter(position__gt=position).order_by("position")
    return list((rows if owner_id is None else rows.filter(owner_id=owner_id))[:limit])


def oldest_cursor() -> int:
    """The lowest position from which one can still read on without a gap; 0 when everything is kept."""
    return LiveHorizonRow.objects.values_list("pruned_through", flat=True).first() or 0


def changes_passed_by_all(
    *, position: int, names: Collection[str], limit: int = 500
) -> tuple[int, list[LiveChangeRow]]:
    """What happened beyond a position, as far as all these read models have come, and how far that is.

    Everybody's, ascending. The floor is 0, and there are no changes, while live changes are being made anew.
    """
    parameters: dict[str, Any] = {
        "position": position,
        "names": list(names),
        "limit": limit,
        "rebuilding": REBUILDING,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PASSED_BY_ALL, parameters)
        rows = cursor.fetchall()
    changes = [
        LiveChangeRow(at_position, owner_id, conversation_id, kind, _loaded(data), at)
        for _, at_position, owner_id, conversation_id, kind, data, at in rows
        if at_position is not None
    ]
    return rows[0][0], changes


def _loaded(data: Any) -> Any:
    """Django's connections leave JSON as text for its fields to read."""
    return json.loads(data) if isinstance(data, str) else data
