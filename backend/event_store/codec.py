"""Event objects to plain JSON and back, by the fields' declared types.

UUIDs and times are stored as plain texts and absent values as null. Stored bytes can never change,
so neither can what this module writes for a given event class.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args, get_origin
from uuid import UUID, SafeUUID

Reviver = Callable[[Any], Any]
_UUID_LENGTH, _UUID_BYTES = 36, 16
_UNKNOWN = SafeUUID.unknown


class UnreadableEvent(ValueError):
    """Stored JSON does not fit the event class that its topic names."""


def to_plain(value: Any) -> Any:
    """The JSON value that stands for a field's value."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(
        f"{type(value).__name__} cannot be stored in an event. Use texts, whole numbers, ids or times."
    )


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, always with six digits of microseconds, so that equal times are equal texts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def parse_uuid(text: str) -> UUID:
    """The UUID of a stored text in its one written form; several times faster than UUID(text).

    A long conversation holds some ten thousand of them. Raises ValueError for any other text.
    """
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        raw = b""
    if len(text) != _UUID_LENGTH or len(raw) != _UUID_BYTES:
        raise ValueError(f"{text[:50]!r} is not a UUID as it is stored, in 36 characters.")
    made = object.__new__(UUID)
    object.__setattr__(made, "int", int.from_bytes(raw, "big"))
    object.__setattr__(made, "is_safe", _UNKNOWN)
    return made


def revive(owner: type, name: str, stored: Any) -> Any:
    """The value of field `name` of class `owner` from its stored JSON."""
    try:
        return revivers_of(owner)[name](stored)
    except KeyError:
        raise UnreadableEvent(
            f"{owner.__name__} has no field {name!r}; an upcaster is missing for it."
        ) from None


@cache
def revivers_of(owner: type) -> dict[str, Reviver]:
    """For each field of a dataclass, the function that makes its value from stored JSON."""
    hints = typing.get_type_hints(owner)
    return {field.name: _reviver(hints[field.name], field.name) for field in dataclasses.fields(owner)}


def _same(value: Any) -> Any:
    return value


def _reviver(hint: Any, name: str) -> Reviver:
    if hint is UUID:
        return parse_uuid
    if hint is datetime:
        return parse_time
    if dataclasses.is_dataclass(hint):
        return _dataclass_reviver(typing.cast(type, hint))
    if get_origin(hint) in (typing.Union, types.UnionType):
        return _union_reviver(hint, name)
    if get_origin(hint) is list and dataclasses.is_dataclass(get_args(hint)[0]):
        return _list_reviver(_dataclass_reviver(get_args(hint)[0]), name)
    kind = _stored_kind(hint)
    return _same if kind is None else _checked((kind,), name)


def _list_reviver(make: Reviver, name: str) -> Reviver:
    is_list = _checked((list,), name)
    return lambda value: [make(item) for item in is_list(value)]


def _stored_kind(hint: Any) -> type | None:
    """As what a value of this type stands in the JSON; None where it may be anything."""
    origin = get_origin(hint) or hint
    if origin in (str, int, bool):
        return typing.cast(type, origin)
    if origin in (list, tuple, Sequence):
        return list
    return dict if origin in (dict, Mapping) else None


def _checked(kinds: tuple[type, ...], name: str) -> Reviver:
    """The value as it is; whoever changed it into another kind must not get further than this."""

    def same(value: Any) -> Any:
        if type(value) in kinds:
            return value
        expected = " or ".join(_KINDS[kind] for kind in kinds)
        raise ValueError(f"its field {name} is {repr(value)[:60]}, expected {expected}.")

    return same


_KINDS = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    types.NoneType: "nothing",
}


def _union_reviver(hint: Any, name: str) -> Reviver:
    kinds = [types.NoneType if arg is types.NoneType else _stored_kind(arg) for arg in get_args(hint)]
    if all(kind is not None for kind in kinds):
        return _checked(tuple(kind for kind in kinds if kind is not None), name)
    changing = [_reviver(arg, name) for arg in get_args(hint) if arg is not types.NoneType]
    if len(changing) > 1:
        raise TypeError(
            f"The event field type {hint} is ambiguous when read back. Use one type, or that and None."
        )
    return lambda value: None if value is None else changing[0](value)


def _dataclass_reviver(cls: type) -> Reviver:
    def make(value: Any) -> Any:
        try:
            return cls(**{name: revive(cls, name, stored) for name, stored in value.items()})
        except TypeError as error:
            raise UnreadableEvent(f"{cls.__name__} cannot be read from {sorted(value)}: {error}") from error

    return make
