"""Questions to live changes. They never write."""

from __future__ import annotations

from uuid import UUID

from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow


def changes_after(*, position: int, owner_id: UUID | None, limit: int = 500) -> list[LiveChangeRow]:
    """What happened beyond a position, ascending, to one owner's things; owner_id None: to everybody's.

    Complete only for a position that is not below `oldest_cursor()`.
    """
    rows = LiveChangeRow.objects.filter(position__gt=position).order_by("position")
    return list((rows if owner_id is None else rows.filter(owner_id=owner_id))[:limit])


def oldest_cursor() -> int:
    """The lowest position from which one can still read on without a gap; 0 when everything is kept."""
    return LiveHorizonRow.objects.values_list("pruned_through", flat=True).first() or 0
