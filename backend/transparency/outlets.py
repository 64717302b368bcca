"""Hands checkpoints to places outside of this installation, where whoever changes the database cannot reach them.

Each outlet gets every checkpoint once, in order; what could not be delivered is tried again later, and said.
"""

from __future__ import annotations

import base64
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from backend.transparency.hashes import Connection
from backend.transparency.signing import SignedCheckpoint

logger = logging.getLogger(__name__)

_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 100
_DELIVERED = "SELECT checkpoint_id FROM log_delivery WHERE outlet = %s"
_NEXT = "SELECT id, size, note, signed_at FROM log_checkpoint WHERE id > %s ORDER BY id LIMIT %s"
_KEEP = (
    "INSERT INTO log_delivery (outlet, checkpoint_id, at, error) VALUES (%s, %s, %s, %s) ON CONFLICT (outlet)"
    " DO UPDATE SET checkpoint_id = excluded.checkpoint_id, at = excluded.at, error = excluded.error"
)
_STATES = "SELECT outlet, checkpoint_id, at, error FROM log_delivery ORDER BY outlet"


class NotDelivered(Exception):
    """Why an outlet did not take a checkpoint."""


class Outlet(Protocol):
    """A place that takes checkpoints. name: without secrets, as people see it."""

    @property
    def name(self) -> str: ...

    def deliver(self, checkpoint: SignedCheckpoint) -> None:
        """Raises NotDelivered."""
        ...


@dataclass(frozen=True)
class FileOutlet:
    """Appends each checkpoint to a file, a blank line after each."""

    path: Path

    @property
    def name(self) -> str:
        return f"file {self.path}"

    def deliver(self, checkpoint: SignedCheckpoint) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(checkpoint.note + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotDelivered(f"{self.path} cannot be written: {error.strerror}.") from error


@dataclass(frozen=True)
class HttpOutlet:
    """Posts each checkpoint as text/plain; any 2xx answer counts as taken. url: may hold a user name and a password."""

    url: str

    @property
    def name(self) -> str:
        address = urlsplit(self.url)
        # Neither a password nor a key in the query is anybody's business.
        return f"POST {address.scheme}://{_place(address)}{address.path}"

    def deliver(self, checkpoint: SignedCheckpoint) -> None:
        address = urlsplit(self.url)
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "verbatim"}
        if address.username is not None:
            said = f"{unquote(address.username)}:{unquote(address.password or '')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(said).decode('ascii')}"
        request = urllib.request.Request(
            address._replace(netloc=_place(address)).geturl(),
            data=checkpoint.note.encode(),
            method="POST",
            headers=headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
                if not 200 <= response.status < 300:
                    raise NotDelivered(f"It answered with status {response.status}.")
        except urllib.error.HTTPError as error:
            raise NotDelivered(f"It answered with status {error.code}.") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NotDelivered(f"It cannot be reached: {reason}.") from error


def _place(address: SplitResult) -> str:
    """Host and port alone."""
    return address.netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Delivery:
    """The newest checkpoint that an outlet has taken. error: why the next one was not, or empty."""

    outlet: str
    checkpoint_id: int
    at: datetime
    error: str


def deliver(connection: Connection, outlets: Sequence[Outlet], now: datetime) -> None:
    """Hand each outlet what it has not had. A failing one holds up no other."""
    for outlet in outlets:
        row = connection.execute(_DELIVERED, (outlet.name,)).fetchone()
        done = 0 if row is None else int(row[0])
        for found in connection.execute(_NEXT, (done, _AT_ONCE)).fetchall():
            checkpoint = SignedCheckpoint(*found)
            error = ""
            try:
                outlet.deliver(checkpoint)
                done = checkpoint.id
            except NotDelivered as failure:
                error = str(failure)
                logger.warning("Checkpoint %d was not taken by %s: %s", checkpoint.id, outlet.name, error)
            connection.execute(_KEEP, (outlet.name, done, now, error))
            if error:
                break


def deliveries(connection: Connection) -> list[Delivery]:
    """How far each outlet has got."""
    return [Delivery(*row) for row in connection.execute(_STATES).fetchall()]
