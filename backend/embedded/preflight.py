"""Looks, before anything is started, whether the settings can work on this machine.

Each check raises StartError with one line: what is wrong, and what to do. Nothing here repairs anything.
"""

from __future__ import annotations

import base64
import errno
import http.client
import os
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import psycopg

from backend.config.environment import Environment
from backend.config.runner_settings import RunnerSettings
from backend.embedded.errors import StartError

ANSWER_SECONDS: Final = 5


def check_data_dir(data_dir: Path) -> None:
    """Make DATA_DIR and its log folder, and see that files can be kept there."""
    hint = "Set DATA_DIR to a folder that you may write to."
    probe = data_dir / f".writable.{os.getpid()}"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        probe.write_bytes(b"1")
        probe.unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise StartError(f"DATA_DIR is {data_dir}, but {error.filename} is not a folder. {hint}") from error
    except OSError as error:
        raise StartError(f"DATA_DIR is {data_dir}, which cannot be used: {error.strerror}. {hint}") from error


def bind_web_socket(host: str, port: int) -> socket.socket:
    """The listening socket that the web processes share. Taken first, so that a busy port is known at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StartError(
            f"HOST is {host!r}, which is not known here: {error.strerror}. Try HOST=127.0.0.1."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise StartError(_socket_problem(host, port, error)) from error
    return listener


def _socket_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8000
        return (
            f"Port {port} on {host} is in use by another program."
            f" Stop that program, or choose another port: make run PORT={other}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"HOST is {host}, which is not an address of this machine. Try HOST=127.0.0.1."
    if error.errno == errno.EACCES:
        return (
            f"Port {port} needs special rights on this machine. Choose one from 1024 up: make run PORT=8000"
        )
    return f"Port {port} on {host} cannot be used: {error.strerror}."


def check_database(url: str) -> None:
    """See that the server behind DATABASE_URL answers."""
    try:
        with psycopg.connect(url, connect_timeout=ANSWER_SECONDS, autocommit=True) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.Error as error:
        reason = " ".join(hide_password(str(error), url).split()) or type(error).__name__
        raise StartError(
            f"The database does not answer at DATABASE_URL {shown_url(url)}: {reason[:300].rstrip('.')}."
            " Start it, correct DATABASE_URL, or leave DATABASE_URL empty for the embedded PostgreSQL."
        ) from None  # the cause may quote the password
    if version < 14:
        raise StartError(
            f"The database at {shown_url(url)} is PostgreSQL {version}; version 14 or newer is needed."
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an answer; the key must not follow it there."""

    def redirect_request(self, *args: object) -> None:
        return None


# As the parts ask later: never through the machine's proxy, which may not reach a runner that they reach.
_directly = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


def runner_problems(environment: Environment) -> list[str]:
    """One line for each runner of somebody else's that gives no answer at all; an error is an answer."""
    others = [runner for runner in environment.model_runners if runner.url]
    with ThreadPoolExecutor(max(1, len(others))) as asking:
        return [problem for problem in asking.map(_runner_problem, others) if problem is not None]


def _runner_problem(runner: RunnerSettings) -> str | None:
    parts = urlsplit(runner.url)
    request = urllib.request.Request(
        f"{parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}/models"
    )
    if runner.api_key:
        request.add_header("Authorization", f"Bearer {runner.api_key}")
    elif parts.username is not None:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(account.encode()).decode()}")
    try:
        with _directly.open(request, timeout=ANSWER_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return (
            f"The model runner {runner.name} does not answer at {shown_url(runner.url)}: {text}."
            " Verbatim starts all the same and keeps every message, but its replies fail until it answers."
        )


def shown_url(url: str) -> str:
    """The URL without its password and options, also where it is not quite a URL."""
    scheme, separator, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    shown_account = f"{user}:***@" if colon else account + at
    return f"{scheme}{separator}{shown_account}{place.partition('?')[0]}"


def hide_password(text: str, url: str) -> str:
    """`text`, in which a library may quote parts of `url`, without the password of `url`."""
    rest = url.partition("://")[2]
    password = rest.rpartition("@")[0].partition(":")[2]
    if set(password) & set("/?#@: "):
        # Whoever read the URL took the password apart there and may quote any piece of it.
        return "the password holds a character that must be written with a percent sign (/ as %2F, @ as %40)"
    secrets = {password}
    for pair in rest.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name == "password":
            secrets.add(value)
    for secret in secrets:
        for form in {secret, unquote(secret)} - {""}:
            text = text.replace(form, "***")
    return text
