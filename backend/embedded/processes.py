"""Starts child processes that cannot outlive their parent.

Every part is a direct child in a session of its own: a terminal's Ctrl+C reaches only the parent, and a parent that
is killed takes the child with it. This module knows nothing about what the children do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
HAS_PARENT_DEATH_SIGNAL: Final = sys.platform == "linux"
# Loaded now, because the function that uses it runs between fork and exec, where nothing may be loaded any more.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if HAS_PARENT_DEATH_SIGNAL else None


@dataclass(frozen=True)
class ChildCommand:
    """How one child process is started.

    user: the account it runs as, None for our own. death_signal: what it gets when its parent dies.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    user: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL
    pass_fds: tuple[int, ...] = field(default=())


@dataclass(frozen=True)
class Account:
    """A Unix account that a child can run as."""

    name: str
    uid: int
    gid: int


def die_with_parent(death_signal: int, parent: int) -> None:
    """Ask Linux to send `death_signal` to this process as soon as its parent ends.

    parent: the parent's process id, to notice one that ended before we asked. Elsewhere than on Linux it does nothing.
    """
    if _LIBC is None:
        return
    if _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os.kill(os.getpid(), death_signal)


def before_exec(command: ChildCommand) -> Callable[[], None]:
    """What the new process does between fork and exec."""
    parent = os.getpid()
    death_signal = command.death_signal

    def prepare() -> None:
        # The file mode mask of the caller must not decide who can read a database or a log.
        os.umask(0o077)
        die_with_parent(death_signal, parent)

    return prepare


def argument_list(command: ChildCommand) -> list[str]:
    """The arguments to execute: the command itself, or a small watcher around it where the system lacks a death signal."""
    if HAS_PARENT_DEATH_SIGNAL:
        return list(command.arguments)
    watcher = ["-m", "backend.embedded.watcher", str(os.getpid()), command.death_signal.name]
    return [sys.executable, *watcher, *command.arguments]


def popen_arguments(command: ChildCommand) -> dict[str, object]:
    """Keyword arguments that `subprocess.Popen` and `asyncio.create_subprocess_exec` share."""
    arguments: dict[str, object] = {
        "cwd": command.folder,
        "env": dict(command.environment),
        "start_new_session": True,
        "preexec_fn": before_exec(command),
        "pass_fds": command.pass_fds,
    }
    if command.user is not None:
        # Python changes the account before it calls preexec_fn; the other way round Linux would forget the signal.
        arguments.update(user=command.user.uid, group=command.user.gid, extra_groups=[])
    return arguments


def describe_exit(code: int) -> str:
    """An exit code in words: `ended with code 1`, `was ended by SIGKILL`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def last_lines(path: Path, count: int = 5) -> Sequence[str]:
    """The last non-empty lines of a log; none when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
