"""Who may make an account: everybody, nobody, or, on a new installation, the one who holds its code."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from backend.accounts.models import User

SETUP_CODE_HEADER = "X-Setup-Code"
# Any fixed number: all processes of an installation take the same advisory lock.
_FIRST_ACCOUNT_LOCK = 7_234_501_118


@dataclass(frozen=True)
class SignupPolicy:
    """signup: open or closed, for whoever comes next. first_account: no account exists yet."""

    signup: str
    first_account: bool
    setup_code_required: bool

    def admits(self, offered_code: str) -> bool:
        """Whether the next person may sign up, with the setup code they offered."""
        if self.setup_code_required:
            return secrets.compare_digest(
                offered_code.strip().encode(), setup_code(settings.DATA_DIR).encode()
            )
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
    """The one-time code of this installation, made when first asked for and readable by its owner only."""
    path = data_dir / "setup_code"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        if not path.read_text():
            path.write_text(f"{secrets.randbelow(10**8):08d}\n")
    return path.read_text().strip()
