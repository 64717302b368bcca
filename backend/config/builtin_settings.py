"""The settings of the built-in model runner, checked and typed.

They reach the runner as arguments of its command line: it is a program of its own and reads no settings. Whether a
model file is there and can be loaded is for the runner to find out; a missing one must not stop a `manage.py` command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEMONSTRATION_MODEL: Final = "smollm2-135m-instruct"
DEFAULT_CONTEXT_TOKENS: Final = 8192
DEFAULT_SLOTS: Final = 2
BUILTIN_SETTING_NAMES: Final = (
    "MODEL_PATH",
    "MODELS_DIR",
    "MODEL_CONTEXT",
    "MODEL_SLOTS",
    "MODEL_THREADS",
    "MODEL_LOADED",
)


@dataclass(frozen=True)
class BuiltinSettings:
    """What the built-in runner offers and how much of the machine it may use."""

    model_path: Path | None  # None: the demonstration model
    models_dir: Path  # every GGUF file in it is offered; it need not exist
    context_tokens: int  # for each reply, prompt included
    slots: int  # replies at the same time
    threads: int  # 0: one less than the machine has cores
    loaded: int  # models in memory at the same time

    @property
    def model_id(self) -> str:
        """The id of the model that is offered first: MODEL_PATH's, or the demonstration model's."""
        return self.model_path.stem.lower() if self.model_path else DEMONSTRATION_MODEL


def builtin_settings(raw: Mapping[str, str], root: Path) -> tuple[BuiltinSettings, list[str]]:
    """The settings, and one line for each problem with them.

    raw: texts by name; a missing or empty one stands for its default. root: what relative paths are relative to.
    """
    problems: list[str] = []

    def number(name: str, default: int, lowest: int, highest: int) -> int:
        text = raw.get(name, "") or str(default)
        if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
            return int(text)
        problems.append(f"{name} is {text!r}; expected a whole number from {lowest} to {highest}.")
        return default

    def path(name: str, what: str) -> Path | None:
        text = raw.get(name, "")
        if "\0" in text:
            problems.append(f"{name} contains a NUL character; expected the path of {what}.")
            return None
        try:
            return root / Path(text).expanduser() if text else None
        except RuntimeError:
            problems.append(
                f"{name} is {text!r}; it begins with the home folder of an account that is not known."
            )
            return None

    settings = BuiltinSettings(
        model_path=path("MODEL_PATH", "a GGUF file"),
        models_dir=path("MODELS_DIR", "a folder") or root / "models",
        context_tokens=number("MODEL_CONTEXT", DEFAULT_CONTEXT_TOKENS, 256, 1_048_576),
        slots=number("MODEL_SLOTS", DEFAULT_SLOTS, 1, 64),
        threads=number("MODEL_THREADS", 0, 0, 512),
        loaded=number("MODEL_LOADED", 1, 1, 4),
    )
    return settings, problems


def runner_arguments(settings: BuiltinSettings, first: str) -> tuple[str, ...]:
    """What the built-in runner must know of its settings, as words of its command line. first: MODEL_RUNNER_MODEL."""
    mine = (f"--model={settings.model_path}", f"--model-id={settings.model_id}")
    return (
        *(mine if settings.model_path else ()),
        f"--models-dir={settings.models_dir}",
        f"--first={first}",
        f"--context={settings.context_tokens}",
        f"--slots={settings.slots}",
        f"--threads={settings.threads}",
        f"--loaded={settings.loaded}",
    )
