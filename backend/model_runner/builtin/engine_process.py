"""Starts one engine, a child process with one model, and knows whether it still runs.

Which model runs when is for loading.py to decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.model_runner.builtin.engine import CANNOT, READY
from backend.model_runner.builtin.errors import CannotLoad
from backend.model_runner.builtin.files import ModelFile

LOADING_SECONDS: Final = 900.0
PATIENCE_SECONDS: Final = 2.0
KEPT_LINES: Final = 40
LONGEST_REASON: Final = 300
# What the makers of SmolLM2 recommend; llama.cpp's own 0.8 makes so small a model ramble.
DEMONSTRATION_SAMPLING: Final = ("--temperature", "0.2", "--top-p", "0.9")

# 0.00.049.702 E llama_model_load: error loading model: tensor …
_ERROR_LINE: Final = re.compile(
    r"^[\d.]+ E +(?:cmn +|srv +)?(?:[a-z_0-9]+ ?: +)?(?:error loading model: +)?(.*)$"
)
_SAYS_NOTHING: Final = re.compile(
    r"failed to (load|init|read header|open)|due to model loading error|trying to fit"
)


@dataclass(frozen=True)
class EngineOptions:
    """What every engine may use. context_tokens: for each reply. threads: already counted, never 0."""

    context_tokens: int
    slots: int
    threads: int

    def context_of(self, model: ModelFile) -> int:
        """What one reply gets; no more than the model was trained for, which would only take memory."""
        return min(self.context_tokens, model.header.context_tokens or self.context_tokens)


class Engine:
    """A running engine; made by `start_engine`. on_end is called once, when the process has ended."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        port: int,
        readers: tuple[asyncio.Task[None], ...],
        on_end: Callable[[], None],
    ) -> None:
        self.port = port
        self._process = process
        self._readers = readers  # held here, or they might be collected while they run
        self._ended = asyncio.create_task(process.wait())
        self._ended.add_done_callback(lambda _: on_end())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> None:
        """End the process, whatever it is doing."""
        await _end(self._process)
        await self._ended


async def start_engine(model: ModelFile, options: EngineOptions, on_end: Callable[[], None]) -> Engine:
    """Start a process and wait until it has loaded the model. Raises CannotLoad."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(model, options),
            stdin=asyncio.subprocess.PIPE,  # held open as long as we live
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise CannotLoad(f"no process could be started for it: {error.strerror}") from error
    said: deque[str] = deque(maxlen=KEPT_LINES)
    assert process.stdout is not None
    assert process.stderr is not None
    log = asyncio.create_task(_pass_on(process.stderr, said))
    try:
        async with asyncio.timeout(LOADING_SECONDS):
            word = await _first_word(process.stdout)
    except TimeoutError:
        await _end(process)
        raise CannotLoad(f"it was not loaded within {LOADING_SECONDS:.0f} seconds") from None
    except BaseException:
        await _end(process)
        raise
    if word.startswith(READY):
        # Read on, so that nothing it prints can ever fill the pipe and stop it.
        rest = asyncio.create_task(_pass_on(process.stdout, said))
        return Engine(process, int(word.removeprefix(READY)), (log, rest), on_end)
    # How it ends by itself, and its last words, tell what happened.
    await asyncio.wait([log], timeout=PATIENCE_SECONDS)
    await _end(process)
    raise CannotLoad(reason_in(list(said), word.removeprefix(CANNOT), process.returncode))


def reason_in(said: list[str], last_words: str, code: int | None) -> str:
    """Why a model was not loaded: the first line of llama.cpp that says more than that, trimmed.

    said: its log. last_words: what the process itself could still say. code: how it ended, negative for a signal.
    """
    errors = [match[1] for line in said if (match := _ERROR_LINE.match(line))]
    telling = [text for text in errors if not _SAYS_NOTHING.search(text)]
    if telling:
        reason = telling[0]
    elif not last_words and code is not None and code < 0:
        reason = f"llama.cpp was ended by {signal.Signals(-code).name} while it loaded the model"
        if -code == signal.SIGKILL:
            reason += "; the machine may not have enough memory for it"
    else:
        reason = last_words or (errors[-1] if errors else f"llama.cpp ended with code {code}")
    reason = " ".join(reason.split()).rstrip(".")
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"


def _command(model: ModelFile, options: EngineOptions) -> list[str]:
    sampling = DEMONSTRATION_SAMPLING if model.demonstration else ()
    return [
        *(sys.executable, "-m", "backend.model_runner.builtin.engine"),
        *("--parent", str(os.getpid())),
        f"--model={model.path}",
        f"--alias={model.id}",
        *("--context", str(options.context_of(model))),
        *("--slots", str(options.slots)),
        *("--threads", str(options.threads)),
        *sampling,
    ]


async def _first_word(stdout: asyncio.StreamReader) -> str:
    """The line that says whether the model is loaded; empty where the process ended without one."""
    async for line in stdout:
        text = line.decode("utf-8", "replace").strip()
        if text.startswith((READY, CANNOT)):
            return text
    return ""


async def _pass_on(output: asyncio.StreamReader, said: deque[str]) -> None:
    """Copy llama.cpp's log into ours, and keep its end."""
    while True:
        try:
            line = await output.readline()
        except ValueError:
            continue  # a line longer than the reader's limit; its beginning was thrown away
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip()
        said.append(text)
        print(text, file=sys.stderr, flush=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()
                return
