"""Server-sent events from bytes, by the WHATWG specification. Pure: knows nothing of HTTP or of models.

Bytes may be cut anywhere, also inside a character or between CR and LF: the events are the same.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

LINE_LIMIT_CHARACTERS = 16 * 1024 * 1024


@dataclass(frozen=True)
class ServerSentEvent:
    """One event: its data lines joined by a newline."""

    data: str
    event: str = "message"


@dataclass(frozen=True)
class Comment:
    """A line that starts with a colon: a sign of life."""

    text: str


class LineTooLong(ValueError):
    """A line grew beyond what any honest server sends."""


class SseParser:
    """Feed it bytes as they arrive; it gives back whatever is complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._data: list[str] = []
        self._event = "message"
        self._first = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[ServerSentEvent | Comment]:
        """Events and comments completed by these bytes, in order. Raises LineTooLong."""
        text = self._decoder.decode(data)
        if self._first and text:
            self._first = False
            text = text.removeprefix("\ufeff")
        # A CR at the end of one read and an LF at the start of the next are one line end.
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        found: list[ServerSentEvent | Comment] = []
        lines = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_LIMIT_CHARACTERS:
            raise LineTooLong(f"A line of more than {LINE_LIMIT_CHARACTERS:,} characters came without an end.")
        for line in lines:
            self._take(line, found)
        return found

    def _take(self, line: str, found: list[ServerSentEvent | Comment]) -> None:
        if not line:
            if self._data:
                found.append(ServerSentEvent("\n".join(self._data), self._event))
            self._data, self._event = [], "message"
            return
        if line.startswith(":"):
            found.append(Comment(line[1:].strip()))
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
