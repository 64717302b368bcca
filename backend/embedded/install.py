"""Gets a fresh clone ready: virtual environment, Python packages, front end. `python3 -m backend.embedded.install run`.

It runs before any package is installed, so it uses the standard library only. What is done is remembered by stamps
named after a hash of what it was made from; the next call does nothing unless that has changed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backend.config.environment import REPOSITORY_ROOT, ConfigurationError, raw_settings
from backend.embedded.node import FRONTEND, VENV, NodeMissing, node_environment, npm_command

VENV_PYTHON: Final = VENV / "bin" / "python"
MODULES: Final = FRONTEND / "node_modules"
# What the built front end is made from; tests and settings of linters are not part of it.
FRONTEND_SOURCES: Final = (
    "src",
    "public",
    "index.html",
    "vite.config.js",
    "package.json",
    "package-lock.json",
)
GROUPS: Final = {
    "run": ("requirements.txt", "requirements-embedded.txt"),
    "check": ("requirements.txt", "requirements-dev.txt"),
    "test": ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"),
}
EMBEDDED: Final = "requirements-embedded.txt"
BUILD: Final = "requirements-build.txt"
# In words, for the progress lines.
CONTENTS: Final = {
    "requirements.txt": "the web server's packages",
    "requirements-dev.txt": "the test tools",
    EMBEDDED: "PostgreSQL, the model runner and a model",
    BUILD: "Node",
}
NO_WHEEL: Final = "No matching distribution found"


class InstallError(Exception):
    """Setting up failed; the text is one line and says what to do."""


def main(arguments: list[str]) -> int:
    """Install what a purpose needs: run, check (linters) or test."""
    parser = argparse.ArgumentParser(prog="python3 -m backend.embedded.install", description="Get ready.")
    parser.add_argument("purpose", choices=sorted(GROUPS))
    options = parser.parse_args(arguments)
    try:
        with only_one():
            make_venv()
            for name in GROUPS[options.purpose]:
                if name != EMBEDDED or needs_embedded():
                    install_packages(name)
            if options.purpose != "run":
                install_packages(BUILD)
                install_node_modules()
            if options.purpose != "check":
                build_frontend()
    except (InstallError, NodeMissing, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return 130
    return 0


@contextmanager
def only_one() -> Iterator[None]:
    """Wait for another installation in the same folder to end: two at once would unpack over each other."""
    folder = os.open(REPOSITORY_ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def needs_embedded() -> bool:
    """Whether the embedded PostgreSQL or the built-in runner will be used."""
    settings = raw_settings()
    return not (settings.get("DATABASE_URL") and settings.get("MODEL_RUNNER_URL"))


def make_venv() -> None:
    """Make the virtual environment, or make it anew when its Python is gone."""
    if any(VENV.glob(".stamp-*")) and VENV_PYTHON.exists():
        return
    probe = [str(VENV_PYTHON), "-m", "pip", "--version"]
    if VENV_PYTHON.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    say(f"Making a virtual environment in {VENV.name}/ with Python {sys.version.split()[0]}...")
    for stamp in VENV.glob(".stamp-*"):
        stamp.unlink()
    result = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        reason = " ".join(result.stdout.split())[-300:]
        raise InstallError(
            f"Python {sys.version.split()[0]} could not make a virtual environment: {reason}."
            " On Debian and Ubuntu, install the package python3-venv."
        )


def install_packages(name: str) -> None:
    """Install one hash-locked file of requirements, unless that very file is installed already."""
    requirements = REPOSITORY_ROOT / name
    label = requirements.stem.removeprefix("requirements").lstrip("-") or "base"
    stamp = VENV / f".stamp-{label}-{digest([requirements])}"
    if stamp.exists():
        return
    command = [
        str(VENV_PYTHON),
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--progress-bar",
        "off",
    ]
    command += ["--disable-pip-version-check", "--no-input", "-r", str(requirements)]
    if name == EMBEDDED:
        command.append("--only-binary=:all:")
    log = VENV / f"install-{label}.log"
    counter = Counter(f"Installing {CONTENTS[name]}")
    code = run_logged(
        command, log, counter, ("Collecting ", "Requirement already satisfied"), os.environ.copy()
    )
    if code != 0:
        raise InstallError(installation_failure(name, log))
    counter.finish()
    renew_stamp(stamp, VENV.glob(f".stamp-{label}-*"))


def installation_failure(name: str, log: Path) -> str:
    """One line about a failed installation of packages."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if name == EMBEDDED and any(NO_WHEEL in line for line in lines):
        return (
            f"The embedded PostgreSQL and model runner do not exist for this system ({sysconfig.get_platform()},"
            f" Python {sys.version.split()[0]}). Set both DATABASE_URL, such as postgresql://USER:PASSWORD@HOST/NAME, and"
            " MODEL_RUNNER_URL, such as http://localhost:12434/engines/v1, here or in .env, and start again."
        )
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    return f"pip could not install {name}: {' '.join(errors)[:400]} See {log}."


