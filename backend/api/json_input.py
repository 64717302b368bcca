"""Reads request bodies as strict JSON, so that whatever a view sees can be stored and repeated.

Stricter than a plain JSON parser where a lenient one would let something through that no event may
hold: NaN and Infinity are refused, and so are bytes that are not UTF-8. It decides nothing about
fields; that is what the serializers are for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request


class StrictJSONParser(BaseParser):
    """JSON in UTF-8. Raises ParseError, or Django's RequestDataTooBig before the body is read.

    A body of no bytes stands for an object without fields.
    """

    media_type = "application/json"
    renderer_class = JSONRenderer

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body.

        Read through HttpRequest.body, which compares the announced length with the limit first:
        reading the stream itself would take in a request of any size.
        """
        request: Request = (parser_context or {})["request"]
        return parse_json(request._request.body)


def parse_json(body: bytes) -> Any:
    """Decode a JSON document strictly. Raises ParseError, whose text says what is wrong and where."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"The request body is not UTF-8 (byte {error.start}). Send JSON in UTF-8.") from None
    if not text.strip():
        return {}
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ParseError(
            f"The request body is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise ParseError("The request body is nested too deeply. Send a flat JSON object.") from None
    except ValueError as error:
        # Constants refused below, and integers of thousands of digits.
        raise ParseError(f"The request body is not valid JSON: {error}.") from None


def sha256_of_json(value: object) -> str:
    """The digest by which a repeat of a request is told from another request.

    Taken of the decoded value with sorted names, so that a client that writes the same request
    with other spaces, or its fields in another order, is still repeating it.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
