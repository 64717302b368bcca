"""Starts the built-in runner: `python -m backend.model_runner.builtin --port N`.

What a person can get wrong is one line and exit status 2.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Final

from backend.model_runner.builtin.engine_process import EngineOptions, start_engine
from backend.model_runner.builtin.errors import CannotLoad, RunnerUnavailable
from backend.model_runner.builtin.files import (
    DEMONSTRATION_MODEL,
    ModelFile,
    ModelFiles,
    demonstration_file,
    first_choice,
)
from backend.model_runner.builtin.front import Front
from backend.model_runner.builtin.loading import Models

CANNOT_START: Final = 2
NOT_INSTALLED: Final = (
    "The built-in runner is not installed here (the package xllamacpp, which exists for Linux with glibc and for macOS)."
    " Set MODEL_RUNNER_URL to another OpenAI-compatible runner, such as http://localhost:12434/engines/v1."
)
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m backend.model_runner.builtin", description="Built-in model runner."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="the port to serve on; 0 chooses a free one")
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the demonstration model)")
    parser.add_argument("--model-id", default="", help="the name of --model (default: its file's)")
    parser.add_argument("--models-dir", type=Path, help="a folder whose GGUF files are offered too")
    parser.add_argument("--first", default="", help="the model to load first (default: --model)")
    parser.add_argument("--context", type=int, default=8192, help="tokens of each reply and its prompt")
    parser.add_argument("--slots", type=int, default=2, help="replies at the same time")
    parser.add_argument("--threads", type=int, default=0, help="0: one less than there are cores")
    parser.add_argument("--loaded", type=int, default=1, help="models in memory at the same time")
    parser.add_argument("--check", action="store_true", help="only look whether it could start")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace, files: ModelFiles, first: ModelFile) -> None:
    """Load the first model, print one line when it is ready, and serve until told to stop.

    Raises CannotLoad for the first model, and OSError where the port cannot be had.
    """
    engine_options = EngineOptions(
        context_tokens=options.context,
        slots=options.slots,
        # With all cores, generation collapses as soon as anything else needs one.
        threads=options.threads or max(1, (os.cpu_count() or 2) - 1),
    )
    models = Models(lambda model, on_end: start_engine(model, engine_options, on_end), options.loaded)
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def load_and_serve(front: Front) -> None:
        await models.load(first)
        print(f"The runner serves {first.id} at {front.url}", flush=True)
        await models.run()

    async with Front(options.host, options.port, files, models, engine_options) as front:
        serving = asyncio.create_task(load_and_serve(front))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            # In mid-load this ends the engine that is being started.
            serving.cancel()
            stopping.cancel()
            await asyncio.gather(serving, stopping, return_exceptions=True)
            await models.end()


def main(arguments: list[str]) -> int:
    """Parse the arguments and serve; answer the exit code when the runner cannot start or was told to stop."""
    options = parse(arguments)
    path = options.model or demonstration_file()
    model_id = options.model_id or (options.model.stem.lower() if options.model else DEMONSTRATION_MODEL)
    files = ModelFiles(path, model_id, options.models_dir)
    try:
        if importlib.util.find_spec("xllamacpp") is None:
            raise RunnerUnavailable(NOT_INSTALLED)
        first = first_choice(files, options.first, options.model)
        if not options.check:
            asyncio.run(serve(options, files, first))
    except RunnerUnavailable as error:
        print(error, file=sys.stderr, flush=True)
        return CANNOT_START
    except CannotLoad as reason:
        print(f"The model file {first.path} cannot be loaded: {reason}.", file=sys.stderr, flush=True)
        return CANNOT_START
    except OSError as error:
        reason_text = error.strerror or str(error)
        print(f"The runner cannot serve at {options.host}:{options.port}: {reason_text}.", file=sys.stderr)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
