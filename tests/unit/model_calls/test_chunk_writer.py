"""How often chunks are written: at once while few replies are written, and in larger pieces under load."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from backend.domain.model_call import ModelCall
from backend.model_calls.chunks import LONGEST_REST_S, ChunkWriter
from backend.model_calls.link import Link, Pauses

TOKENS = 25
TOKEN_DELAY_S = 0.02


class Database:
    """Stands in for the link: takes every statement, in a millisecond."""

    def __init__(self) -> None:
        self.connections = 1
        self.flushes: list[int] = []
        self.texts: dict[UUID, str] = {}

    async def connection(self) -> None:
        return None

    async def run(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        await asyncio.sleep(0.001)
        if parameters is not None:
            self.flushes.append(len(parameters["call_ids"]))
            for call_id, text in zip(parameters["call_ids"], parameters["texts"], strict=True):
                self.texts[call_id] = self.texts.get(call_id, "") + text
        return [{"worker_id": "w"}]


class Call:
    """What the writer needs to know of a call."""

    def __init__(self, number: int) -> None:
        self.id = UUID(int=number)
        self.reply_id = UUID(int=1000 + number)
        self.conversation_id = UUID(int=2000 + number)
        self.owner_id = UUID(int=3000)


def write(streams: int) -> tuple[Database, list[int]]:
    """Let so many replies be written at the same time; the database, and each reply's number of chunks."""
    database = Database()

    async def reply(writer: ChunkWriter, number: int) -> int:
        call = Call(number)
        writer.open(cast(ModelCall, call), 1)
        for token in range(TOKENS):
            writer.add(call.id, f"{token} ", "")
            await asyncio.sleep(TOKEN_DELAY_S)
        count = await writer.drained(call.id)
        writer.close(call.id)
        return count

    async def scenario() -> list[int]:
        writer = ChunkWriter(cast(Link, database), "w", Pauses(0.01, 0.1))
        running = asyncio.create_task(writer.run())
        counts = await asyncio.gather(*(reply(writer, number) for number in range(streams)))
        running.cancel()
        return list(counts)

    return database, asyncio.run(scenario())


def test_a_single_reply_is_written_token_by_token() -> None:
    database, (count,) = write(1)

    assert count == TOKENS
    assert [size for size in database.flushes if size] == [1] * TOKENS


def test_two_hundred_replies_are_written_in_fewer_larger_chunks_that_lose_nothing() -> None:
    database, counts = write(200)

    whole = "".join(f"{token} " for token in range(TOKENS))
    assert set(database.texts.values()) == {whole}
    assert len(database.texts) == 200
    # With a rest of at most 60 ms between two flushes, and tokens every 20 ms, a chunk holds about three.
    assert max(counts) <= TOKENS * 0.8
    assert len(database.flushes) <= 3 * TOKENS * TOKEN_DELAY_S / LONGEST_REST_S + 20
