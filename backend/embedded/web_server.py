"""One web process: uvicorn on a socket that the supervisor opened for all of them.

Alone, as in a container, it opens the socket itself. It adds one thing to uvicorn: open streams learn that the server is stopping (`scope["state"]["shutdown"]`), because
uvicorn itself would wait for them. It knows nothing of what is served.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any, Final

import uvicorn

from backend.config.environment import ConfigurationError, load_environment
from backend.embedded.errors import StartError
from backend.embedded.preflight import bind_web_socket

APPLICATION_MODULE: Final = "backend.config.asgi"
GRACE_SECONDS: Final = 3
UNREAD_MS: Final = 15_000
"""A client that takes nothing of what was sent to it for so long is gone, or might as well be."""

Scope = MutableMapping[str, Any]
AsgiCallable = Callable[
    [Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


def with_shutdown(application: AsgiCallable, shutdown: asyncio.Event) -> AsgiCallable:
    """The same application, with `shutdown` in each request's `scope["state"]`: set when the server begins to stop."""

    async def wrapped(
        scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        state = {**scope.get("state", {}), "shutdown": shutdown}
        await application({**scope, "state": state}, receive, send)

    return wrapped


class WebServer(uvicorn.Server):
    """uvicorn, but telling the open streams first that it stops."""

    def __init__(self, config: uvicorn.Config, shutdown: asyncio.Event) -> None:
        super().__init__(config)
        self._shutdown = shutdown
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal itself, between any two steps of the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._shutdown.set)
        super().handle_exit(sig, frame)


def give_up_the_unreading(listening: socket.socket) -> None:
    """Let the system end connections to clients that vanished without a word or never read.

    Closing such a connection is not enough: it waits for its last bytes to be taken, for ever. The connections
    that a socket accepts inherit this from it. Only Linux knows the option; elsewhere they end with the process.
    """
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        listening.setsockopt(socket.IPPROTO_TCP, option, UNREAD_MS)


def main(arguments: list[str]) -> int:
    """Serve on the socket given by its number, or at HOST and PORT; answer the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.embedded.web_server", description="One web process."
    )
    parser.add_argument(
        "--fd", type=int, help="the number of an open, listening socket (default: one at HOST and PORT)"
    )
    parser.add_argument(
        "--application", default=APPLICATION_MODULE, help="the module whose `application` is served"
    )
    options = parser.parse_args(arguments)
    try:
        environment = load_environment()
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 2
    try:
        listening = (
            bind_web_socket(environment.host, environment.port)
            if options.fd is None
            else socket.socket(fileno=options.fd)
        )
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    shutdown = asyncio.Event()
    application: AsgiCallable = importlib.import_module(options.application).application
    config = uvicorn.Config(
        with_shutdown(application, shutdown),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        # Anybody can send such headers; only these peers are believed.
        proxy_headers=bool(environment.traffic.trusted_proxies),
        forwarded_allow_ips=[*environment.traffic.trusted_proxies],
        server_header=False,
        # Its lines go the way of all others, and each request has one of ours.
        log_config=None,
        access_log=False,
        log_level=environment.log_level.lower(),
        timeout_graceful_shutdown=GRACE_SECONDS,
        # The browser keeps its connections between two clicks.
        timeout_keep_alive=75,
    )
    give_up_the_unreading(listening)
    WebServer(config, shutdown).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
