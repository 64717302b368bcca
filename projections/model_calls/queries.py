"""Questions about model calls. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("model_calls")`.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from projections.model_calls.read_table import NOT_KNOWN, SORTED_FIGURES, ModelCallRow

__all__ = [
    "SORTED_FIGURES",
    "ModelCallRow",
    "get_model_call",
    "list_model_calls",
    "with_figure",
    "with_figure_between",
    "without_details",
]


def list_model_calls(*, owner_id: UUID | None) -> QuerySet[ModelCallRow]:
    """Calls asked for by this person, newest first. owner_id None: everybody's, for auditors."""
    rows = ModelCallRow.objects.order_by("-requested_at", "-id")
    return rows if owner_id is None else rows.filter(owner_id=owner_id)


def without_details(rows: QuerySet[ModelCallRow]) -> QuerySet[ModelCallRow]:
    """The rows as a list shows them: what only a single call's page needs is left in the table."""
    return rows.defer("params", "trimming", "attempts", "events")


def with_figure(rows: QuerySet[ModelCallRow], figure: str, name: str) -> QuerySet[ModelCallRow]:
    """The rows with one of SORTED_FIGURES under a name to sort by: calls that do not have it are the lowest."""
    # A literal, as in the index: a parameter would not be recognised.
    return rows.annotate(**{name: Coalesce(figure, NOT_KNOWN)})


def with_figure_between(
    rows: QuerySet[ModelCallRow],
    figure: str,
    *,
    at_least: Decimal | None = None,
    at_most: Decimal | None = None,
) -> QuerySet[ModelCallRow]:
    """Only the calls that have this one of SORTED_FIGURES, and within these bounds. Found by the index of its order."""
    known = f"known_{figure}"
    rows = rows.alias(**{known: Coalesce(figure, NOT_KNOWN)})
    rows = rows.filter(**{f"{known}__gte": max(at_least or 0, 0)})
    return rows if at_most is None else rows.filter(**{f"{known}__lte": at_most})


def get_model_call(*, call_id: UUID, owner_id: UUID | None) -> ModelCallRow | None:
    """One call, or None where it is unknown or somebody else's. owner_id None: anybody's."""
    return list_model_calls(owner_id=owner_id).filter(id=call_id).first()
