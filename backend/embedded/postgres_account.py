"""Decides as whom the embedded PostgreSQL runs, because it refuses to run as root.

An ordinary person's server runs as that person. Root's server runs as the owner of an existing data folder, else as
`nobody`; where a closed parent folder (such as root's home) stops `nobody`, it runs in a user namespace, in which root
looks like `nobody`. This module looks and decides; it changes no file.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.embedded.errors import StartError
from backend.embedded.processes import Account

NOBODY_UID: Final = 65534
_PROBE_SECONDS: Final = 20


class EmbeddedPostgresError(StartError):
    """The embedded PostgreSQL cannot be used; the text is one line and says what to do."""


@dataclass(frozen=True)
class Runner:
    """How PostgreSQL's programs are started.

    account: the account to change to, None for our own. prefix: put before each command. owner: whom files belong to.
    """

    account: Account | None
    prefix: tuple[str, ...]
    owner: Account


def choose_runner(data_folder: Path, parent: Path, postgres: Path) -> Runner:
    """Find a way to run `postgres` that can reach its data.

    parent: the existing folder that holds, or will hold, data_folder.
    Raises EmbeddedPostgresError when root has no way.
    """
    if os.geteuid() != 0:
        own = Account(name=_account_name(os.geteuid()), uid=os.geteuid(), gid=os.getegid())
        if own.name == str(own.uid):
            # initdb refuses an account without a name, as some container platforms give out; `nobody` has one.
            as_nobody = Runner(account=None, prefix=_in_user_namespace(), owner=own)
            if as_nobody.prefix and _can_reach(postgres, parent, as_nobody):
                return as_nobody
        return Runner(account=None, prefix=(), owner=own)
    account = _owner_of(data_folder) or _nobody()
    if _can_reach(postgres, parent, Runner(account, (), account)):
        return Runner(account=account, prefix=(), owner=account)
    as_nobody = Runner(None, _in_user_namespace(), Account(name="root", uid=0, gid=0))
    if as_nobody.prefix and _can_reach(postgres, parent, as_nobody):
        return as_nobody
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and the account {account.name} cannot enter {_closed_folder(parent, postgres)}."
        " Run this as an ordinary user, or move the project to a folder that others may enter, or set DATABASE_URL."
    )


def _in_user_namespace() -> tuple[str, ...]:
    """What to put before a command so that it sees itself as `nobody`; empty where the system has no such tool."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    return (unshare, "-U", f"--map-user={NOBODY_UID}", f"--map-group={NOBODY_UID}")


def _owner_of(folder: Path) -> Account | None:
    """The owner of an existing folder, unless that is root."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return Account(_account_name(status.st_uid), status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and this system has no account `nobody` to run it as."
            " Run this as an ordinary user, or set DATABASE_URL."
        ) from None
    return Account(name="nobody", uid=entry.pw_uid, gid=entry.pw_gid)


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _can_reach(postgres: Path, parent: Path, runner: Runner) -> bool:
    """Whether `postgres` starts and can enter the folder of its data when started that way."""
    arguments = [
        *runner.prefix,
        "/bin/sh",
        "-c",
        'cd "$1" && exec "$0" --version',
        str(postgres),
        str(parent),
    ]
    try:
        result = subprocess.run(
            arguments,
            cwd="/",
            user=runner.account.uid if runner.account else None,
            group=runner.account.gid if runner.account else None,
            extra_groups=[] if runner.account else None,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _closed_folder(*paths: Path) -> Path:
    """The topmost folder on the way to these paths that others may not enter; for the error text."""
    for path in paths:
        for folder in (*reversed(path.parents), path):
            if folder.is_dir() and not folder.stat().st_mode & 0o001:
                return folder
    return paths[0]
