"""One handler for each command: load, call, save. Where each stands is named here."""

from __future__ import annotations

from backend.application import (
    audit_handlers,
    branch_handlers,
    call_handlers,
    conversation_handlers,
    erasure_handlers,
    message_handlers,
    outside_handlers,
    replay_handlers,
)
from backend.application.dispatch import handler_of
from backend.application.execution import Handling, execute
from backend.application.ports import Answer
from backend.domain import commands as c

HANDLER_MODULES = (
    conversation_handlers,
    message_handlers,
    branch_handlers,
    replay_handlers,
    call_handlers,
    outside_handlers,
    audit_handlers,
    erasure_handlers,
)
"""Imported so that every command has its handler."""


def handle(command: c.Command, handling: Handling) -> Answer:
    """Carry out a command. Raises DomainError where it is refused; then nothing was stored."""
    return execute(handler_of(command), handling)
