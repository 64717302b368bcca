"""A connection to a runner that is being made while something else is still to be done, such as recording the request.

Nothing is sent over it before it is taken. May not know what will be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from backend.model_runner.http_exchange import HttpExchange


class Line:
    """Implements backend.application.runner_port.Line."""

    def __init__(self, connecting: Coroutine[None, None, HttpExchange]) -> None:
        self._connecting = asyncio.create_task(connecting)
        self._is_over = False

    async def take(self) -> HttpExchange | None:
        """The connection, once; None where the runner has closed it meanwhile. Raises what connecting raises."""
        self._is_over = True
        exchange = await self._connecting
        if exchange.is_lost:
            exchange.close()
            return None
        return exchange

    def hang_up(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._connecting.cancel()
            self._connecting.add_done_callback(_close)


def _close(connecting: asyncio.Task[HttpExchange]) -> None:
    """Nobody wants it any more, so nobody needs to hear either why there is none."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
