"""Progress of a long command: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Final, TextIO

_BAR_WIDTH: Final = 30
_LINE_EVERY_S: Final = 5.0
_BAR_EVERY_S: Final = 0.05


class Meter:
    """Shows how far something has come, with counts and rate. unit: what is counted, in the plural."""

    def __init__(self, name: str, stream: TextIO, *, unit: str) -> None:
        self._name = name
        self._stream = stream
        self._unit = unit
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._shown_at = self._began if not self._terminal else 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def show(self, share: float, count: int) -> None:
        """share: of the whole, 0 to 1. count: of what has been done."""
        now = time.monotonic()
        if now - self._shown_at < (_BAR_EVERY_S if self._terminal else _LINE_EVERY_S) and not (
            self._terminal and share >= 1
        ):
            return
        self._shown_at = now
        rate = count / max(self.seconds, 0.001)
        counts = f"{share:4.0%}  {count:,} {self._unit}  {rate:,.0f}/s"
        if self._terminal:
            filled = int(share * _BAR_WIDTH)
            bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
            self._stream.write(f"\r{self._name}  {bar}  {counts}\x1b[K")
        else:
            self._stream.write(f"{self._name}: {counts}\n")
        self._stream.flush()

    def interrupt(self) -> None:
        """Make room for a line of output below which the bar goes on."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Leave the bar's line, if there is one."""
        if self._terminal and self._shown_at:
            self._stream.write("\n")
