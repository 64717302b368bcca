"""One model in one process: llama.cpp's HTTP server on a loopback port, started and ended by the front.

`python -m backend.model_runner.builtin.engine …` prints `ready PORT` once the model is loaded, and serves until it is
ended. What llama.cpp has to say goes to standard error. It ends together with the process that started it.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from backend.model_runner.builtin.errors import CannotLoad

READY: Final = "ready "
CANNOT: Final = "cannot start: "
BATCH: Final = 256  # a cancelled prefill ends only after its batch
PROMPT_CACHE_MIB: Final = 256
LOG_WARNINGS: Final = 2
_PR_SET_PDEATHSIG: Final = 1


def serve(options: argparse.Namespace) -> None:
    """Load the model, say so, and serve until the process ends. Raises CannotLoad."""
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")  # it has no type hints
    except ImportError as error:
        raise CannotLoad(
            f"llama.cpp cannot run here ({error}); its package exists for Linux with glibc and for macOS"
        ) from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(options.model)
    parameters.model_alias = {options.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = options.context * options.slots  # llama.cpp divides it by the slots
    parameters.n_parallel = options.slots
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options.threads
    if options.temperature is not None:
        parameters.sampling.temp, parameters.sampling.top_p = options.temperature, options.top_p
    parameters.ui = False
    parameters.cors_origins = ""  # web pages have no business here
    parameters.cache_ram_mib = PROMPT_CACHE_MIB  # the default is 8 GB
    parameters.endpoint_slots = False  # polling it delays cancellation
    parameters.endpoint_metrics = True
    parameters.verbosity = LOG_WARNINGS
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise CannotLoad(str(error)) from error
    print(f"{READY}{server.listening_address.rpartition(':')[2]}", flush=True)
    threading.Event().wait()


def end_with_parent(parent: int) -> None:
    """See to it that this process ends when `parent` does, however that ends.

    On Linux the system does it at once. Elsewhere, and as a second line, a thread waits for the end of standard
    input, whose other end only the parent holds; while a model loads it gets no turn.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(0)

    def wait_for_the_end() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=wait_for_the_end, name="parent", daemon=True).start()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backend.model_runner.builtin.engine")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--top-p", type=float)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Loading never lets Python run a handler, and destroying the server waits for every open stream: the signal
        # itself has to end the process. The model-call worker records such streams as cut anyway.
        signal.signal(number, signal.SIG_DFL)
    end_with_parent(options.parent)
    try:
        serve(options)
    except CannotLoad as error:
        print(f"{CANNOT}{error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
