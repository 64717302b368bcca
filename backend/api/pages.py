"""Pages of long lists by keyset: a page begins where the last one ended, whatever was added since.

The cursor holds the ordering, and the value and id of the row it stands at; to clients it is opaque.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import DateTimeField, Model, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from backend.api.read_side import address_with, whole_number, whole_number_parameter

PAGE_SIZE: Final = 50
LARGEST_PAGE: Final = 200

LIMIT_PARAMETERS: Final = [
    whole_number_parameter(
        "limit", 1, LARGEST_PAGE, f"Rows on a page, 1 to {LARGEST_PAGE}; {PAGE_SIZE} when absent."
    ),
    OpenApiParameter("cursor", str, description="Where the page begins; taken from `next` or `previous`."),
]

Row = TypeVar("Row", bound=Model)

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class KeysetPage:
    """One page of a queryset in an ordering such as `-updated_at`; equal values are told apart by id."""

    def __init__(self, request: Request, *, ordering: str, column: str | None = None) -> None:
        """column: by what the rows are sorted where the ordering has another name; a whole number of each row.

        Raises ValidationError naming `limit` or `cursor`.
        """
        self._request = request
        self._ordering = ordering
        self._column = column
        self._field = column or ordering.removeprefix("-")
        self._limit = whole_number(request, "limit", default=PAGE_SIZE, low=1, high=LARGEST_PAGE)
        text = request.query_params.get("cursor")
        self._start = None if text is None else _decode(text, ordering)
        self._next: str | None = None
        self._previous: str | None = None

    def take(self, rows: QuerySet[Row]) -> list[Row]:
        """The page's rows, in order. Remembers what `links` needs. Raises ValidationError for a bad cursor."""
        backwards = self._start is not None and self._start[0]
        descending = self._ordering.startswith("-") != backwards
        if self._start is not None:
            _, text, row_id = self._start
            value = self._parse(rows, text)
            side = "lt" if descending else "gt"
            # The first condition alone is what an index can use.
            rows = rows.filter(**{f"{self._field}__{side}e": value}).filter(
                Q(**{f"{self._field}__{side}": value}) | Q(**{f"id__{side}": row_id})
            )
        sign = "-" if descending else ""
        found = list(rows.order_by(f"{sign}{self._field}", f"{sign}id")[: self._limit + 1])
        more, found = len(found) > self._limit, found[: self._limit]
        if backwards:
            found.reverse()
        if found:
            self._next = self._cursor(found[-1], backwards=False) if more or backwards else None
            has_previous = more if backwards else self._start is not None
            self._previous = self._cursor(found[0], backwards=True) if has_previous else None
        return found

    def links(self) -> dict[str, str | None]:
        """`next` and `previous`, as full addresses."""
        return {
            name: None if cursor is None else address_with(self._request, cursor=cursor)
            for name, cursor in (("next", self._next), ("previous", self._previous))
        }

    def _cursor(self, row: Model, *, backwards: bool) -> str:
        value = getattr(row, self._field)
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        parts = json.dumps([self._ordering, backwards, text, str(row.pk)], separators=(",", ":"))
        return base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")

    def _parse(self, rows: QuerySet[Any], text: str) -> datetime | int | str:
        if self._column is not None:
            if not _WHOLE_NUMBER.fullmatch(text):
                raise _bad_cursor()
            return int(text)
        if not isinstance(rows.model._meta.get_field(self._field), DateTimeField):
            return text
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise _bad_cursor()
            # The database knows fewer time zones than a text can name.
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _bad_cursor() from None


def chosen_ordering(request: Request, names: Sequence[str], *, default: str) -> str:
    """The wanted ordering: one of the names, or one with - before it. Raises ValidationError."""
    wanted = request.query_params.get("ordering", default)
    if wanted.removeprefix("-") not in names:
        known = ", ".join(names)
        raise ValidationError(
            {"ordering": [f"Expected one of {known}, or one with - before it, found {wanted[:40]!r}."]}
        )
    return wanted


def ordering_parameter(names: Sequence[str], *, default: str) -> OpenApiParameter:
    """The orderings as the schema describes them."""
    return OpenApiParameter(
        "ordering",
        str,
        enum=[sign + name for name in names for sign in ("-", "")],
        description=f"{default} when absent.",
    )


def _decode(text: str, ordering: str) -> tuple[bool, str, UUID]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        wanted, backwards, value, row_id = parts
        if (
            wanted != ordering
            or not isinstance(backwards, bool)
            or not isinstance(value, str)
            or "\x00" in value
        ):
            raise ValueError(text)
        value.encode()  # half a character can be asked of no database
        return backwards, value, UUID(row_id)
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        raise _bad_cursor() from None


def _bad_cursor() -> ValidationError:
    return ValidationError(
        {"cursor": ["This is no place in this list. Take the address from `next` or `previous`."]}
    )
