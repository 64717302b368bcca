"""One project of docker compose: how tests start it, look at it and do it harm."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from backend.config.environment import REPOSITORY_ROOT
from tests.support.stack import free_port

START_S = 900  # a large image on a slow disk, or a model that is loaded
DEFAULT_FILES = "docker-compose.yml"


class Compose:
    """A project of its own, with volumes and a port of its own. COMPOSE_FILE says which files it is made of."""

    def __init__(self, name: str, **settings: str) -> None:
        self.port = free_port()
        self.environment = {
            **os.environ,
            "COMPOSE_FILE": os.environ.get("COMPOSE_FILE", DEFAULT_FILES),
            "COMPOSE_PROJECT_NAME": name,
            # Nobody's `.env` changes what is tested.
            "COMPOSE_DISABLE_ENV_FILE": "1",
            "SETTINGS_FILE": os.devnull,
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            **settings,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, timeout_s: float = START_S, check: bool = True) -> str:
        """`docker compose …`; its standard output."""
        return self._docker("compose", *arguments, timeout_s=timeout_s, check=check)

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self._docker(*arguments, timeout_s=120, check=check)

    def up(self, *arguments: str) -> None:
        """Everything, until it is well."""
        try:
            self.run("up", "--detach", "--wait", "--wait-timeout", str(START_S), *arguments)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run('logs', '--tail', '40', check=False)}") from error

    def build(self) -> None:
        """The images. The output is left on the terminal: it takes minutes the first time."""
        subprocess.run(
            ["docker", "compose", "build"],
            cwd=REPOSITORY_ROOT,
            env=self.environment,
            check=True,
            timeout=3600,
        )

    def manage(self, *arguments: str) -> str:
        """A management command, in the web process's container."""
        return self.run("exec", "--no-TTY", "web", "python", "backend/manage.py", *arguments)

    def sql(self, statement: str) -> str:
        """As the owner of the tables; one value a line."""
        psql = ("psql", "--username=verbatim_owner", "--dbname=verbatim", "--tuples-only", "--no-align")
        return self.run("exec", "--no-TTY", "postgres", *psql, "--command", statement).strip()

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What `docker inspect` says of each container, also of those that have ended."""
        ids = self.run("ps", "--all", "--quiet", *([service] if service else [])).split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids)) if ids else []
        return found

    def services(self) -> dict[str, list[dict[str, Any]]]:
        """Containers by service."""
        found: dict[str, list[dict[str, Any]]] = {}
        for container in self.containers():
            found.setdefault(container["Config"]["Labels"]["com.docker.compose.service"], []).append(
                container
            )
        return found

    def kill(self, service: str) -> None:
        """All containers of a service, with SIGKILL, as `docker kill` does."""
        for container in self.containers(service):
            self.docker("kill", container["Id"])

    def wait_until_healthy(self, service: str, timeout_s: float = 90.0) -> None:
        deadline = time.monotonic() + timeout_s
        states: list[str] = []
        while time.monotonic() < deadline:
            states = [container["State"]["Health"]["Status"] for container in self.containers(service)]
            if states and set(states) == {"healthy"}:
                return
            time.sleep(0.5)
        raise AssertionError(f"{service} is not well after {timeout_s} s: {states}")

    def _docker(self, *arguments: str, timeout_s: float, check: bool = True) -> str:
        result = subprocess.run(
            ["docker", *arguments],
            cwd=REPOSITORY_ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check:
            assert result.returncode == 0, (
                f"docker {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
            )
        return result.stdout
