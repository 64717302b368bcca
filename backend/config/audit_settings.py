"""The settings of the transparency log: who signs its checkpoints, and where else they are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

AUDIT_SETTING_NAMES: Final = (
    "AUDIT_SIGNING_KEY",
    "AUDIT_RETIRED_KEYS",
    "AUDIT_CHECKPOINT_FILE",
    "AUDIT_CHECKPOINT_URL",
)


@dataclass(frozen=True)
class AuditSettings:
    """signing_key: empty for the one in DATA_DIR. retired_keys: verifier keys of those that signed before it."""

    signing_key: str = field(repr=False)
    retired_keys: tuple[str, ...]
    checkpoint_file: Path | None
    checkpoint_url: str


def audit_settings(raw: Mapping[str, str], root: Path) -> tuple[AuditSettings, list[str]]:
    """The settings, and one line for each problem with them, none of which shows the key.

    raw: texts by name; a missing or empty one stands for its default. root: what relative paths are relative to.
    """
    problems: list[str] = []
    signing_key = raw.get("AUDIT_SIGNING_KEY", "")
    retired_keys = tuple(name for name in re.split(r"[\s,]+", raw.get("AUDIT_RETIRED_KEYS", "")) if name)
    problems += _problems_with_keys(signing_key, retired_keys)
    file = raw.get("AUDIT_CHECKPOINT_FILE", "")
    if "\0" in file:
        problems.append("AUDIT_CHECKPOINT_FILE contains a NUL character; expected the path of a file.")
        file = ""
    url = raw.get("AUDIT_CHECKPOINT_URL", "")
    if url and not re.match(r"https?://[^/\s]+", url):
        problems.append(
            "AUDIT_CHECKPOINT_URL is not an address; expected http:// or https://, such as https://example.org/checkpoints."
        )
    found = AuditSettings(signing_key, retired_keys, root / Path(file).expanduser() if file else None, url)
    return found, problems


def _problems_with_keys(signing_key: str, retired_keys: Sequence[str]) -> list[str]:
    if not signing_key and not retired_keys:
        return []
    try:
        from backend.audit.notes import NoteError, Signer, Verifier
    except ModuleNotFoundError:
        return []  # settings are read before the packages are installed, too; the keys are read again where they are used
    problems: list[str] = []
    try:
        if signing_key:
            Signer.parse(signing_key)
    except NoteError as error:
        problems.append(f"AUDIT_SIGNING_KEY: {error}")
    for key in retired_keys:
        try:
            Verifier.parse(key)
        except NoteError as error:
            problems.append(f"AUDIT_RETIRED_KEYS: {error}")
    return problems
