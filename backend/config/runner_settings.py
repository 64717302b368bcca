"""The model runners of an installation, checked and typed: where they are, and how they are to be treated.

The first one is MODEL_RUNNER_URL, or the built-in runner. MODEL_RUNNERS names further ones, each with variables of its
own: `MODEL_RUNNERS=gpu` goes with MODEL_RUNNER_GPU_URL. May not ask a runner anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from backend.model_runner.runner_settings import (
    BUILT_IN,
    FIRST_TOKEN_TIMEOUT_S,
    FIRST_VARIABLES,
    KINDS,
    LLAMA_SERVERS,
    OPENAI_COMPATIBLE,
    SILENCE_TIMEOUT_S,
    RunnerSettings,
)

__all__ = ["BUILT_IN", "RUNNER_SETTING_NAMES", "RunnerSettings", "is_runner_setting", "runner_settings"]

RUNNER_SETTING_NAMES: Final = (
    "MODEL_RUNNER_NAME",
    "MODEL_RUNNER_URL",
    "BUILT_IN_RUNNER_URL",
    "MODEL_RUNNER_MODEL",
    "MODEL_RUNNER_API_KEY",
    "MODEL_RUNNER_KIND",
    "MODEL_RUNNER_LIMIT",
    "MODEL_RUNNER_CONTINUES",
    "MODEL_RUNNER_FIRST_TOKEN_TIMEOUT",
    "MODEL_RUNNER_SILENCE_TIMEOUT",
    "MODEL_RUNNERS",
)
_FIELDS: Final = ("URL", "API_KEY", "KIND", "LIMIT", "CONTINUES")
_OF_ONE_RUNNER = re.compile(rf"MODEL_RUNNER_[A-Z0-9_]+_(?:{'|'.join(_FIELDS)})")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_EXPECTED_URL = "expected a URL up to and including /v1, such as http://localhost:12434/engines/v1"
_NAMELESS: Final = "model-runner"
_HIGHEST_LIMIT: Final = 1000
_LONGEST_TIMEOUT_S: Final = 86_400


def is_runner_setting(name: str) -> bool:
    """Whether a variable of this name may say something about a runner."""
    return name in RUNNER_SETTING_NAMES or _OF_ONE_RUNNER.fullmatch(name) is not None


def runner_settings(raw: Mapping[str, str], *, slots: int) -> tuple[tuple[RunnerSettings, ...], list[str]]:
    """The runners, the first one first, and one line for each problem with them.

    raw: texts by name. slots: replies at the same time of the built-in runner.
    """
    reader = _Reader(raw)
    first = reader.first(slots=slots)
    others = [
        reader.further(name, "MODEL_RUNNER_" + name.upper().replace("-", "_"))
        for name in reader.names(first.name)
    ]
    first_token_s = reader.seconds("MODEL_RUNNER_FIRST_TOKEN_TIMEOUT", FIRST_TOKEN_TIMEOUT_S)
    silence_s = reader.seconds("MODEL_RUNNER_SILENCE_TIMEOUT", SILENCE_TIMEOUT_S)
    runners = (
        replace(runner, first_token_timeout_s=first_token_s, silence_timeout_s=silence_s)
        for runner in (first, *others)
    )
    return tuple(runners), reader.problems


class _Reader:
    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self.problems: list[str] = []

    def first(self, *, slots: int) -> RunnerSettings:
        url = self._url("MODEL_RUNNER_URL", "or nothing for the built-in runner")
        is_built_in = not url
        if is_built_in:
            url = self._url("BUILT_IN_RUNNER_URL", "or nothing where it is started together with Verbatim")
        name = self._raw.get("MODEL_RUNNER_NAME", "") or (BUILT_IN if is_built_in else _place(url))
        if not _can_be_a_name(name):
            self.problems.append(
                f"MODEL_RUNNER_NAME is {name[:70]!r}; expected at most 64 characters, without two colons in a row."
            )
        runner = self._runner(name, FIRST_VARIABLES, url, BUILT_IN if is_built_in else OPENAI_COMPATIBLE)
        if is_built_in and runner.limit is None:
            # More would wait inside it, where nobody can see them.
            return replace(runner, limit=slots)
        return runner

    def names(self, first: str) -> list[str]:
        """The names in MODEL_RUNNERS that can be used."""
        usable: list[str] = []
        for name in filter(None, re.split(r"[\s,]+", self._raw.get("MODEL_RUNNERS", ""))):
            if not _NAME.fullmatch(name):
                self.problems.append(
                    f"MODEL_RUNNERS names {name[:40]!r}; expected small letters, digits and hyphens, at most 32."
                )
            elif name in (*usable, first):
                self.problems.append(
                    f"MODEL_RUNNERS names {name!r}, which is the name of another runner. Choose one."
                )
            else:
                usable.append(name)
        return usable

    def further(self, name: str, prefix: str) -> RunnerSettings:
        url = self._url(f"{prefix}_URL", f"or take {name} out of MODEL_RUNNERS")
        if not url and not self._raw.get(f"{prefix}_URL"):
            self.problems.append(
                f"MODEL_RUNNERS names {name!r}, but {prefix}_URL is not set; {_EXPECTED_URL}."
            )
        return self._runner(name, prefix, url, OPENAI_COMPATIBLE)

    def seconds(self, variable: str, default: float) -> float:
        text = self._raw.get(variable, "")
        if not text:
            return default
        if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= _LONGEST_TIMEOUT_S:
            return float(text)
        self.problems.append(
            f"{variable} is {text!r}; expected a whole number of seconds from 1 to {_LONGEST_TIMEOUT_S}."
        )
        return default

    def _runner(self, name: str, prefix: str, url: str, kind: str) -> RunnerSettings:
        told = self._choice(f"{prefix}_KIND", kind, KINDS)
        # What runs here is known better than what a line left over from another runner says.
        kind = BUILT_IN if kind == BUILT_IN else told
        continues = self._choice(f"{prefix}_CONTINUES", "auto", ("auto", "yes", "no"))
        return RunnerSettings(
            name=name,
            url=url,
            api_key=self._api_key(f"{prefix}_API_KEY"),
            kind=kind,
            limit=self._limit(f"{prefix}_LIMIT"),
            continues=kind in LLAMA_SERVERS if continues == "auto" else continues == "yes",
            variables=prefix,
        )

    def _url(self, variable: str, otherwise: str) -> str:
        url = self._raw.get(variable, "").rstrip("/")
        if not url:
            return ""
        try:
            parts = urlsplit(url)
            found = f"{variable} is {parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()!r}"
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            valid = valid and parts.path.endswith("/v1") and not parts.query and not parts.fragment
        except ValueError:
            found, valid = f"{variable} is not a URL", False
        if not valid:
            self.problems.append(f"{found}; {_EXPECTED_URL}, {otherwise}.")
        return url

    def _api_key(self, variable: str) -> str:
        key = self._raw.get(variable, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            self.problems.append(
                f"{variable} holds characters that an HTTP header cannot carry. Expected printable ASCII; copy the key again."
            )
        return key

    def _choice(self, variable: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self._raw.get(variable, "").lower() or default
        if text not in allowed:
            self.problems.append(f"{variable} is {text!r}; expected one of {', '.join(allowed)}.")
            return default
        return text

    def _limit(self, variable: str) -> int | None:
        text = self._raw.get(variable, "")
        if not text:
            return None
        if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= _HIGHEST_LIMIT:
            return int(text)
        self.problems.append(
            f"{variable} is {text!r}; expected a whole number from 1 to {_HIGHEST_LIMIT}, or nothing for no limit."
        )
        return None


def _place(url: str) -> str:
    """Host and port, as people recognise a runner without a name; a plain word where that cannot be one."""
    place = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    # An address such as [::1]:8080 looks like the name of a runner with a model behind it.
    return place if _can_be_a_name(place) else _NAMELESS


def _can_be_a_name(text: str) -> bool:
    return "::" not in text and len(text) <= 64 and text.isprintable()
