"""The parts of Verbatim on one machine: their commands, their wiring, the order in which they start.

How a part is kept running is the supervisor's business. This module may not import Django or the parts: they are
processes of their own, known here only by their command lines.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Final

import psycopg

from backend.config.builtin_settings import runner_arguments
from backend.config.environment import REPOSITORY_ROOT, Environment
from backend.embedded.errors import StartError
from backend.embedded.part import PartPlan
from backend.embedded.postgres import EmbeddedPostgres
from backend.embedded.probe import Answer, ask, connect_address, host_header, page_url
from backend.embedded.processes import ChildCommand
from backend.embedded.progress import Progress
from backend.embedded.supervisor import Supervisor

DATABASE_SECONDS: Final = 90.0
RUNNER_SECONDS: Final = 900.0  # a large model on a slow disk
READY_SECONDS: Final = 120.0
MANAGE: Final = str(REPOSITORY_ROOT / "backend" / "manage.py")
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class Programs:
    """The arguments, after `python`, of every program that is ours. Tests put small stand-ins in their place."""

    setup: tuple[tuple[str, ...], ...] = ((MANAGE, "migrate", "--noinput"), (MANAGE, "createcachetable"))
    setup_code: tuple[str, ...] = (MANAGE, "setup_code")
    web: tuple[str, ...] = ("-m", "backend.embedded.web_server")
    runner: tuple[str, ...] = ("-m", "backend.model_runner.builtin")
    projections: tuple[str, ...] = (MANAGE, "run_projections")
    model_calls: tuple[str, ...] = (MANAGE, "run_model_calls")


class Application:
    """One run of the application.

    listener: the open web socket. postgres: the prepared embedded server, None where DATABASE_URL names another.
    """

    def __init__(
        self,
        environment: Environment,
        listener: socket.socket,
        postgres: EmbeddedPostgres | None,
        programs: Programs,
        progress: Progress,
    ) -> None:
        self._environment = environment
        self._listener = listener
        self._postgres = postgres
        self._programs = programs
        self._progress = progress
        self._logs = environment.data_dir / "logs"
        self._counts = environment.data_dir / "counts"
        self._runner_port = _ReservedPort() if not environment.model_runner_url else None
        # The id of the model that is loaded first, if the runner is ours.
        self._model = environment.model_runner_model or environment.builtin.model_id
        self._model_arguments = runner_arguments(environment.builtin, environment.model_runner_model)
        self._readiness = Answer(0, "")

    async def start(self, supervisor: Supervisor) -> None:
        """Start every part in order; the address is the last line shown, once the application is ready.

        Raises StartError.
        """
        began = time.monotonic()
        self._begin_to_count()
        if self._runner_port is not None:
            await self._check_model(supervisor)
        if self._postgres is not None:
            supervisor.start_together([self._postgres_plan(self._postgres)])
        if self._runner_port is not None:
            # Loading the model takes as long as the database's preparation: both at the same time.
            supervisor.start_together([self._runner_plan(self._runner_port)])
        if self._postgres is not None:
            with self._progress.step("Starting PostgreSQL", "PostgreSQL answers"):
                await self._wait_for_postgres(supervisor, self._postgres)
        with self._progress.step("Preparing the database", "The database is up to date"):
            for arguments in self._programs.setup:
                name = f"Preparing the database ({arguments[1]})"
                command = self._python(arguments, as_owner=True)
                await supervisor.run_command(name, command, self._logs / "setup.log")
        with self._progress.step("Starting the web server and the workers", "They answer"):
            supervisor.start_together(self._application_plans())
            await self._wait_for_readiness(supervisor)
        if self._runner_port is not None:
            with self._progress.step("Waiting for the model", f"{self._model} is loaded"):
                await self._wait_for_runner(supervisor, self._runner_port)
        await self._show_setup_code(supervisor)
        seconds = time.monotonic() - began
        self._progress.say(f"Started in {seconds:.1f} s. Ctrl+C stops everything. Logs: {self._logs}")
        self._progress.say(f"Verbatim is ready: {page_url(self._environment.host, self._environment.port)}")

    def _begin_to_count(self) -> None:
        """What earlier processes counted is over, as with any other restart."""
        shutil.rmtree(self._counts, ignore_errors=True)
        self._counts.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def _show_setup_code(self, supervisor: Supervisor) -> None:
        """Where other machines reach the page, only whoever sees this terminal may make the first account."""
        if self._environment.is_loopback:
            return
        command = self._python(self._programs.setup_code)
        log = self._logs / "setup.log"
        code = (await supervisor.run_command("Asking for the setup code", command, log, answers=True)).strip()
        if code:
            self._progress.say(
                f"The first account becomes the administrator. It needs this setup code: {code}"
            )

    def _postgres_plan(self, postgres: EmbeddedPostgres) -> PartPlan:
        async def clear_leftovers() -> None:
            await asyncio.to_thread(postgres.clear_leftovers)

        return PartPlan(
            name="postgres",
            command=postgres.command,
            log_file=postgres.log_file,
            before_start=clear_leftovers,
            # A fast shutdown first; SIGQUIT leaves the tidying to the next start, but loses nothing either.
            stop_signals=((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)),
        )

    def _runner_plan(self, port: _ReservedPort) -> PartPlan:
        where = ("--host", LOOPBACK, "--port", str(port.number))
        return self._plan("runner", (*self._programs.runner, *where, *self._model_arguments))

    async def _check_model(self, supervisor: Supervisor) -> None:
        """Raises StartError for a model of somebody's own that is not there, before anything is started."""
        if self._environment.builtin.model_path or self._environment.model_runner_model:
            command = self._python((*self._programs.runner, "--check", *self._model_arguments))
            await supervisor.run_command("Looking for the model", command, self._logs / "runner.log")

    def _application_plans(self) -> list[PartPlan]:
        descriptor = self._listener.fileno()
        counts = self._environment
        web = (*self._programs.web, "--fd", str(descriptor))
        return [
            *(self._plan(name, web, (descriptor,)) for name in _names("web", counts.web_workers)),
            *(
                self._plan(name, self._programs.projections)
                for name in _names("projections", counts.projection_workers)
            ),
            *(
                self._plan(name, self._programs.model_calls)
                for name in _names("model-calls", counts.model_call_workers)
            ),
        ]

    def _plan(self, name: str, arguments: tuple[str, ...], pass_fds: tuple[int, ...] = ()) -> PartPlan:
        command = self._python(arguments, pass_fds)
        return PartPlan(name=name, command=lambda: command, log_file=self._logs / f"{name}.log")

    def _python(
        self, arguments: tuple[str, ...], pass_fds: tuple[int, ...] = (), *, as_owner: bool = False
    ) -> ChildCommand:
        """One of our own programs, told where the embedded parts are. as_owner: whether it hears of the tables' owner."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if pass_fds and self._environment.web_workers > 1:
            # Of web processes at one socket, whichever is asked for /metrics tells what all of them counted.
            environment["PROMETHEUS_MULTIPROC_DIR"] = str(self._counts)
        if not as_owner:
            # Empty, not left out: what the environment names is not looked up in `.env`.
            environment["DATABASE_OWNER_URL"] = ""
            environment["DATABASE_OWNER_URL_FILE"] = ""
            environment["DATABASE_RUNTIME_ROLE"] = self._environment.database.runtime_role
        if self._postgres is not None:
            environment["DATABASE_URL"] = self._postgres.url()
        if self._runner_port is not None:
            environment["BUILT_IN_RUNNER_URL"] = f"http://{LOOPBACK}:{self._runner_port.number}/v1"
            environment["MODEL_RUNNER_MODEL"] = self._model
        return ChildCommand(
            arguments=(sys.executable, *arguments),
            environment=environment,
            folder=REPOSITORY_ROOT,
            pass_fds=pass_fds,
        )

    async def _wait_for_postgres(self, supervisor: Supervisor, postgres: EmbeddedPostgres) -> None:
        async def answers() -> bool:
            return await asyncio.to_thread(postgres.is_ready)

        if not await supervisor.wait_until(answers, seconds=DATABASE_SECONDS):
            raise StartError(
                f"PostgreSQL did not answer within {DATABASE_SECONDS:.0f} s. Read {postgres.log_file}."
            )
        try:
            await asyncio.to_thread(postgres.ensure_database)
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise StartError(
                f"PostgreSQL could not make the database: {reason}. Read {postgres.log_file}."
            ) from error

    async def _wait_for_runner(self, supervisor: Supervisor, port: _ReservedPort) -> None:
        async def answers() -> bool:
            host = f"{LOOPBACK}:{port.number}"
            return (await ask(LOOPBACK, port.number, "/health", host_header=host)).status == 200

        if not await supervisor.wait_until(answers, seconds=RUNNER_SECONDS):
            raise StartError(
                f"The built-in runner did not load its model within {RUNNER_SECONDS:.0f} s."
                f" Read {self._logs / 'runner.log'}; set MODEL_PATH to a smaller model, or MODEL_RUNNER_URL to another runner."
            )

    async def _wait_for_readiness(self, supervisor: Supervisor) -> None:
        environment = self._environment
        address = connect_address(environment.host)
        name = host_header(environment.host, environment.port, environment.allowed_hosts)

        async def answers() -> bool:
            self._readiness = await ask(address, environment.port, "/readyz", host_header=name)
            return self._readiness.status == 200

        if not await supervisor.wait_until(answers, seconds=READY_SECONDS):
            said = " ".join(self._readiness.text.split())[:300] or "nothing"
            raise StartError(
                f"The application was not ready within {READY_SECONDS:.0f} s: /readyz answers"
                f" {self._readiness.status}: {said}. Read the logs in {self._logs}."
            )


class _ReservedPort:
    """A free port that stays ours while the runner restarts: bound by a socket that never listens."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number: int = self._socket.getsockname()[1]


def _names(name: str, count: int) -> list[str]:
    """`web` for a single one, `web-1`, `web-2` for several."""
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
