"""Runs one command and ends it when the process that wanted it is gone.

Only for systems without Linux's parent-death signal (macOS): `python -m backend.embedded.watcher PARENT SIGNAL COMMAND…`.
It may not do anything else: it stands between the supervisor and every part.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType
from typing import Final

_CHECK_SECONDS: Final = 0.25


def main(arguments: list[str]) -> int:
    """Run the command; answer its exit code, or 128 + the number of the signal that ended it."""
    parent, death_signal = int(arguments[0]), signal.Signals[arguments[1]]
    child = subprocess.Popen(arguments[2:], close_fds=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    orphaned = False
    while True:
        try:
            code = child.wait(_CHECK_SECONDS)
        except subprocess.TimeoutExpired:
            if not orphaned and os.getppid() != parent:
                orphaned = True
                child.send_signal(death_signal)
            continue
        return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
