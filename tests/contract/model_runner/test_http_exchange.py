"""One request, one connection: what it takes in, what it leaves on the wire, and how it tells of an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from backend.model_runner import http_exchange
from backend.model_runner.http_exchange import BrokenAnswer, HttpExchange, connect

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def ask(serve: Serve, use: Callable[[HttpExchange], Awaitable[None]]) -> None:
    """Serve one connection and use the exchange that asked for it."""

    async def scenario() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            exchange = await connect("127.0.0.1", port, tls=None, connect_s=5)
            exchange.send(REQUEST)
            try:
                async with asyncio.timeout(10):
                    await use(exchange)
            finally:
                exchange.close()

    asyncio.run(scenario())


def answering(*pieces: bytes, then_close: bool = True) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then_close:
            writer.close()
        else:
            await reader.read()

    return serve


async def whole(exchange: HttpExchange) -> bytes:
    body = b""
    while data := await exchange.read():
        body += data
    return body


def test_an_answer_in_chunks_ends_where_it_says_so() -> None:
    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        assert (exchange.status, exchange.headers) == (200, [(b"Transfer-Encoding", b"chunked")])
        assert await whole(exchange) == b"Hello"

    ask(answering(CHUNKED, b"2\r\nHe\r\n3\r\nllo\r\n", b"0\r\n\r\n", then_close=False), use)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        assert await whole(exchange) == b"Hello"

    ask(answering(b"HTTP/1.1 200 OK\r\n\r\n", b"Hel", b"lo"), use)


def test_what_a_server_says_before_its_answer_is_not_the_answer() -> None:
    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        assert exchange.status == 404
        assert await whole(exchange) == b"no"

    ask(
        answering(
            b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\nHTTP/1.1 404 Nope\r\nContent-Length: 2\r\n\r\nno"
        ),
        use,
    )


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED, b"5\r\nHel"),
        (CHUNKED, b"5\r\nHello\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHello",),
    ],
    ids=["in a chunk", "before the last chunk", "before its length"],
)
def test_a_cut_is_no_end_and_what_came_before_it_is_kept(pieces: tuple[bytes, ...]) -> None:
    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        body = await exchange.read()
        with pytest.raises(BrokenAnswer):
            await whole(exchange)
        assert body in (b"Hel", b"Hello")

    ask(answering(*pieces), use)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nNo col"])
def test_what_is_no_answer_is_said_to_be_broken(answer: bytes) -> None:
    async def use(exchange: HttpExchange) -> None:
        with pytest.raises(BrokenAnswer):
            await exchange.wait_for_head()

    ask(answering(answer), use)


def test_a_runner_that_sends_faster_than_is_read_has_to_wait() -> None:
    piece, count = b"x" * 64 * 1024, 400
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * count))
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
            sent += 1
        writer.close()

    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        await asyncio.sleep(0.5)
        assert sent < count, "the sender was not made to wait"
        first = await exchange.read()
        assert len(first) <= 2 * http_exchange.UNTAKEN_LIMIT_BYTES
        assert len(first) + len(await whole(exchange)) == len(piece) * count

    ask(serve, use)


def test_hanging_up_is_noticed_by_the_other_side_at_once() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b"2\r\nHe\r\n")
        try:
            while await reader.read():
                pass
        except ConnectionError:
            pass
        left.set()
        writer.close()

    async def use(exchange: HttpExchange) -> None:
        await exchange.wait_for_head()
        assert await exchange.read() == b"He"
        exchange.close()
        await asyncio.wait_for(left.wait(), 0.2)

    ask(serve, use)
