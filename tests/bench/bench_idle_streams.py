"""1,000 browsers that only listen: the memory of the one web process that serves them, beside the idle one.

Run by `make bench`. Ten people with a hundred open tabs each, every tab with a conversation on screen.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import httpx

from tests.bench import figures
from tests.support.stack import Stack, running_stack

STREAMS = int(os.environ.get("BENCH_STREAMS", "1000"))
PEOPLE = 10
SETTLE_S = 3.0
# Longer than a stream goes without a sign of life, so that each has been asked whether it may still listen.
LISTEN_S = 35.0


def conversation_of(stack: Stack, account: dict[str, str]) -> dict[str, Any]:
    answer = httpx.post(
        f"{stack.url}/api/conversations/",
        json={},
        cookies={"verbatim_session": account["session"], "csrftoken": account["csrf"]},
        headers={"X-CSRFToken": account["csrf"]},
        timeout=30,
    )
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


async def listen(stack: Stack, accounts: list[dict[str, str]]) -> tuple[float, float, float, int]:
    """Seconds to open all streams, memory right after and after a while, and how many are still open then."""
    conversations = [conversation_of(stack, account) for account in accounts]
    place = urlsplit(stack.url)
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open_one(number: int) -> None:
        account, conversation = accounts[number % PEOPLE], conversations[number % PEOPLE]
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        streams.append((reader, writer))
        writer.write(
            f"GET /api/live/?conversation={conversation['id']}&cursor={conversation['position']} HTTP/1.1\r\n"
            f"Host: {place.netloc}\r\nCookie: verbatim_session={account['session']}\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"event: ping"), 60)
        assert head.startswith(b"HTTP/1.1 200"), head[:200]

    began = time.monotonic()
    for start in range(0, STREAMS, 50):
        await asyncio.gather(*(open_one(number) for number in range(start, min(start + 50, STREAMS))))
    opened_s = time.monotonic() - began
    await asyncio.sleep(SETTLE_S)
    early = figures.memory_mb(stack.part_pids("web"))
    await asyncio.sleep(LISTEN_S)
    late = figures.memory_mb(stack.part_pids("web"))
    still_open = sum(not reader.at_eof() for reader, _ in streams)
    for _, writer in streams:
        writer.close()
    return opened_s, early, late, still_open


def main() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with running_stack(SECRET_KEY=figures.SECRET_KEY, ALLOWED_HOSTS="127.0.0.1", WEB_WORKERS="1") as stack:
        accounts = figures.make_accounts(stack, PEOPLE)
        httpx.get(f"{stack.url}/readyz", timeout=30)
        time.sleep(SETTLE_S)
        idle = figures.memory_mb(stack.part_pids("web"))
        opened_s, early, late, still_open = asyncio.run(listen(stack, accounts))
        time.sleep(SETTLE_S)
        after = figures.memory_mb(stack.part_pids("web"))
        threads = len(os.listdir(f"/proc/{stack.part_pids('web')[0]}/task"))
    print(f"{STREAMS} idle streams on one web process, opened in {opened_s:.1f} s")
    print(
        f"  memory (PSS): idle {idle:.0f} MB, with the streams {early:.0f} MB, after {LISTEN_S:.0f} s {late:.0f} MB"
    )
    print(
        f"  above idle {max(early, late) - idle:.0f} MB   goal <= 150 MB; after they left {after:.0f} MB, {threads} threads"
    )
    print(f"  still open: {still_open} of {STREAMS}   goal: all")
    return 0 if still_open == STREAMS else 1


if __name__ == "__main__":
    sys.exit(main())
