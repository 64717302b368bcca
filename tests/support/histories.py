"""Conversations written down message by message, for tests of prompts and for golden files.

told = Told().user("Hi").reply("Hello").user("How are you?")
build_prompt(told.slices(), told.request())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.envelope import Stamp
from backend.domain.prompt_request import PromptRequest
from backend.domain.values import ParamValue
from backend.prompting.build import CannotRebuildPrompt, Prompt, StreamSlice, build_prompt
from backend.prompting.prefixes import BranchPrompts, PromptBytes
from tests.support.facts import CONVERSATION, OWNER, Fact, as_events, call_id, fact, message_id, stamper

SYSTEM = "You are a helpful assistant."
MODEL = "smollm2-135m-instruct"


def prompts_of(history: Sequence[StreamSlice]) -> BranchPrompts:
    """The fast builder with a fork chain taken in."""
    prompts = BranchPrompts()
    for place, part in enumerate(history):
        first = part.events[0] if part.events else None
        if place and isinstance(first, e.ConversationStarted) and first.forked_from is not None:
            prompts = BranchPrompts.forked(prompts, first.forked_from)
        prompts.take(part.events)
    return prompts


def build_both(history: Sequence[StreamSlice], request: PromptRequest) -> Prompt:
    """The prompt as its definition builds it; the fast builder must come to the same, or refuse as well."""
    refusal = _refusal(lambda: build_prompt(history, request))
    if refusal is not None:
        assert _refusal(lambda: prompts_of(history).build(request)) == refusal
        assert _refusal(lambda: prompts_of(history).digest(request)) == refusal
    prompt = build_prompt(history, request)
    prompts = prompts_of(history)
    assert prompts.build(request) == PromptBytes(prompt.body, prompt.body_sha256)
    for _ in range(2):  # the second time from what was kept
        assert prompts.digest(request) == (prompt.body_sha256, len(prompt.body))
    return prompt


def _refusal(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except CannotRebuildPrompt as refused:
        return str(refused)
    return None


def started(*, system_prompt: str = SYSTEM, forked_from: e.ForkOrigin | None = None) -> list[Fact]:
    """How every conversation begins: itself, and its settings."""
    return [
        fact(e.ConversationStarted, owner_id=OWNER, title="New conversation", forked_from=forked_from),
        fact(e.SystemPromptChanged, text=system_prompt),
        fact(e.ModelSettingsChanged, model=MODEL, params={}),
    ]


def user_said(number: int, content: str, parent: int | None = None) -> Fact:
    """The user's message with this number, below the message `parent`."""
    parent_id = None if parent is None else message_id(parent)
    return fact(e.UserMessageSent, message_id=message_id(number), parent_id=parent_id, content=content)


def reply_requested(number: int, parent: int, continues: int | None = None) -> Fact:
    """The reply with this number; its call has the same number."""
    return fact(
        e.ReplyRequested,
        reply_id=message_id(number),
        parent_id=message_id(parent),
        call_id=call_id(number),
        continues=None if continues is None else message_id(continues),
        replay=None,
    )


def reply_recorded(
    number: int, content: str, outcome: str = outcomes.COMPLETE, error: e.ReplyError | None = None
) -> Fact:
    finish_reason = {outcomes.COMPLETE: "stop", outcomes.TRUNCATED: "length"}.get(outcome)
    return fact(
        e.ReplyRecorded,
        reply_id=message_id(number),
        call_id=call_id(number),
        content=content,
        reasoning="",
        tool_calls=[],
        finish_reason=finish_reason,
        outcome=outcome,
        error=error,
    )


class Told:
    """A conversation as it grows; each message is below the one before unless `below` says otherwise.

    first_number: of the first message, so that a fork's messages differ from its source's.
    """

    def __init__(
        self,
        *,
        conversation_id: UUID = CONVERSATION,
        system_prompt: str = SYSTEM,
        source: Told | None = None,
        first_number: int = 1,
        stamp: Stamp | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self._stamp = stamp or stamper()
        self._ancestors = source.slices() if source is not None else ()
        self.leaf: int | None = source.leaf if source is not None else None
        origin = None
        if source is not None and source.leaf is not None:
            origin = e.ForkOrigin(source.conversation_id, source.version, message_id(source.leaf))
        self._next = first_number
        self._events: list[e.VerbatimEvent] = []
        self.add(*started(system_prompt=system_prompt, forked_from=origin))

    @property
    def version(self) -> int:
        return len(self._events)

    def add(self, *facts: Fact) -> Told:
        self._events += as_events(
            self.conversation_id, facts, stamp=self._stamp, first_version=len(self._events) + 1
        )
        return self

    def system(self, text: str) -> Told:
        return self.add(fact(e.SystemPromptChanged, text=text))

    def user(self, content: str, *, below: int | str | None = "leaf") -> Told:
        """below: a message's number, None for a new root."""
        parent = self.leaf if isinstance(below, str) else below
        self.leaf = self._take_number()
        return self.add(user_said(self.leaf, content, parent))

    def asks(self, *, below: int | None = None, continues: bool = False) -> Told:
        """A reply is requested and stays pending."""
        parent = self.leaf if below is None else below
        assert parent is not None
        self.leaf = self._take_number()
        return self.add(reply_requested(self.leaf, parent, parent if continues else None))

    def reply(
        self,
        content: str,
        outcome: str = outcomes.COMPLETE,
        *,
        below: int | None = None,
        continues: bool = False,
        error: e.ReplyError | None = None,
    ) -> Told:
        """A reply is requested and recorded."""
        self.asks(below=below, continues=continues)
        assert self.leaf is not None
        return self.add(reply_recorded(self.leaf, content, outcome, error))

    def slices(self) -> tuple[StreamSlice, ...]:
        """The fork chain, root first, as it is now."""
        return (*self._ancestors, StreamSlice(self.conversation_id, list(self._events)))

    def request(
        self, *, leaf: int | None = None, params: Mapping[str, ParamValue] | None = None, **fields: Any
    ) -> PromptRequest:
        """What a call made now would record; leaf: another message than the latest one."""
        number = self.leaf if leaf is None else leaf
        values: dict[str, Any] = {
            "leaf_id": None if number is None else message_id(number),
            "version": self.version,
            "model": MODEL,
            "params": dict(params or {}),
        }
        return PromptRequest(**{**values, **fields})

    def _take_number(self) -> int:
        self._next += 1
        return self._next - 1
