"""Which rows of a list are wanted, from its query string; a value that does not fit is refused by name.

Works on the querysets that the read models' queries give; it adds conditions and never takes away
the one that says whose rows they are.
"""

# django-filter has no annotations; calling it is not a mistake.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django_filters.fields import IsoDateTimeField
from django_filters.filters import (
    CharFilter,
    ChoiceFilter,
    Filter,
    IsoDateTimeFilter,
    NumberFilter,
    UUIDFilter,
)
from django_filters.filterset import FilterSet
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from projections.model_calls import queries as model_calls

Row = TypeVar("Row", bound=Model)

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


class _StrictChoice(forms.Field):
    """true, false, and where a list usually leaves rows out, `all`."""

    def __init__(self, *, with_all: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_all = with_all

    def to_python(self, value: object) -> bool | str | None:
        if value is None or value == "":
            return None
        text = str(value).lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if self.with_all and text == "all":
            return "all"
        expected = "true, false or all" if self.with_all else "true or false"
        raise forms.ValidationError(f"Expected {expected}, found {text[:40]!r}.")


class TrueFalseFilter(Filter):
    field_class = _StrictChoice


class FlagFilter(Filter):
    """Leaves rows with the flag out unless asked for; `all` gives both."""

    field_class = _StrictChoice

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(with_all=True, **kwargs)

    def filter(self, rows: QuerySet[Any], value: bool | str | None) -> QuerySet[Any]:
        if value == "all":
            return rows
        return rows.filter(**{str(self.field_name): bool(value)})


class FigureFilter(NumberFilter):
    """One end of the range in which a figure of a call lies; calls without the figure are in none."""

    def __init__(self, figure: str, bound: str) -> None:
        super().__init__(min_value=0)
        self._figure, self._bound = figure, bound

    def filter(self, rows: QuerySet[Any], value: Decimal | None) -> QuerySet[Any]:
        if value is None:
            return rows
        return model_calls.with_figure_between(rows, self._figure, **{self._bound: value})


class _PointInTime(IsoDateTimeField):
    """In UTC: the database knows fewer time zones than a text can name."""

    def clean(self, value: object) -> datetime | None:
        moment: datetime | None = super().clean(value)
        try:
            return None if moment is None else moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(
                f"Expected a time of the years 1 to 9999, found {str(value)[:40]!r}."
            ) from None


class TimeFilter(IsoDateTimeFilter):
    field_class = _PointInTime


class ConversationFilter(FilterSet):
    archived = FlagFilter(help_text="true, false (also when absent) or all.")
    deleted = FlagFilter(help_text="true, false (also when absent) or all.")
    pinned = TrueFalseFilter()
    model = CharFilter()
    updated_after = TimeFilter(field_name="updated_at", lookup_expr="gt")
    updated_before = TimeFilter(field_name="updated_at", lookup_expr="lt")
    search = CharFilter(field_name="title", lookup_expr="icontains", help_text="A part of the title.")


class ModelCallFilter(FilterSet):
    conversation = UUIDFilter(field_name="conversation_id")
    user = UUIDFilter(
        field_name="owner_id", help_text="Whose calls. Auditors see everybody's; others see only their own."
    )
    model = CharFilter()
    runner = CharFilter(help_text="Where the call went.")
    outcome = ChoiceFilter(
        choices=[
            (name, name)
            for name in ("pending", "complete", "truncated", "cancelled", "interrupted", "failed")
        ]
    )
    purpose = ChoiceFilter(choices=[(n, n) for n in ("reply", "title", "replay", "external")])
    source = ChoiceFilter(choices=[(n, n) for n in ("browser", "api", "openai")])
    created_after = TimeFilter(field_name="requested_at", lookup_expr="gt")
    created_before = TimeFilter(field_name="requested_at", lookup_expr="lt")
    duration_ms_min = FigureFilter("duration_ms", "at_least")
    duration_ms_max = FigureFilter("duration_ms", "at_most")
    first_token_ms_min = FigureFilter("first_token_ms", "at_least")
    first_token_ms_max = FigureFilter("first_token_ms", "at_most")
    prompt_tokens_min = FigureFilter("prompt_tokens", "at_least")
    prompt_tokens_max = FigureFilter("prompt_tokens", "at_most")
    completion_tokens_min = FigureFilter("completion_tokens", "at_least")
    completion_tokens_max = FigureFilter("completion_tokens", "at_most")


def filtered(filter_class: Any, request: Request, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The wanted ones of `rows`. Raises ValidationError naming each parameter that does not fit."""
    chosen = filter_class(data=request.query_params, queryset=rows)
    if not chosen.is_valid():
        raise translate_validation(chosen.errors)
    result: QuerySet[Row] = chosen.qs
    return result


def filter_parameters(filter_class: Any) -> list[OpenApiParameter]:
    """The filters as the schema describes them."""
    return [
        OpenApiParameter(
            name,
            _SCHEMA_TYPES.get(type(each), str),
            description=str(each.extra.get("help_text", "")),
            enum=[value for value, _ in each.extra["choices"]] if "choices" in each.extra else None,
        )
        for name, each in filter_class.base_filters.items()
    ]


_SCHEMA_TYPES: dict[type, Any] = {
    TrueFalseFilter: bool,
    FigureFilter: {"type": "integer", "minimum": 0},
    FlagFilter: {"type": "string", "enum": ["true", "false", "all"]},
    UUIDFilter: UUID,
    TimeFilter: datetime,
}