def build_frontend() -> None:
    """Build the pages, unless these very sources are built already."""
    sources = [FRONTEND / name for name in FRONTEND_SOURCES]
    stamp = FRONTEND / "dist" / f".stamp-{digest(sources)}"
    if stamp.exists():
        return
    install_packages(BUILD)
    install_node_modules()
    run_npm(["run", "build"], "Building the front end")
    renew_stamp(stamp, stamp.parent.glob(".stamp-*"))


def install_node_modules() -> None:
    """Install the front end's packages as locked, unless that very lock is installed already."""
    stamp = MODULES / f".stamp-{digest([FRONTEND / 'package-lock.json'])}"
    if stamp.exists():
        return
    run_npm(["ci", "--no-audit", "--no-fund"], "Installing the front end's packages")
    renew_stamp(stamp, MODULES.glob(".stamp-*"))


def run_npm(arguments: list[str], doing: str) -> None:
    """Run npm in the front end's folder, with Node from the wheel."""
    log = VENV / f"npm-{arguments[1] if arguments[0] == 'run' else arguments[0]}.log"
    counter = Counter(doing)
    code = run_logged(npm_command(arguments), log, counter, (), node_environment(), folder=FRONTEND)
    if code != 0:
        lines = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
        errors = [line.strip() for line in lines if "rror" in line][:2] or lines[-2:]
        raise InstallError(f"{doing} failed: {' | '.join(errors)[:400]} See {log}.")
    counter.finish()


class Counter:
    """One line of progress: counted up in place on a terminal, said once and finished elsewhere."""

    def __init__(self, doing: str) -> None:
        self._doing, self._count = doing, 0
        self._started = time.monotonic()
        self._terminal = sys.stdout.isatty()
        say(f"{doing}...", end="" if self._terminal else "\n")

    def step(self) -> None:
        """One more done."""
        self._count += 1
        if self._terminal:
            say(f"\r{self._doing}... {self._count}", end="")

    def finish(self) -> None:
        """All done."""
        seconds = time.monotonic() - self._started
        say(
            f"\r{self._doing}: done in {seconds:.0f} s\033[K"
            if self._terminal
            else f"  done in {seconds:.0f} s"
        )


def run_logged(
    command: list[str],
    log: Path,
    counter: Counter,
    counted: tuple[str, ...],
    environment: dict[str, str],
    folder: Path = REPOSITORY_ROOT,
) -> int:
    """Run a command with its output in a log, counting the lines that begin with `counted`; answer its exit code."""
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                if counted and line.startswith(counted):
                    counter.step()
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


def digest(paths: Iterable[Path]) -> str:
    """A short hash of the names and contents of files and folders; a missing one counts as empty."""
    result = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                result.update(f"{file.relative_to(REPOSITORY_ROOT)}\0".encode())
                result.update(hashlib.sha256(file.read_bytes()).digest())
    return result.hexdigest()[:16]


def renew_stamp(stamp: Path, old: Iterable[Path]) -> None:
    """Remember that something is done, and forget the earlier states of it."""
    for path in list(old):
        path.unlink()
    stamp.touch()


def say(text: str, end: str = "\n") -> None:
    """Show progress at once."""
    print(text, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
