"""A program that calls a model through us, in front of a store in memory: what it sends, and what it is answered.

Goes the way of the endpoint, from the body's bytes on, without a connection or a runner.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from backend.api.openai.reading import read_request
from backend.application.outside_handlers import OutsideAnswer
from backend.domain.commands import JoinAt, RecordModelCallResult, RequestOutsideCall
from backend.domain.model_call import AttemptResult
from backend.event_store.memory import InMemoryEventStore
from backend.prompting.client_body import with_model
from tests.support.core import Core

WORKER = "web-1"
Message = dict[str, Any]


def user(content: Any) -> Message:
    return {"role": "user", "content": content}


def system(content: str) -> Message:
    return {"role": "system", "content": content}


@dataclass(frozen=True)
class Answered:
    """message: the reply as a client would send it back."""

    conversation_id: UUID
    reply_id: UUID
    call_id: UUID
    message: Message


def outside_command(
    owner_id: UUID,
    body: str,
    joins: tuple[JoinAt, ...] = (),
    *,
    at_once: bool = True,
    sent_model: str | None = None,
    archived: bool = False,
) -> RequestOutsideCall:
    """What the endpoint makes of a body."""
    read = read_request(body.encode())
    sent = with_model(read.raw, sent_model or read.model).encode()
    return RequestOutsideCall(
        owner_id=owner_id,
        call_id=uuid4(),
        messages=read.messages,
        joins=joins,
        system_prompt=read.system_prompt,
        model=read.model,
        sent_model=sent_model or read.model,
        params=read.params,
        runner="runner",
        runner_version=None,
        raw_body=read.raw,
        body_sha256=hashlib.sha256(sent).hexdigest(),
        body_length=len(sent),
        worker=WORKER,
        at_once=at_once,
        archived=archived,
    )


class Program:
    """Asks under its owner's name."""

    def __init__(self, core: Core, store: InMemoryEventStore) -> None:
        self.core = core
        self.store = store

    def request(
        self, messages: list[Message], *, at_once: bool = True, sent_model: str | None = None, **fields: Any
    ) -> tuple[RequestOutsideCall, OutsideAnswer]:
        """Ask, and leave it there."""
        archived = fields.pop("archived", False)
        body = json.dumps({"model": "m", "messages": messages, **fields})
        joins = self._joins(read_request(body.encode()).beginnings())
        command = outside_command(
            self.core.owner_id, body, joins, at_once=at_once, sent_model=sent_model, archived=archived
        )
        answer = self.core.run(command)
        assert isinstance(answer, OutsideAnswer)
        return command, answer

    def ask(
        self,
        messages: list[Message],
        reply: str = "Hello",
        *,
        tool_calls: tuple[Any, ...] = (),
        outcome: str = "complete",
        **fields: Any,
    ) -> Answered:
        """Ask, and get the whole reply."""
        command, answer = self.request(messages, **fields)
        result = AttemptResult(1, outcome, finish_reason="tool_calls" if tool_calls else "stop")
        self.core.run(
            RecordModelCallResult(command.call_id, result, reply, "", tool_calls, None, WORKER, 1),
            actor=f"model-calls:{WORKER}",
        )
        message: Message = {"role": "assistant", "content": reply or None}
        if tool_calls:
            message["tool_calls"] = list(tool_calls)
        body = answer.body
        return Answered(UUID(body["conversation_id"]), UUID(body["reply_id"]), UUID(body["call_id"]), message)

    def _joins(self, beginnings: list[tuple[bytes, int]]) -> tuple[JoinAt, ...]:
        found = [
            JoinAt(conversation_id, message_id, count)
            for chain, count in reversed(beginnings)
            for (owner_id, known, conversation_id), message_id in reversed(self.store.prefixes.items())
            if (owner_id, known) == (self.core.owner_id, chain)
        ]
        return tuple(found)


def body_of_a_program(texts: list[str]) -> str:
    """A list of messages of every role. texts: three, of which the first is said by nobody but the program."""
    messages = [
        user(texts[0]),
        {"role": "assistant", "content": texts[1], "tool_calls": [{"id": "c1", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": texts[2]},
        system(texts[0]),
        user(
            [
                {"type": "text", "text": texts[2]},
                {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
            ]
        ),
    ]
    return json.dumps({"model": "m", "messages": messages})
