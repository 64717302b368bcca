"""A way to a server on this machine that can be cut: what a bad network does to open streams.

Passes bytes on, understands none of them except that it recognises the request for a live stream.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

LIVE_REQUEST = b"GET /api/live/"


class _Connection:
    """One client's connection and the one to the server behind it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.is_live = False

    def close(self) -> None:
        for end in (self.client, self.server):
            # shutdown wakes the threads that wait for bytes; an end that is closed already needs neither.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class CuttableProxy:
    """Listens on a free port and passes everything on to `target_port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._refusing = False
        self.live_opens = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="cuttable-proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close(only_live=False)

    @property
    def open_streams(self) -> int:
        with self._lock:
            return sum(connection.is_live for connection in self._connections)

    def cut_live_streams(self) -> None:
        """Break the live streams that are open now; new ones may come."""
        self._close(only_live=True)

    def go_down(self) -> None:
        """Break everything, and refuse whatever comes until `come_back`."""
        self._refusing = True
        self._close(only_live=False)

    def come_back(self) -> None:
        self._refusing = False

    def _close(self, *, only_live: bool) -> None:
        with self._lock:
            chosen = [c for c in self._connections if c.is_live or not only_live]
            self._connections.difference_update(chosen)
        for connection in chosen:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the listener was closed: this is the end
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()  # the server itself is away: its client sees just that
                continue
            connection = _Connection(client, server)
            with self._lock:
                self._connections.add(connection)
            for source, sink, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pass_on, args=(connection, source, sink, from_client), daemon=True
                ).start()

    def _pass_on(
        self, connection: _Connection, source: socket.socket, sink: socket.socket, from_client: bool
    ) -> None:
        with contextlib.suppress(OSError):  # either end may go away at any time
            while data := source.recv(65536):
                if from_client and data.startswith(LIVE_REQUEST):
                    with self._lock:
                        connection.is_live = True
                        self.live_opens += 1
                sink.sendall(data)
        with self._lock:
            self._connections.discard(connection)
        connection.close()
