"""What a model answered in one call, from the events. Reads; decides nothing about who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.application.ports import EventStore
from backend.domain import events as e
from backend.domain.errors import Conflict
from backend.domain.model_call import ModelCall
from backend.domain.outcomes import outcome_of_end


class PromptDiffers(Conflict):
    """What the events give now is not what was recorded when the call was made."""

    code = "prompt_differs"

    def __init__(self, call: ModelCall) -> None:
        super().__init__(
            f"The request of model call {call.id} was recorded as {call.body_length} bytes with SHA-256 "
            f"{call.body_sha256}, and the events do not give those any more. Run `manage.py verify prompts` and "
            "`manage.py verify log` to find what was changed."
        )


@dataclass(frozen=True)
class RecordedReply:
    """outcome: pending until the call's final end; there is no text before. tool_calls: as the runner gave them."""

    content: str
    reasoning: str
    tool_calls: Sequence[Any]
    outcome: str


def recorded_reply(store: EventStore, call: ModelCall) -> RecordedReply:
    """The text that came of a call: its reply's, or for a call without one what its final event holds."""
    if call.reply_id is not None and call.conversation_id is not None:
        # A reply comes after the state of its conversation that its prompt was built from.
        for event in store.read_events(call.conversation_id, after_version=call.prompt_request.version):
            if isinstance(event, e.ReplyRecorded) and event.reply_id == call.reply_id:
                return RecordedReply(event.content, event.reasoning, event.tool_calls, event.outcome)
    for event in store.read_events(call.id):
        if isinstance(event, e.ModelCallAttemptEnded) and event.final:
            return RecordedReply(event.content or "", "", (), outcome_of_end(event))
    return RecordedReply("", "", (), call.outcome)
