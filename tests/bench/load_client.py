"""Many people at once, in a process of its own: each keeps a live stream open and sends turn after turn.

Reads its task as JSON from its input and writes what it found to a file, as JSON: every call that was acknowledged, the text
that was shown for it, and how late each token came. Does as little as a client can, because it shares the machine
with what it measures.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

# Turns that are under way when the time is over get this long to end.
LAST_TURNS_S = 60.0


def now_us() -> int:
    return time.monotonic_ns() // 1000


@dataclass
class Found:
    """Times in microseconds. shown: of each acknowledged call the text its person saw."""

    shown: dict[str, str] = field(default_factory=dict)
    finished: dict[str, str] = field(default_factory=dict)
    finished_at: list[int] = field(default_factory=list)
    first_token: list[int] = field(default_factory=list)
    command: list[int] = field(default_factory=list)
    token_delays: array[int] = field(default_factory=lambda: array("q"))
    refused: list[str] = field(default_factory=list)
    streams_lost: int = 0
    frames: int = 0
    reads: int = 0


class Http(asyncio.Protocol):
    """One connection. Whole bodies go to `on_body`; of a stream, each piece goes to `on_piece`."""

    def __init__(
        self,
        on_body: Callable[[int, bytes], None],
        on_piece: Callable[[bytes], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._on_body, self._on_piece, self._on_lost = on_body, on_piece, on_lost
        self._buffer = b""
        self._status = 0
        self._length = -1  # -1: the head is still to come; -2: in pieces
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._on_lost is not None:
            self._on_lost()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._step():
            pass

    def _step(self) -> bool:
        if self._length == -1:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return False
            self._buffer = rest
            self._status = int(head[9:12])
            lower = head.lower()
            place = lower.find(b"content-length:")
            self._length = -2 if place < 0 else int(lower[place + 15 :].partition(b"\r\n")[0])
            return True
        if self._length >= 0:
            if len(self._buffer) < self._length:
                return False
            body, self._buffer = self._buffer[: self._length], self._buffer[self._length :]
            self._length = -1
            self._on_body(self._status, body)
            return True
        line_end = self._buffer.find(b"\r\n")
        if line_end < 0:
            return False
        size = int(self._buffer[:line_end], 16)
        end = line_end + 2 + size
        if len(self._buffer) < end + 2:
            return False
        piece = self._buffer[line_end + 2 : end]
        self._buffer = self._buffer[end + 2 :]
        if size == 0:
            self._length = -1
            self._on_body(self._status, self._body)
            self._body = b""
        elif self._on_piece is not None and self._status == 200:
            self._on_piece(piece)
        else:
            self._body += piece
        return True


class Person:
    """One account with one conversation on screen."""

    def __init__(self, task: dict[str, Any], account: dict[str, str], found: Found) -> None:
        place = urlsplit(task["url"])
        self._host, self._port = place.hostname or "127.0.0.1", place.port or 80
        self._cookie = f"verbatim_session={account['session']}; csrftoken={account['csrf']}"
        self._csrf = account["csrf"]
        self._found = found
        self._answers: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._texts: dict[str, list[str]] = {}
        self._next_seq: dict[str, int] = {}
        self._first_at: dict[str, int] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._rest = b""
        self._leaving = False
        self._api: Http | None = None
        self.conversation_id = ""

    async def arrive(self) -> None:
        """Begin a conversation and open the live stream for it."""
        status, answer = await self._ask("POST", "/api/conversations/", {})
        assert status == 201, answer
        self.conversation_id = answer["id"]
        loop = asyncio.get_running_loop()
        opened: asyncio.Event = asyncio.Event()

        def take(piece: bytes) -> None:
            opened.set()
            self._take(piece)

        self._live = (
            await loop.create_connection(
                lambda: Http(self._stream_refused, take, self._stream_lost), self._host, self._port
            )
        )[1]
        path = f"/api/live/?conversation={self.conversation_id}&cursor={answer['position']}"
        self._live.transport.write(self._request("GET", path, b""))
        await asyncio.wait_for(opened.wait(), 30)

    async def leave(self) -> None:
        self._leaving = True
        self._live.transport.close()
        if self._api is not None:
            self._api.transport.close()

    async def turn(self, number: int) -> None:
        """Send a message and wait until its reply is told to be finished."""
        began = now_us()
        status, answer = await self._ask(
            "POST", f"/api/conversations/{self.conversation_id}/messages/", {"content": f"Message {number}"}
        )
        found = self._found
        found.command.append(now_us() - began)
        if status != 202:
            found.refused.append(f"{status} {answer}")
            await asyncio.sleep(0.2)
            return
        call_id = answer["call_id"]
        found.shown[call_id] = ""
        await self._ended.setdefault(call_id, asyncio.Event()).wait()
        found.shown[call_id] = "".join(self._texts.pop(call_id, []))
        found.finished_at.append(now_us())
        if call_id in self._first_at:
            found.first_token.append(self._first_at.pop(call_id) - began)
        for kept in (self._ended, self._next_seq):
            kept.pop(call_id, None)

    # ---- the stream -------------------------------------------------------------------------

    def _take(self, piece: bytes) -> None:
        self._found.reads += 1
        now = now_us()
        *frames, self._rest = (self._rest + piece if self._rest else piece).split(b"\n\n")
        for frame in frames:
            self._found.frames += 1
            if frame.startswith(b"event: chunk\ndata: "):
                self._take_chunk(json.loads(frame[19 : frame.index(b"\n", 19)]), now)
            elif frame.startswith(b"event: call\ndata: "):
                data = json.loads(frame[18 : frame.index(b"\n", 18)])
                if data["state"] == "finished" and data["reply_id"] is not None:
                    self._found.finished[data["call_id"]] = data["outcome"]
                    self._ended.setdefault(data["call_id"], asyncio.Event()).set()

    def _take_chunk(self, data: dict[str, Any], now: int) -> None:
        call_id, text = data["call_id"], data["text"]
        texts = self._texts.setdefault(call_id, [])
        if not texts:
            self._first_at[call_id] = now
        expected = self._next_seq.get(call_id, 0)
        if data["seq"] != expected:
            # A gap or a duplicate, which makes what was shown differ from what is stored.
            texts.append(f"<seq {data['seq']} instead of {expected}>")
        self._next_seq[call_id] = data["seq"] + 1
        texts.append(text)
        self._found.token_delays.extend(now - int(sent_at) for sent_at in text.split())

    def _stream_refused(self, status: int, body: bytes) -> None:
        if not self._leaving:
            self._found.refused.append(f"live stream: {status} {body[:200]!r}")

    def _stream_lost(self) -> None:
        if not self._leaving:
            self._found.streams_lost += 1

    # ---- commands ---------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self._api is None or self._api.transport.is_closing():
            loop = asyncio.get_running_loop()
            self._api = (
                await loop.create_connection(
                    lambda: Http(lambda status, text: self._answers.put_nowait((status, text))),
                    self._host,
                    self._port,
                )
            )[1]
        self._api.transport.write(self._request(method, path, json.dumps(body).encode()))
        status, text = await asyncio.wait_for(self._answers.get(), 60)
        return status, json.loads(text)

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nCookie: {self._cookie}\r\n"
            f"X-CSRFToken: {self._csrf}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


async def ask_runner(url: str, found: Found, number: int) -> None:
    """One turn with the runner driven directly, as the product drives it: a connection for each call."""
    place = urlsplit(url)
    ended = asyncio.Event()
    texts: list[str] = []
    first: list[int] = []
    began = now_us()

    def take(piece: bytes) -> None:
        now = now_us()
        found.reads += 1
        for event in piece.split(b"\n\n"):
            if not event.startswith(b"data: {"):
                continue
            found.frames += 1
            choices = json.loads(event[6:])["choices"]
            text = choices[0]["delta"].get("content") if choices else None
            if text:
                if not first:
                    first.append(now)
                texts.append(text)
                found.token_delays.append(now - int(text))

    _, http = await asyncio.get_running_loop().create_connection(
        lambda: Http(lambda *_: ended.set(), take, ended.set), place.hostname or "127.0.0.1", place.port or 80
    )
    body = b'{"messages":[{"content":"Message","role":"user"}],"model":"m","stream":true}'
    http.transport.write(
        f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: runner\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await ended.wait()
    http.transport.close()
    found.finished_at.append(now_us())
    found.first_token.append(first[0] - began)
    found.shown[f"direct {id(texts)} {number}"] = "".join(texts)


async def keep_on(turn: Callable[[int], Any], until: float, start_after: float) -> None:
    await asyncio.sleep(start_after)
    number = 0
    while time.monotonic() < until:
        await turn(number)
        number += 1


async def run(task: dict[str, Any]) -> Found:
    found = Found()
    people: list[Person] = []
    turns: list[Callable[[int], Any]]
    if task["kind"] == "direct":
        turns = [lambda number: ask_runner(task["url"], found, number) for _ in range(task["users"])]
    else:
        people = [Person(task, account, found) for account in task["accounts"]]
        for start in range(0, len(people), 20):
            await asyncio.gather(*(person.arrive() for person in people[start : start + 20]))
        turns = [person.turn for person in people]
    print("ready", flush=True)
    sys.stdin.readline()
    # People do not all press the key in the same moment: they begin within one turn's time.
    until, spread = time.monotonic() + task["seconds"], task["spread_s"]
    running = [
        asyncio.create_task(keep_on(turn, until, spread * number / len(turns)))
        for number, turn in enumerate(turns)
    ]
    _, late = await asyncio.wait(running, timeout=task["seconds"] + LAST_TURNS_S)
    for straggler in late:
        straggler.cancel()
    for done in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(done, Exception):
            found.refused.append(repr(done))
    for person in people:
        await person.leave()
    return found


def main() -> int:
    task = json.loads(sys.stdin.readline())
    found = uvloop.run(run(task))
    with open(task["answer"], "w", encoding="utf-8") as answer:
        json.dump({**vars(found), "token_delays": found.token_delays.tolist()}, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
