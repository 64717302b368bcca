"""Settings that are secret may also stand in a file of their own, as containers hand them over: NAME_FILE for NAME.

Only reads. What the text means is for whoever reads the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SECRET_SETTING_NAMES: Final = (
    "SECRET_KEY",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "MODEL_RUNNER_API_KEY",
    "AUDIT_SIGNING_KEY",
    "EMAIL_URL",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
)
SECRET_FILE_NAMES: Final = tuple(f"{name}_FILE" for name in SECRET_SETTING_NAMES)
LARGEST_SECRET_BYTES: Final = 16_384


class UnreadableSecret(Exception):
    """One line for each file, none of which shows what it holds."""


def with_secret_files(raw: Mapping[str, str], root: Path) -> dict[str, str]:
    """The settings, with the text of each NAME_FILE where NAME itself is empty. Raises UnreadableSecret.

    raw: texts by name. root: what relative paths are relative to.
    """
    found = {name: value for name, value in raw.items() if name not in SECRET_FILE_NAMES}
    problems: list[str] = []
    for name in SECRET_SETTING_NAMES:
        if (file := raw.get(f"{name}_FILE", "")) and not found.get(name):
            try:
                found[name] = _text_of(root / Path(file).expanduser())
            except (OSError, ValueError, RuntimeError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                problems.append(
                    f"{name}_FILE is {file!r}, which cannot be used: {reason}. Expected a text file that holds {name} and "
                    "that this process may read."
                )
    if problems:
        raise UnreadableSecret("\n".join(problems))
    return found


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST_SECRET_BYTES + 1)
    if len(content) > LARGEST_SECRET_BYTES:
        raise ValueError(f"it has more than {LARGEST_SECRET_BYTES} bytes")
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    if not text or not text.isprintable():
        raise ValueError("it holds nothing" if not text else "it holds more than one line")
    return text
