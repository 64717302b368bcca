"""Several web processes at one address: whichever is asked tells of all that share a folder of counts.

Which processes there are is seen by their files, each of which has a process id in its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.registry import Collector

_SUMMED: Final = frozenset(
    {
        "process_cpu_seconds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
_OF_STREAMS: Final = "gauge_livesum_*.db"
"""Made by each web process as it starts; what only living processes count for."""


class Processes(Collector):
    """Memory, processor and files of all living web processes together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """One figure of each kind."""
        summed: dict[str, Metric] = {}
        for pid in filter(_lives, _pids(self._folder)):
            for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                if family.name not in _SUMMED:
                    continue
                if (known := summed.get(family.name)) is None:
                    summed[family.name] = family
                else:
                    [before], [sample] = known.samples, family.samples
                    known.samples = [before._replace(value=before.value + sample.value)]
        yield from summed.values()


def forget_the_dead(folder: Path) -> None:
    """Streams of a process that was killed are open no more."""
    for pid in _pids(folder):
        if not _lives(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]  # the library has no types here


def _pids(folder: Path) -> list[int]:
    numbers = (file.stem.rpartition("_")[2] for file in folder.glob(_OF_STREAMS))
    return sorted(int(number) for number in numbers if number.isdecimal())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        # The web processes are all the same user's: a process that we may not signal has got the number of one that is gone.
        return False
    return True
