"""Answers of /v1 as clients expect them, where the runner's own cannot be passed on as it is. Pure."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from backend.model_calls.live_reply import LiveReply


class Names(TypedDict):
    """What an answer is called where the runner did not say. created: seconds since 1970."""

    call_id: str
    model: str
    created: int


DONE = b"data: [DONE]\n\n"
STILL_THERE = b": still there\n\n"


def as_event(data: str) -> bytes:
    """One piece of a stream; several lines stay several lines of the same event."""
    if "\n" not in data:
        return b"data: " + data.encode("utf-8", "replace") + b"\n\n"
    return "".join(f"data: {line}\n" for line in data.split("\n")).encode("utf-8", "replace") + b"\n"


def is_completion(data: str) -> bool:
    """Whether a piece is a whole answer rather than a part of a stream."""
    choice = _first_choice(data)
    return isinstance(choice.get("message"), dict)


def completion_of(reply: LiveReply, *, call_id: str, model: str, created: int) -> bytes:
    """A whole answer from what a runner streamed although it was not asked to."""
    choice = {"index": 0, "message": _message(reply), "logprobs": None, "finish_reason": reply.finish_reason}
    body = {
        **_head(reply, "chat.completion", call_id, model, created),
        "choices": [choice],
        "usage": _usage(reply),
    }
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def chunk_of(reply: LiveReply, *, call_id: str, model: str, created: int) -> bytes:
    """One piece with all of a reply, from a runner that answered in one although it was asked to stream."""
    message = _message(reply)
    for index, call in enumerate(message.get("tool_calls", [])):
        call["index"] = index
    choice = {"index": 0, "delta": message, "finish_reason": reply.finish_reason}
    body = {**_head(reply, "chat.completion.chunk", call_id, model, created), "choices": [choice]}
    if (usage := _usage(reply)) is not None:
        body["usage"] = usage
    return as_event(json.dumps(body, ensure_ascii=False))


def _head(reply: LiveReply, kind: str, call_id: str, model: str, created: int) -> dict[str, Any]:
    identity = reply.identity
    return {
        "id": identity.response_id or f"chatcmpl-{call_id}",
        "object": kind,
        "created": created,
        "model": identity.response_model or model,
        **({"system_fingerprint": identity.system_fingerprint} if identity.system_fingerprint else {}),
    }


def _message(reply: LiveReply) -> dict[str, Any]:
    text, reasoning, calls = "".join(reply.text), "".join(reply.reasoning), reply.tool_calls
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [dict(call) for call in calls]
    return message


def _usage(reply: LiveReply) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    prompt, completion = reply.usage.prompt_tokens or 0, reply.usage.completion_tokens or 0
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**told, **reply.usage.details}


def _first_choice(data: str) -> dict[str, Any]:
    try:
        choices = json.loads(data).get("choices")
    except (ValueError, AttributeError):
        return {}
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}
