"""A model runner that does what it is told: real HTTP on a real socket, for tests and demonstrations.

`python -m backend.model_runner.scripted --port 0` prints its URL. Over HTTP it is controlled with
POST /__script__ (scripts for the next requests, in order), POST /__release__ (go on where a script
holds) and GET /__requests__ (what was received, byte for byte).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from backend.model_runner.script import BadScript, Script, Step, default_script, script_of_json

MODEL_ID = "scripted-model"
CONTEXT_TOKENS = 8192


@dataclass
class ReceivedRequest:
    """One request as it came. closed_early: the client left before the answer was complete."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    closed_early: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)



class ScriptedRunner:
    """Use as an async context manager, or in a thread of its own with `in_thread()`."""

    def __init__(self, *, port: int = 0, delay_ms: float = 1.0) -> None:
        self._port = port
        self.delay_ms = delay_ms
        self.requests: list[ReceivedRequest] = []
        self._scripts: deque[Script] = deque()
        self._standing: Script | None = None
        self._release = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    # ---- for tests --------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def completions(self) -> list[ReceivedRequest]:
        """The requests for completions, in the order they came."""
        return [request for request in list(self.requests) if request.path.endswith("/chat/completions")]

    def play(self, *scripts: Script) -> None:
        """Answer the next requests with these scripts, one each."""
        with self._lock:
            self._scripts.extend(scripts)

    def always(self, script: Script | None) -> None:
        """Answer every request that has no script of its own with this one; None: the default reply."""
        with self._lock:
            self._standing = script

    def reset(self) -> None:
        """Forget scripts and requests, and let go what is held."""
        with self._lock:
            self._scripts.clear()
            self._standing = None
            self.requests = []
        self.release()

    def release(self) -> None:
        """Let every script that holds now go on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._release_now)

    def _release_now(self) -> None:
        self._release.set()
        self._release = asyncio.Event()

    # ---- running ----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=2**20)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def serve_forever(self) -> None:
        assert self._server is not None
        await self._server.serve_forever()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run in a thread with a loop of its own until the context is left."""
        started, stop = threading.Event(), threading.Event()

        async def run() -> None:
            async with self:
                started.set()
                await asyncio.to_thread(stop.wait)

        thread = threading.Thread(target=lambda: asyncio.run(run()), name="scripted-runner", daemon=True)
        thread.start()
        if not started.wait(10):
            raise RuntimeError("The scripted runner did not start within 10 seconds.")
        try:
            yield self
        finally:
            stop.set()
            thread.join(10)

    # ---- one connection ---------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            if request is None:
                return
            await self._answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which tests do on purpose
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _answer(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.path.startswith("/__"):
            await _respond(writer, *self._control(request))
            return
        self.requests.append(request)
        if request.path.endswith("/models"):
            listing = {"object": "list", "data": [{"id": MODEL_ID, "object": "model", "meta": {"n_ctx": CONTEXT_TOKENS}}]}
            await _respond(writer, 200, listing)
        elif request.path.endswith("/chat/completions"):
            player = _Player(self, request, writer)
            left = asyncio.ensure_future(_client_left(reader))
            playing = asyncio.ensure_future(player.play(self._next_script(request)))
            done, _ = await asyncio.wait({left, playing}, return_when=asyncio.FIRST_COMPLETED)
            if playing not in done:
                request.closed_early = True
            for task in (left, playing):
                task.cancel()
            await asyncio.gather(left, playing, return_exceptions=True)
        else:
            await _respond(writer, 404, {"error": {"message": "not found", "type": "not_found_error", "code": 404}})

    def _next_script(self, request: ReceivedRequest) -> Script:
        with self._lock:
            if self._scripts:
                return self._scripts.popleft()
            if self._standing is not None:
                return self._standing
        try:
            body = request.json
        except ValueError:
            return Script().respond(400, {"error": {"message": "invalid JSON", "type": "invalid_request_error"}})
        return default_script(body if isinstance(body, dict) else {}, delay_ms=self.delay_ms)

    def _control(self, request: ReceivedRequest) -> tuple[int, Any]:
        match request.method, request.path:
            case "POST", "/__script__":
                try:
                    value = request.json
                    scripts = [script_of_json(item) for item in value.get("scripts", [])]
                    always = script_of_json(value["always"]) if value.get("always") else None
                except (BadScript, ValueError, AttributeError) as error:
                    return 400, {"error": str(error)}
                self.play(*scripts)
                if "always" in value:
                    self.always(always)
                return 200, {"waiting": len(self._scripts)}
            case "POST", "/__release__":
                self._release_now()
                return 200, {}
            case "GET", "/__requests__":
                return 200, {
                    "requests": [
                        {
                            "method": r.method,
                            "path": r.path,
                            "headers": r.headers,
                            "body": r.body.decode("utf-8", "replace"),
                            "closed_early": r.closed_early,
                        }
                        for r in self.requests
                    ]
                }
            case _:
                return 404, {"error": f"{request.method} {request.path} is not a control of the scripted runner."}

    async def wait_for_release(self) -> None:
        await self._release.wait()


class _Player:
    """Plays one script into one connection."""

    def __init__(self, runner: ScriptedRunner, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        self._runner = runner
        self._writer = writer
        self._open = False
        body = request.json if request.body[:1] == b"{" else {}
        self._model = body.get("model", MODEL_ID)

    async def play(self, script: Script) -> None:
        for step in script.steps:
            if await self._step(step):
                return
        if self._open:
            await self._finish()

    async def _step(self, step: Step) -> bool:
        """Carry out one step; True when the answer is over."""
        match step["do"]:
            case "text":
                await asyncio.sleep(step.get("delay_ms", 0) / 1000)
                await self._delta({"content": step["text"]})
            case "reasoning":
                await self._delta({step.get("field", "reasoning_content"): step["text"], "content": None})
            case "tool_call":
                function = {"name": step.get("name"), "arguments": step.get("arguments", "")}
                call = {"index": step["index"], "id": step.get("id"), "type": "function", "function": function}
                await self._delta({"tool_calls": [call]})
            case "finish":
                await self._chunk(choices=[{"index": 0, "delta": {}, "finish_reason": step["reason"]}])
            case "usage":
                prompt, completion = step["prompt_tokens"], step["completion_tokens"]
                usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
                await self._chunk(choices=[], usage=usage)
            case "done":
                await self._write(b"data: [DONE]\n\n")
            case "error":
                await self._event({"error": step["error"]})
            case "data":
                await self._event(step["value"])
            case "raw":
                await self._write(base64.b64decode(step["base64"]))
            case "ping":
                await self._write(b": still here\n\n")
            case "sleep":
                await asyncio.sleep(step["ms"] / 1000)
            case "hold":
                await self._runner.wait_for_release()
            case "cut":
                self._writer.transport.abort()
                return True
            case "end":
                await self._finish()
                return True
            case "respond":
                await _respond(self._writer, step["status"], step.get("body", ""), step["content_type"])
                return True
            case "never":
                await asyncio.Event().wait()
        return False

    async def _delta(self, delta: dict[str, Any]) -> None:
        if not self._open:
            # As llama.cpp begins: a role, and content null.
            await self._chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}])
        await self._chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])

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

    async def _write(self, data: bytes) -> None:
        if not self._open:
            self._open = True
            self._writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def _finish(self) -> None:
        if not self._open:
            await self._write(b"\n")
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


async def _client_left(reader: asyncio.StreamReader) -> None:
    """Return when the other side has closed. Nothing more is expected from it after its request."""
    while await reader.read(4096):
        pass


async def _read_request(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method, path, headers, body)


async def _respond(
    writer: asyncio.StreamWriter, status: int, body: Any, content_type: str = "application/json"
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()


def main(arguments: list[str]) -> int:
    """Serve until ended; prints the URL as its first line."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.model_runner.scripted", description="A model runner that follows a script."
    )
    parser.add_argument("--port", type=int, default=0, help="the port to serve on; 0 chooses a free one")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="pause before each word of the default reply")
    options = parser.parse_args(arguments)

    async def serve() -> None:
        async with ScriptedRunner(port=options.port, delay_ms=options.delay_ms) as runner:
            print(runner.url, flush=True)
            await runner.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
