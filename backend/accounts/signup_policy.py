"""Who may make an account: everybody, nobody, or, on a new installation, the one who holds its code."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from backend.accounts.models import User

SETUP_CODE_HEADER = "X-Setup-Code"
# Any fixed number: all processes of an installation take the same advisory lock.
_FIRST_ACCOUNT_LOCK = 7_234_501_118
# Without the letters and digits that people take for one another.
_CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class SignupPolicy:
    """signup: open or closed, for whoever comes next. first_account: no account exists yet."""

    signup: str
    first_account: bool
    setup_code_required: bool

    def admits(self, offered_code: str) -> bool:
        """Whether the next person may sign up, with the setup code they offered."""
        if self.setup_code_required:
            return _same_code(offered_code, setup_code(settings.DATA_DIR))
        return self.signup == "open"


def current_policy() -> SignupPolicy:
    """What holds at this moment. The first account may always be made; on a machine that others reach, with the code."""
    first = not User.objects.exists()
    return SignupPolicy(
        signup="open" if first else settings.SIGNUP,
        first_account=first,
        setup_code_required=first and not settings.IS_LOOPBACK,
    )


def lock_first_account() -> None:
    """Until the transaction ends, nobody else decides whether an account is the first one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FIRST_ACCOUNT_LOCK])


def setup_code(data_dir: Path) -> str:
    """The code of this installation for its first account, made when first asked for, readable by its owner only.

    Safe when several processes ask at once. Raises ImproperlyConfigured when the file holds no code: an
    empty one would let everybody in.
    """
    path = data_dir / "setup_code"
    if not path.exists():
        _write_once(
            path, "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(3))
        )
    code = path.read_text(encoding="ascii").strip()
    if not code:
        raise ImproperlyConfigured(
            f"{path} holds no setup code. Delete the file; a new code is made at the next start."
        )
    return code


def _write_once(path: Path, text: str) -> None:
    """Written in full under another name first: no reader sees half of it, and whoever comes second keeps the first's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(text + "\n")
        with contextlib.suppress(FileExistsError):  # another process's code is as good as ours
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _same_code(offered: str, expected: str) -> bool:
    """Compares in constant time; people may leave out the dashes and write small letters."""

    def plain(code: str) -> bytes:
        return code.strip().replace("-", "").upper().encode()

    return secrets.compare_digest(plain(offered), plain(expected))
