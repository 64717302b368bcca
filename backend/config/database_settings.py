"""The settings of the database's roles: who owns the tables, and as whom Verbatim runs.

Both are optional. Without them one role does everything, as with the embedded PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

DATABASE_SETTING_NAMES: Final = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_RUNTIME_ROLE")

OWNER_COMMANDS: Final = frozenset({"migrate", "createcachetable", "database_roles", "erase_conversation"})
"""Management commands that need the owner's rights: they use DATABASE_OWNER_URL where it is set."""

_ROLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}")


@dataclass(frozen=True)
class DatabaseSettings:
    """url: empty for the embedded PostgreSQL. owner_url: empty where the runtime's role owns the tables.

    runtime_role: of `url`, unless it was named; empty where there is no owner beside it.
    """

    url: str = field(repr=False)
    owner_url: str = field(repr=False)
    runtime_role: str


def database_settings(raw: Mapping[str, str]) -> tuple[DatabaseSettings, list[str]]:
    """The settings, and one line for each problem with them, none of which shows a password."""
    problems: list[str] = []
    url = _address(raw, "DATABASE_URL", "nothing for the embedded PostgreSQL", problems)
    owner_url = _address(raw, "DATABASE_OWNER_URL", "nothing where one role does everything", problems)
    role = raw.get("DATABASE_RUNTIME_ROLE", "")
    if role and not _ROLE.fullmatch(role):
        problems.append(
            f"DATABASE_RUNTIME_ROLE is {role[:40]!r}; expected the name of a database role: letters, digits, _, $ and -."
        )
    if owner_url and not url:
        problems.append(
            "DATABASE_OWNER_URL is set, but DATABASE_URL is empty: the embedded PostgreSQL has one role only. "
            "Set DATABASE_URL to the same database with the role that Verbatim runs as, or leave both empty."
        )
    if not role and owner_url and url and not problems:
        role = _user_of(url)
    return DatabaseSettings(url, owner_url, role), problems


def _user_of(url: str) -> str:
    try:
        return unquote(urlsplit(url).username or "")
    except ValueError:
        return ""  # whoever connects says what is wrong with the address


def _address(raw: Mapping[str, str], name: str, otherwise: str, problems: list[str]) -> str:
    url = raw.get(name, "")
    if url and not url.startswith(("postgres://", "postgresql://")):
        scheme = url.split(":", 1)[0] if ":" in url else "no scheme"
        problems.append(
            f"{name} has the scheme {scheme[:20]!r}; expected postgresql://USER:PASSWORD@HOST/NAME, or {otherwise}."
        )
    return url
