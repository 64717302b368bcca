"""Asks local HTTP servers whether they are ready, and words the address for people. It never follows or retries."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Final

PROBE_SECONDS: Final = 5.0
LARGEST_ANSWER_BYTES: Final = 65_536


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0 when there was none, and then `text` says why."""

    status: int
    text: str


async def ask(host: str, port: int, path: str, *, host_header: str) -> Answer:
    """GET one path. Never raises for a server that is down, slow or odd."""
    try:
        return await asyncio.wait_for(_ask(host, port, path, host_header), PROBE_SECONDS)
    except (OSError, TimeoutError, ValueError, EOFError) as error:
        return Answer(0, str(error) or type(error).__name__)


async def _ask(host: str, port: int, path: str, host_header: str) -> Answer:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host_header}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = await reader.read(LARGEST_ANSWER_BYTES)
        return Answer(int(head.split(" ", 2)[1]), body.decode("utf-8", "replace"))
    finally:
        writer.close()


def connect_address(host: str) -> str:
    """Where this machine reaches a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def page_url(host: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    name = connect_address(host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def host_header(host: str, port: int, allowed_hosts: tuple[str, ...]) -> str:
    """A Host header that the application accepts."""
    name = connect_address(host)
    name = f"[{name}]" if ":" in name else name
    if name not in allowed_hosts and "*" not in allowed_hosts and allowed_hosts:
        name = allowed_hosts[0].lstrip(".")
    return f"{name}:{port}"
