"""What every test of the embedded parts needs, however the tests themselves were started."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def closed_terminals_count() -> Iterator[None]:
    """Programs started by tests stop when their terminal closes, also where nohup runs the tests: they inherit this."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
