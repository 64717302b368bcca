"""A model runner that does what it is told: real HTTP on a real socket, for tests and demonstrations.

`python -m backend.model_runner.scripted --port 0` prints its URL. Over HTTP it is controlled with
POST /__script__ (scripts for the next requests, in order), POST /__release__ (go on where a script
holds), POST /__refuse__ (`{"seconds": 2}`: take no connections for so long, as a runner that is being started
anew) and GET /__requests__ (what was received, byte for byte). Without a script it streams a short
Markdown reply that quotes the last user message. Only for this machine: it listens on loopback alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from backend.model_runner.script import BadScript, Script, default_script, scripts_of_json
from backend.model_runner.script_player import (
    CONTEXT_TOKENS,
    MODEL_ID,
    NoHttp,
    Player,
    ReceivedRequest,
    client_left,
    read_request,
    respond,
)

__all__ = ["CONTEXT_TOKENS", "MODEL_ID", "ReceivedRequest", "ScriptedRunner", "main"]


class ScriptedRunner:
    """Use as an async context manager, or in a thread of its own with `in_thread()`."""

    def __init__(self, *, port: int = 0, delay_ms: float = 1.0, context_tokens: int = CONTEXT_TOKENS) -> None:
        self._port = port
        self._context_tokens = context_tokens
        self.delay_ms = delay_ms
        self.requests: list[ReceivedRequest] = []
        self._scripts: deque[Script] = deque()
        self._standing: Script | None = None
        self._release = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._coming_back: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._connections: set[asyncio.Task[None]] = set()

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

    def refuse_for(self, seconds: float) -> None:
        """Take no connections for so long, from now on; streams that run go on. For the thread of the test."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self.refuse(seconds), self._loop).result(10)

    async def refuse(self, seconds: float) -> None:
        """The same, for who shares the runner's loop."""
        assert self._server is not None
        self._server.close()
        if self._coming_back is not None:
            self._coming_back.cancel()
        self._coming_back = asyncio.create_task(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=2**20)

    def _release_now(self) -> None:
        self._release.set()
        self._release = asyncio.Event()

    # ---- running ----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._listen()
        assert self._server is not None
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._coming_back is not None:
            self._coming_back.cancel()
        assert self._server is not None
        self._server.close()
        for task in (connections := list(self._connections)):
            task.cancel()
        # What failed while it was told to end has been reported by _serve.
        await asyncio.gather(*connections, return_exceptions=True)

    async def serve_forever(self) -> None:
        # Not the server's own way to wait: that one would end with the first refusal.
        await asyncio.Event().wait()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run in a thread with a loop of its own until the context is left."""
        started, stop = threading.Event(), threading.Event()
        problems: list[BaseException] = []

        async def run() -> None:
            async with self:
                started.set()
                await asyncio.to_thread(stop.wait)

        def run_and_tell() -> None:
            try:
                asyncio.run(run())
            except OSError as error:  # such as a busy port: raised again where the runner was asked for
                problems.append(error)
                started.set()

        thread = threading.Thread(target=run_and_tell, name="scripted-runner", daemon=True)
        thread.start()
        if not started.wait(10):
            raise RuntimeError("The scripted runner did not start within 10 seconds.")
        if problems:
            raise problems[0]
        try:
            yield self
        finally:
            stop.set()
            thread.join(10)

    # ---- one connection ---------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            request = await read_request(reader)
            if request is not None:
                await self._answer(request, reader, writer)
        except NoHttp:
            await respond(writer, 400, "This is HTTP, not HTTPS.", "text/plain")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which tests do on purpose
        except asyncio.CancelledError:
            pass  # the runner is ending; a task cancelled here would be reported as a fault
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.path.startswith("/__"):
            await respond(writer, *await self._control(request))
            return
        self.requests.append(request)
        if request.path.endswith("/models"):
            model = {"id": MODEL_ID, "object": "model", "meta": {"n_ctx": self._context_tokens}}
            await respond(writer, 200, {"object": "list", "data": [model]})
        elif request.path.endswith("/chat/completions"):
            await self._complete(request, reader, writer)
        else:
            missing = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
            await respond(writer, 404, missing)

    async def _complete(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        player = Player(request, writer, released=self._wait_for_release)
        left = asyncio.ensure_future(client_left(reader))
        playing = asyncio.ensure_future(player.play(self._next_script(request)))
        try:
            await asyncio.wait({left, playing}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                request.closed_at = time.monotonic()
                request.closed_early = True
        finally:
            for task in (left, playing):
                task.cancel()
            await asyncio.gather(left, playing, return_exceptions=True)
        if not playing.cancelled():
            playing.result()  # a script that cannot be played must be seen, not look like a cut

    def _next_script(self, request: ReceivedRequest) -> Script:
        with self._lock:
            if self._scripts:
                return self._scripts.popleft()
            if self._standing is not None:
                return self._standing
        try:
            body = request.json
        except ValueError:
            return Script().respond(
                400, {"error": {"message": "invalid JSON", "type": "invalid_request_error"}}
            )
        return default_script(body if isinstance(body, dict) else {}, delay_ms=self.delay_ms)

    async def _control(self, request: ReceivedRequest) -> tuple[int, Any]:
        match request.method, request.path:
            case "POST", "/__script__":
                try:
                    value = request.json
                    scripts, always = scripts_of_json(value)
                except ValueError as error:
                    return 400, {"error": str(error)}
                self.play(*scripts)
                if "always" in value:
                    self.always(always)
                return 200, {"waiting": len(self._scripts)}
            case "POST", "/__release__":
                self._release_now()
                return 200, {}
            case "POST", "/__refuse__":
                seconds = _seconds_in(request)
                if seconds is None:
                    return 400, {"error": 'Expected {"seconds": 2}, a number from 0 to 3600.'}
                await self.refuse(seconds)
                return 200, {}
            case "GET", "/__requests__":
                return 200, {
                    "requests": [
                        {
                            "method": r.method,
                            "path": r.path,
                            "headers": r.headers,
                            "body": r.body.decode("utf-8", "replace"),
                            "body_base64": base64.b64encode(r.body).decode(),
                            "closed_early": r.closed_early,
                        }
                        for r in self.requests
                    ]
                }
            case _:
                return 404, {
                    "error": f"{request.method} {request.path} is not a control of the scripted runner."
                }

    async def _wait_for_release(self) -> None:
        await self._release.wait()


def _seconds_in(request: ReceivedRequest) -> float | None:
    try:
        seconds = request.json["seconds"]
    except (ValueError, TypeError, KeyError):
        return None
    return seconds if isinstance(seconds, int | float) and 0 <= seconds <= 3600 else None


def _scripts_in(path: Path) -> tuple[list[Script], Script | None]:
    try:
        return scripts_of_json(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise BadScript(f"The script file {path} cannot be used: {error}") from error


def main(arguments: list[str]) -> int:
    """Serve until ended; prints the URL as its first line."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.model_runner.scripted", description="A model runner that follows a script."
    )
    parser.add_argument("--port", type=int, default=0, help="the port to serve on; 0 chooses a free one")
    parser.add_argument(
        "--delay-ms", type=float, default=20.0, help="pause before each word of the default reply"
    )
    parser.add_argument("--script", type=Path, help="a JSON file, as POST /__script__ takes it")
    options = parser.parse_args(arguments)
    try:
        scripts, always = _scripts_in(options.script) if options.script else ([], None)
    except BadScript as error:
        print(error, file=sys.stderr)
        return 2

    async def serve() -> None:
        async with ScriptedRunner(port=options.port, delay_ms=options.delay_ms) as runner:
            runner.play(*scripts)
            runner.always(always)
            print(runner.url, flush=True)
            await runner.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
