"""Finds the handler of a command. Handlers register themselves here; handlers.py knows them all."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from backend.application.execution import Handling
from backend.application.ports import Answer

Handle = Callable[[Handling], Answer]
"""One try at a command: load, decide, save. Run again where somebody else was faster."""


@singledispatch
def handler_of(command: object) -> Handle:
    """The handler of a command, which may be run several times until it commits."""
    raise TypeError(f"No handler is registered for {type(command).__name__}.")
