"""What `make run` shows on the terminal. This module decides nothing; it only words and prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Lines for the person in front of the terminal: progress on standard output, trouble on standard error."""

    def say(self, line: str) -> None:
        """One line of progress."""
        print(line, flush=True)

    def warn(self, line: str) -> None:
        """One line about something that went wrong."""
        print(line, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Say `doing...` before the block, and `done` with the seconds it took after it. Silent when it raises."""
        self.say(f"{doing}...")
        started = time.monotonic()
        yield
        self.say(f"  {done} ({time.monotonic() - started:.1f} s)")
