"""Setting up a fresh clone: what is installed when, and what a person is told when something is missing.

Runs in a small copy of the repository whose requirements are empty or cannot be had, so nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.embedded.install import FRONTEND_SOURCES, digest
from tests.integration.embedded.support import REPOSITORY

NEEDED = (
    "Makefile",
    "backend/__init__.py",
    "backend/config/__init__.py",
    "backend/config/access_settings.py",
    "backend/config/mail_settings.py",
    "backend/config/audit_settings.py",
    "backend/config/builtin_settings.py",
    "backend/config/database_settings.py",
    "backend/config/environment.py",
    "backend/config/runner_settings.py",
    "backend/config/secret_files.py",
    "backend/config/traffic_settings.py",
    "backend/embedded/__init__.py",
    "backend/embedded/install.py",
    "backend/embedded/node.py",
    "backend/model_runner/__init__.py",
    "backend/model_runner/runner_settings.py",
)
ELSEWHERE = {"DATABASE_URL": "postgresql://h/n", "MODEL_RUNNER_URL": "http://h/v1"}
NOT_TO_BE_HAD = "no-such-parts==1.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture(scope="module")
def small_repository() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="verbatim-install-") as name:
        folder = Path(name)
        for path in NEEDED:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / path, folder / path)
        for requirements in ("requirements.txt", "requirements-build.txt", "requirements-dev.txt"):
            (folder / requirements).write_text("# nothing\n")
        (folder / "requirements-embedded.txt").write_text(NOT_TO_BE_HAD)
        yield folder


def install(folder: Path, purpose: str = "run", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend.embedded.install", purpose],
        cwd=folder,
        # Without an index, nothing that is not there already can be had.
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_where_the_embedded_parts_do_not_exist_one_line_says_what_to_set(small_repository: Path) -> None:
    result = install(small_repository)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("The embedded PostgreSQL and model runner do not exist for this system (")
    assert "Set both DATABASE_URL, such as" in result.stderr
    assert "MODEL_RUNNER_URL, such as" in result.stderr


@pytest.mark.parametrize("given", sorted(ELSEWHERE))
def test_one_of_the_two_settings_is_not_enough(small_repository: Path, given: str) -> None:
    assert "Set both" in install(small_repository, **{given: ELSEWHERE[given]}).stderr


def test_with_both_settings_the_embedded_parts_are_not_even_tried(small_repository: Path) -> None:
    dist = small_repository / "frontend" / "dist"
    dist.mkdir(parents=True)
    built = digest([REPOSITORY / "frontend" / name for name in FRONTEND_SOURCES])
    (small_repository / ".venv" / "install-embedded.log").unlink(missing_ok=True)
    for name in FRONTEND_SOURCES:
        source = REPOSITORY / "frontend" / name
        if source.is_dir():
            shutil.copytree(source, small_repository / "frontend" / name)
        elif source.exists():
            shutil.copy(source, small_repository / "frontend" / name)
    (dist / f".stamp-{built}").touch()
    result = install(small_repository, **ELSEWHERE)
    assert (result.returncode, result.stderr) == (0, "")
    assert not (small_repository / ".venv" / "install-embedded.log").exists()

    again = install(small_repository, **ELSEWHERE)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", ""), (
        "the second time there is nothing to do"
    )

    (small_repository / "requirements.txt").write_text(NOT_TO_BE_HAD)
    changed = install(small_repository, **ELSEWHERE)
    assert changed.returncode == 2
    assert changed.stderr.startswith("pip could not install requirements.txt: ERROR: ")
    (small_repository / "requirements.txt").write_text("# nothing\n")

    (small_repository / "frontend" / "index.html").write_text("changed")
    rebuilt = install(small_repository, **ELSEWHERE)
    assert rebuilt.returncode == 2, "a changed page is built anew, for which this repository has no Node"
    assert rebuilt.stderr.startswith("Node is not in ")


def test_too_old_a_python_is_one_line(small_repository: Path) -> None:
    old = small_repository / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.9.2; exit 0; }\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "--no-print-directory", "run", f"PYTHON={old}"]
    result = subprocess.run(command, cwd=small_repository, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert lines == [
        f"Verbatim needs Python 3.11 or newer; {old} is Python 3.9.2."
        " Install a newer one, or name it: make run PYTHON=/path/to/python3"
    ]
