"""What `make run` ends in: checks that Verbatim can start here, then runs all of it until Ctrl+C.

`python -m backend.embedded.run`. Everything a person can get wrong is found here, before anything is started, and is
one clear line; it may not import Django.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from backend.config.environment import ConfigurationError, Environment, load_environment
from backend.embedded.application import Application, Programs
from backend.embedded.errors import StartError
from backend.embedded.locks import FileLock
from backend.embedded.part import rotate_log
from backend.embedded.postgres import EmbeddedPostgres, embedded_postgres
from backend.embedded.preflight import (
    bind_web_socket,
    check_data_dir,
    check_database,
    runner_problems,
)
from backend.embedded.processes import die_with_parent
from backend.embedded.progress import Progress
from backend.embedded.supervisor import Supervisor

CANNOT_START: Final = 2
FAILED: Final = 1
OTHER_COMMAND_SECONDS: Final = 15.0


def main(arguments: list[str], programs: Programs | None = None) -> int:
    """Run the application; answer 0 after Ctrl+C or SIGTERM, 2 when the settings cannot work, 1 when a part failed."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.embedded.run", description="Run all of Verbatim."
    )
    parser.add_argument(
        "--stop-with-parent", action="store_true", help="stop when the process that started this one ends"
    )
    options = parser.parse_args(arguments)
    if options.stop_with_parent:
        die_with_parent(signal.SIGTERM, os.getppid())
    progress = Progress()
    try:
        environment = load_environment()
        with ExitStack() as resources:
            return _run(environment, programs or Programs(), progress, resources)
    except ConfigurationError as error:
        progress.warn(error.message)
    except StartError as error:
        progress.warn(str(error))
    except KeyboardInterrupt:
        return 0  # Ctrl+C before anything was started
    return CANNOT_START


def _run(environment: Environment, programs: Programs, progress: Progress, resources: ExitStack) -> int:
    check_data_dir(environment.data_dir)
    _only_one(environment.data_dir, resources)
    listener = resources.enter_context(bind_web_socket(environment.host, environment.port))
    if environment.database_url:
        check_database(environment.database_url)
        postgres = None
    else:
        postgres = _prepare_postgres(environment.data_dir, progress, resources)
    for problem in runner_problems(environment):
        progress.warn(problem)
    application = Application(environment, listener, postgres, programs, progress)

    async def supervise() -> None:
        await Supervisor(progress).run(application.start)

    try:
        asyncio.run(supervise())
    except StartError as error:
        progress.warn(str(error))
        return FAILED
    progress.say("Stopped.")
    return 0


def _only_one(data_dir: Path, resources: ExitStack) -> None:
    """Refuse to run twice on one DATA_DIR."""
    lock = resources.enter_context(FileLock(data_dir / "supervisor.lock"))
    if not lock.acquire():
        raise StartError(
            f"Verbatim already runs with DATA_DIR {data_dir}. Use that one, stop it, or set another DATA_DIR and PORT."
        )


def _prepare_postgres(data_dir: Path, progress: Progress, resources: ExitStack) -> EmbeddedPostgres:
    """The embedded server, ready to be started by us and nobody else."""
    server = embedded_postgres(data_dir)
    owner = resources.enter_context(FileLock(server.owner_lock))
    deadline = time.monotonic() + OTHER_COMMAND_SECONDS
    while not owner.acquire():
        if time.monotonic() > deadline:
            raise StartError(
                f"A manage.py command runs the database in {server.data_folder} at the moment."
                " Start again when it has ended."
            )
        time.sleep(0.1)
    rotate_log(server.log_file)
    if not (server.data_folder / "PG_VERSION").exists():
        progress.say("Making a new database folder...")
    server.prepare()
    return server


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
