"""Makes the secrets of an installation in containers, once: `python -m backend.containers.secrets OWNER_FOLDER DATA_FOLDER`.

Two folders, because whoever runs as one database role must not read the password of the other: OWNER_FOLDER is seen by
PostgreSQL and by what changes tables, DATA_FOLDER by everything that serves people. What is there already is kept.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

OWNER: Final = "verbatim_owner"
RUNTIME: Final = "verbatim"
PLACE: Final = "postgres:5432/verbatim"

OWNER_PASSWORD: Final = "owner_password"
RUNTIME_PASSWORD: Final = "runtime_password"
OWNER_URL: Final = "owner_url"
RUNTIME_URL: Final = "database_url"
SECRET_KEY: Final = "secret_key"

# PostgreSQL's account is another one than ours, so the folder, a volume, is what protects the files in it.
_READABLE: Final = 0o444
_OURS: Final = 0o400


def main(arguments: list[str]) -> int:
    """Make what is missing; answer the exit code."""
    if len(arguments) != 2:
        print("Expected two folders: the owner's and the data's.", file=sys.stderr)
        return 2
    owner, data = (Path(argument) for argument in arguments)
    try:
        owner_password = _kept(owner / OWNER_PASSWORD, _password, _READABLE)
        runtime_password = _kept(owner / RUNTIME_PASSWORD, _password, _READABLE)
        _kept(owner / OWNER_URL, lambda: f"postgresql://{OWNER}:{owner_password}@{PLACE}", _READABLE)
        _kept(data / RUNTIME_URL, lambda: f"postgresql://{RUNTIME}:{runtime_password}@{PLACE}", _OURS)
        _kept(data / SECRET_KEY, lambda: secrets.token_urlsafe(50), _OURS)
    except OSError as error:
        print(f"The secrets cannot be kept in {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    print("The secrets are in place.")
    return 0


def _password() -> str:
    """Nothing in it has a meaning in a URL or in SQL."""
    return secrets.token_hex(24)


def _kept(path: Path, make: Callable[[], str], mode: int) -> str:
    """What the file holds, made first where there is none. Never half a file: an interrupted start is begun anew."""
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    text = make()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    print(f"Made {path.name}.")
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
