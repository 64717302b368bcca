"""How a line of the log looks: for people (`plain`), or one JSON object (`json`) for programs that collect them.

Texts come from outside too, so a line break or a terminal's command in one is written out: nobody can forge a line.
Of an exception, a line says where and what kind, and the first line of its text: databases quote values in the lines after it.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from backend.logs.context import known_ids

LONGEST_TEXT: Final = 500
FIELDS: Final = "fields"
"""The name under which a record brings more than its text: `logger.info("…", extra={FIELDS: {…}})`."""

_PARTS: Final = {"run_projections": "projections", "run_model_calls": "model-calls"}
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def part_of(arguments: Sequence[str]) -> str:
    """Which part of the product a process is, by its command line."""
    if arguments and "web_server" in arguments[0]:
        return "web"
    command = next((word for word in arguments[1:] if not word.startswith("-")), "")
    return _PARTS.get(command, command or "other")


class _Formatter(logging.Formatter):
    def formatException(self, ei: ExceptionInfo) -> str:
        """The way to the exception, without the values that its text may quote."""
        return "\n".join(_lines_of(ei[1])) if ei[1] is not None else ""


class PlainFormatter(_Formatter):
    """Time, level, logger, text, and what it belongs to."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time_of(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name, value in known_ids().items())
        line = f"{_time_of(record)} {record.levelname} {record.name} {_in_one_line(record.message)}"
        return f"{line} [{ids}]" if ids else line


class JsonFormatter(_Formatter):
    """One object a line."""

    def __init__(self) -> None:
        super().__init__()
        self._part = part_of(sys.argv)

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": _time_of(record),
            "level": record.levelname,
            "part": self._part,
            "logger": record.name,
            "message": record.getMessage(),
            **known_ids(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["exception"] = _lines_of(record.exc_info[1])
        return json.dumps(said, ensure_ascii=False, default=str)


def _time_of(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _in_one_line(text: str) -> str:
    """The text, with everything that cannot be seen as Python writes it: `\\n`, `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _lines_of(error: BaseException) -> list[str]:
    """What led to it comes first, as in Python's own tracebacks."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in chain:
        chain.append(each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    lines: list[str] = []
    for one in reversed(chain):
        lines += [
            f"{frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(one.__traceback__)
        ]
        text = (str(one).splitlines() or [""])[0][:LONGEST_TEXT]
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}: {_in_one_line(text)}")
        if isinstance(one, BaseExceptionGroup):
            lines += [line for inner in one.exceptions for line in _lines_of(inner)]
    return lines
