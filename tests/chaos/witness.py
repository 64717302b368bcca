"""Clients that send, listen, come back after every cut as a browser does, and remember all they were told.

What they were acknowledged and shown is what the product must have kept. They never look into the database.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.support.api_client import ApiClient

Json = dict[str, Any]
TRY_AGAIN_S = 0.3
SILENCE_S = 30.0  # the product says something at least every 15 s
REPLY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Chunk:
    """As it was received. received: by time.monotonic(). after_resets: how often the client was told to begin anew."""

    seq: int
    text: str
    received: float
    after_resets: int


@dataclass
class Turn:
    """One message that was acknowledged, and all that was shown of its reply."""

    conversation_id: str
    content: str
    key: str
    sent: Json
    chunks: list[Chunk] = field(default_factory=list)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: str | None = None

    @property
    def call_id(self) -> str:
        return str(self.sent["call_id"])

    def shown(self) -> str:
        """The text on the screen: each piece once, in order."""
        by_seq = {chunk.seq: chunk.text for chunk in self.chunks}
        return "".join(by_seq[seq] for seq in sorted(by_seq))


class Witness:
    """One person in one conversation: sends a message, reads its reply, and sends the next.

    Every other one is impatient: it asks the next question, as a new beginning, whatever the last reply does.
    """

    def __init__(self, person: ApiClient, number: int, until: Callable[[], bool]) -> None:
        self._http = httpx.AsyncClient(
            base_url=str(person.http.base_url), cookies=dict(person.http.cookies), timeout=httpx.Timeout(10.0)
        )
        self._headers = person.csrf()
        self._number = number
        self._patience = random.Random(number)
        self._until = until
        self.conversation: Json = {}
        self.turns: list[Turn] = []
        self.problems: list[str] = []
        self.retries = self.reconnects = self.resets = 0
        self._by_call: dict[str, Turn] = {}
        # Chunks may come before the answer to the message that asked for them.
        self._early: dict[str, list[Chunk]] = {}

    async def run(self) -> None:
        """Talk until `until` says so, then wait for the last reply."""
        self.conversation = await self._command(
            "/api/conversations/", {"title": f"Storm {self._number}"}, 201
        )
        listening = asyncio.create_task(self._listen())
        try:
            number = 0
            while not self._until():
                number += 1
                await self._turn(number)
            for turn in self.turns:
                await self._wait_for_the_end_of(turn, REPLY_LIMIT_S)
                if not turn.finished.is_set():
                    self.problems.append(
                        f"{turn.content}: no end of its reply was heard within {REPLY_LIMIT_S:.0f} s"
                    )
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._http.aclose()

    async def _turn(self, number: int) -> None:
        content, key = f"Question {number} of witness {self._number}", str(uuid4())
        path = f"/api/conversations/{self.conversation['id']}/messages/"
        is_impatient = self._number % 2 == 1
        parent = {"parent_id": None} if is_impatient else {}
        sent = await self._command(path, {"content": content, **parent}, 202, key)
        turn = Turn(self.conversation["id"], content, key, sent)
        self.turns.append(turn)
        self._by_call[turn.call_id] = turn
        turn.chunks += self._early.pop(turn.call_id, [])
        await self._wait_for_the_end_of(
            turn, self._patience.uniform(0.5, 5.0) if is_impatient else REPLY_LIMIT_S
        )

    async def _wait_for_the_end_of(self, turn: Turn, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end_of(turn), seconds)

    async def _end_of(self, turn: Turn) -> None:
        """As a page does: wait for the end to be told, and look into the transcript after a reset."""
        while not turn.finished.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(turn.finished.wait(), 5.0)
            if not turn.finished.is_set() and self.resets:
                await self._look_into_the_transcript(turn)

    async def _look_into_the_transcript(self, turn: Turn) -> None:
        path = f"/api/conversations/{turn.conversation_id}/transcript/"
        with suppress(httpx.TransportError):
            response = await self._http.get(path)
            if response.status_code == 200:
                for row in response.json()["results"]:
                    if row["call_id"] == turn.call_id and row["outcome"] != "pending":
                        turn.outcome = row["outcome"]
                        turn.finished.set()

    async def _command(self, path: str, body: Json, status: int, key: str | None = None) -> Json:
        """Carry out a command, again and again with the same key, until it is acknowledged or refused."""
        headers = {**self._headers, "Idempotency-Key": key or str(uuid4())}
        while True:
            try:
                response = await self._http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code == status:
                answer: Json = response.json()
                return answer
            if response is not None and response.status_code < 500 and response.status_code != 409:
                raise AssertionError(f"POST {path}: {response.status_code} {response.text[:500]}")
            self.retries += 1
            await asyncio.sleep(TRY_AGAIN_S)

    # ---- listening --------------------------------------------------------------------------

    async def _listen(self) -> None:
        """One EventSource: opened again after every cut, with the id of the last whole event."""
        last_id: str | None = None
        while True:
            params = {"conversation": self.conversation["id"], "cursor": self.conversation["position"]}
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
            try:
                async with self._http.stream(
                    "GET",
                    "/api/live/",
                    params=params,
                    headers=headers,
                    timeout=httpx.Timeout(10.0, read=SILENCE_S),
                ) as response:
                    if response.status_code == 200:
                        async for event, data, cursor in _events(response):
                            last_id = cursor or last_id
                            self._take_in(event, data)
                    elif response.status_code not in (401, 503):
                        self.problems.append(f"the live stream answered {response.status_code}")
            except httpx.TransportError:
                pass
            self.reconnects += 1
            await asyncio.sleep(TRY_AGAIN_S)

    def _take_in(self, event: str, data: Json) -> None:
        if event == "reset":
            self.resets += 1
        elif event == "chunk":
            chunk = Chunk(data["seq"], data["text"], time.monotonic(), self.resets)
            turn = self._by_call.get(data["call_id"])
            (turn.chunks if turn is not None else self._early.setdefault(data["call_id"], [])).append(chunk)
        elif event == "call" and data["state"] == "finished":
            turn = self._by_call.get(data["call_id"])
            if turn is not None:
                turn.outcome = data["outcome"]
                turn.finished.set()


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, Json, str | None]]:
    """Whole events only: one that was cut in its middle never happened."""
    event, cursor = "message", None
    data: list[str] = []
    async for line in response.aiter_lines():
        if not line:
            if data:
                yield event, json.loads("\n".join(data)), cursor
            event, cursor, data = "message", None, []
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif line.startswith("id:"):
            cursor = line[3:].strip()
