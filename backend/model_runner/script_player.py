"""Plays a script into one HTTP connection, byte for byte, with the standard library alone.

Does not choose the script, and keeps nothing: that is the scripted runner's part.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.model_runner.script import Script, Step

MODEL_ID = "scripted-model"
CONTEXT_TOKENS = 8192
TLS_BEGINS = b"\x16"


@dataclass
class ReceivedRequest:
    """One request as it came.

    closed_early: the client left before the answer was complete; closed_at: when, by time.monotonic().
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    closed_early: bool = False
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Player:
    """Plays one script into one connection."""

    def __init__(
        self,
        request: ReceivedRequest,
        writer: asyncio.StreamWriter,
        *,
        released: Callable[[], Awaitable[None]],
    ) -> None:
        self._released = released
        self._writer = writer
        self._open = False
        self._spoken = False
        self._model = _model_asked_for(request)

    async def play(self, script: Script) -> None:
        for step in script.steps:
            if await self._step(step):
                return
        if self._open:
            await self._finish()

    async def _step(self, step: Step) -> bool:
        """Carry out one step; True when the answer is over."""
        match step["do"]:
            case "headers":
                await self._begin()
            case "role":
                await self._chunk(choices=[_choice({"role": "assistant", "content": None})])
            case "text":
                await asyncio.sleep(step.get("delay_ms", 0) / 1000)
                await self._delta({"content": step["text"]})
            case "reasoning":
                await self._delta({step.get("field", "reasoning_content"): step["text"], "content": None})
            case "tool_call":
                function = {"name": step.get("name"), "arguments": step.get("arguments", "")}
                call = {
                    "index": step["index"],
                    "id": step.get("id"),
                    "type": "function",
                    "function": function,
                }
                await self._delta({"tool_calls": [call]})
            case "finish":
                await self._chunk(choices=[_choice({}, step["reason"])])
            case "usage":
                prompt, completion = step["prompt_tokens"], step["completion_tokens"]
                usage = {
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                    "total_tokens": prompt + completion,
                }
                await self._chunk(choices=[], usage=usage)
            case "done":
                await self._write(b"data: [DONE]\n\n")
            case "error":
                await self._event({"error": step["error"]})
            case "data":
                await self._event(step["value"])
            case "raw":
                await self._write(base64.b64decode(step["base64"]))
            case "socket":
                self._writer.write(base64.b64decode(step["base64"]))
                await self._writer.drain()
            case "ping":
                await self._write(b": still here\n\n")
            case "sleep":
                await asyncio.sleep(step["ms"] / 1000)
            case "hold":
                await self._released()
            case "cut":
                self._writer.transport.abort()
                return True
            case "hang_up":
                self._writer.close()
                return True
            case "end":
                await self._finish()
                return True
            case "respond":
                body = base64.b64decode(step["base64"]) if "base64" in step else step.get("body", "")
                kind = step.get("content_type", "application/json")
                await respond(self._writer, step["status"], body, kind, step.get("headers", {}))
                return True
            case "never":
                await asyncio.Event().wait()
        return False

    async def _delta(self, delta: dict[str, Any]) -> None:
        if not self._spoken:
            # As llama.cpp begins: a role, and content null.
            self._spoken = True
            await self._chunk(choices=[_choice({"role": "assistant", "content": None})])
        await self._chunk(choices=[_choice(delta)])

    async def _chunk(self, **fields: Any) -> None:
        await self._event(
            {
                "id": "chatcmpl-scripted",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": self._model,
                "system_fingerprint": "scripted-1",
                **fields,
            }
        )

    async def _event(self, value: Any) -> None:
        await self._write(f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode())

    async def _begin(self) -> None:
        if not self._open:
            self._open = True
            self._writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )
            await self._writer.drain()

    async def _write(self, data: bytes) -> None:
        await self._begin()
        if data:  # an empty HTTP chunk would be the end
            self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await self._writer.drain()

    async def _finish(self) -> None:
        await self._begin()
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _model_asked_for(request: ReceivedRequest) -> str:
    try:
        body = request.json
    except ValueError:
        return MODEL_ID
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else MODEL_ID


async def client_left(reader: asyncio.StreamReader) -> None:
    """Return when the other side has closed. Nothing more is expected from it after its request."""
    while await reader.read(4096):
        pass


class NoHttp(Exception):
    """The other side began to speak TLS, whose first message has no end that could be waited for."""


async def read_request(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    """Raises NoHttp."""
    try:
        begun = await reader.readexactly(1)
        if begun == TLS_BEGINS:
            raise NoHttp
        head = (begun + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method, path, headers, body)


async def respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: Any,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    if isinstance(body, str):
        body = body.encode()
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    lines = {
        "Content-Type": content_type,
        "Content-Length": str(len(data)),
        "Connection": "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + data)
    await writer.drain()
