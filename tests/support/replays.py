"""Short ways through replays, for tests of the handlers: what a worker and a runner do, step by step."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from backend.domain import events as e
from backend.domain import outcomes
from tests.support.core import Core
from tests.support.histories import MODEL


def with_turns(core: Core, count: int = 3) -> UUID:
    """A conversation with the user messages 1, 2, 3… and replies to them."""
    conversation_id = core.start()
    for number in range(1, count + 1):
        core.turn(conversation_id, str(number), f"{number}!")
    return conversation_id


def asked_by(core: Core, conversation_id: UUID, replay_id: UUID) -> list[e.ReplyRequested]:
    """The replies that a replay asked for, oldest first."""
    return [
        event
        for event in core.events(conversation_id)
        if isinstance(event, e.ReplyRequested) and event.replay and event.replay.replay_id == replay_id
    ]


def newest(core: Core, conversation_id: UUID, replay_id: UUID) -> UUID:
    """The call of the reply that a replay asked for last."""
    return asked_by(core, conversation_id, replay_id)[-1].call_id


def finish(core: Core, conversation_id: UUID, replay_id: UUID) -> list[str]:
    """Take every step and answer every turn until nothing is due; returns the steps."""
    steps: list[str] = []
    while (step := core.advance(conversation_id, replay_id)) is not None:
        steps.append(step)
        if step == "send":
            core.answer(newest(core, conversation_id, replay_id), f"R{len(steps)}")
    return steps


def texts(core: Core, call_id: UUID) -> list[str]:
    return [text for _, text in core.prompt_of(call_id)]


def state(core: Core, conversation_id: UUID, replay_id: UUID) -> str:
    return core.conversation(conversation_id).replay(replay_id).state


class TooSmall:
    """Knows one model with little room; what else happens while somebody asks for it is the test's choice."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.meanwhile: list[Callable[[], object]] = []

    def context_tokens(self, runner: str, model: str) -> int | None:
        while self.meanwhile:
            self.meanwhile.pop()()
        return self.tokens if model == "tiny" else None

    def known_models(self) -> frozenset[str] | None:
        return frozenset({"tiny", "big", MODEL})


def stopped_at(core: Core, conversation_id: UUID, *, outcome: str = outcomes.FAILED) -> UUID:
    """A replay that has stopped at its second turn."""
    replay_id = core.replay(conversation_id)
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "R1")
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "", outcome)
    assert core.advance(conversation_id, replay_id) == "stop"
    return replay_id
