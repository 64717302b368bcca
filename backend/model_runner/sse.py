"""Server-sent events from bytes, by the WHATWG specification. Pure: knows nothing of HTTP or of models.

Bytes may be cut anywhere, also inside a character or between CR and LF: the events are the same.
What stands after the last blank line when the stream ends is dropped, as the specification wants.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

EVENT_LIMIT_CHARACTERS = 4 * 1024 * 1024


@dataclass(frozen=True)
class ServerSentEvent:
    """One event: its data lines joined by a newline."""

    data: str
    event: str = "message"


@dataclass(frozen=True)
class Comment:
    """A line that starts with a colon: a sign of life."""

    text: str


@dataclass(frozen=True)
class OtherField:
    """A field the specification does not know. A browser ignores it; one runner puts its errors there."""

    name: str
    value: str


SseItem = ServerSentEvent | Comment | OtherField


class EventTooLong(ValueError):
    """A line or an event grew beyond what any honest server sends."""


class SseParser:
    """Feed it bytes as they arrive; it gives back whatever is complete."""

    def __init__(self, *, limit_characters: int = EVENT_LIMIT_CHARACTERS) -> None:
        self._limit = limit_characters
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        # The unfinished line stays in pieces: joining it at every read would make a long line quadratic.
        self._pieces: list[str] = []
        self._line_characters = 0
        self._data: list[str] = []
        self._data_characters = 0
        self._event = ""
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[SseItem]:
        """Events, comments and other fields completed by these bytes, in order. Raises EventTooLong."""
        text = self._decoder.decode(data)
        if not text:
            return []
        if self._at_start:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        # A CR at the end of one read and an LF at the start of the next are one line end.
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *ends, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        found: list[SseItem] = []
        for end in ends:
            self._keep(end)
            line = "".join(self._pieces)
            self._pieces, self._line_characters = [], 0
            self._take(line, found)
        self._keep(rest)
        return found

    def _keep(self, piece: str) -> None:
        self._line_characters += len(piece)
        self._refuse_beyond(self._line_characters)
        if piece:
            self._pieces.append(piece)

    def _take(self, line: str, found: list[SseItem]) -> None:
        if not line:
            if self._data:
                found.append(ServerSentEvent("\n".join(self._data), self._event or "message"))
            self._data, self._data_characters, self._event = [], 0, ""
            return
        if line.startswith(":"):
            found.append(Comment(line[1:].strip()))
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                # The newline that joins it counts too, else empty lines could pile up without end.
                self._data_characters += len(value) + 1
                self._refuse_beyond(self._data_characters - 1)
            case "event":
                self._event = value
            case "id" | "retry":
                pass  # they are for clients that connect again; a reply is never asked for twice
            case _:
                found.append(OtherField(name, value))

    def _refuse_beyond(self, characters: int) -> None:
        if characters > self._limit:
            raise EventTooLong(f"a piece of the stream has more than {self._limit:,} characters")
