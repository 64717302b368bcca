"""Serializer fields that take exactly the JSON type they name, and a serializer that takes no others.

The usual fields are generous: they make a text of a number and true of "yes". What is recorded as an
event can never be corrected, so nothing is guessed here. Limits and meaning are the domain's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backend.domain.values import check_text

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PARAM_NAME_LIMIT_BYTES = 64
_PARAMS_SCHEMA = {
    "type": "object",
    "description": "temperature, top_p, min_p, presence_penalty, frequency_penalty, max_tokens, top_k, seed: "
    "a number, or one as a decimal text. stop: a text or a list of up to four.",
    "additionalProperties": {
        "oneOf": [
            {"type": "number"},
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "maxItems": 4},
        ]
    },
}


def json_type_name(value: object) -> str:
    """What a decoded JSON value is called in an error text."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
        case _:
            return "a list"


class TextField(serializers.CharField):
    """A JSON string as it stands. What may be in it, and how much, the domain decides."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, allow_blank=True, **kwargs)
        # The domain refuses NUL and lone surrogates itself, in words of its own.
        self.validators = []

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # CharField's own version trims and looks for blank texts before the type is known.
        return serializers.Field.run_validation(self, data)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Expected a text, found {json_type_name(data)}.")
        return data


class TrueOrFalseField(serializers.BooleanField):
    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(f"Expected true or false, found {json_type_name(data)}.")
        return data


class WholeNumberField(serializers.IntegerField):
    def to_internal_value(self, data: object) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError(f"Expected a whole number, found {json_type_name(data)}.")
        return data


class IdField(serializers.UUIDField):
    def to_internal_value(self, data: object) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            found = "another text" if isinstance(data, str) else json_type_name(data)
            raise serializers.ValidationError(
                f"Expected a UUID such as 01234567-89ab-cdef-0123-456789abcdef, found {found}."
            )
        return UUID(data)


@extend_schema_field(_PARAMS_SCHEMA)
class ParamsField(serializers.Field[Any, Any, Any, Any]):
    """An object of numbers and texts; which names exist and which values fit, the domain decides."""

    def to_internal_value(self, data: object) -> dict[str, object]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(f"Expected an object, found {json_type_name(data)}.")
        for name, value in data.items():
            check_text(name, field="params", limit_bytes=_PARAM_NAME_LIMIT_BYTES)
            if value is None or isinstance(value, bool | Mapping):
                raise serializers.ValidationError(
                    {name: [f"Expected a number or a text, found {json_type_name(value)}."]}
                )
        return dict(data)

    def to_representation(self, value: object) -> object:
        return value


class StrictSerializer(serializers.Serializer[Any]):
    """An object with these fields and no others; each unknown one is named in the answer."""

    def to_internal_value(self, data: object) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {"non_field_errors": [f"Expected a JSON object, found {json_type_name(data)}."]}
            )
        known = ", ".join(self.fields) or "none"
        unknown = {
            _printable(name): [f"This field is not known here. Known fields: {known}."]
            for name in data
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise serializers.ValidationError({**detail, **unknown}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


def _printable(name: str) -> str:
    """A field's name as it may appear in an answer: a lone surrogate could not be encoded."""
    return name[:100].encode("utf-8", "backslashreplace").decode("utf-8")
