"""A listener whose queue is full and that nobody empties: a host that takes no connection and refuses none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

ENOUGH_TO_FILL = 4


@contextmanager
def full_listener() -> Iterator[int]:
    """The port of such a listener on loopback, until the context is left."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(ENOUGH_TO_FILL):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        port: int = listener.getsockname()[1]
        yield port
