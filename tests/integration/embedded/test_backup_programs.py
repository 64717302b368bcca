"""Which of several pg_dumps makes a backup: one whose work the server takes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.config.environment import Environment, load_environment
from backend.embedded import backup


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return load_environment({"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": "x" * 40}, env_file=None)


def a_pg_dump(folder: Path, version: str) -> str:
    folder.mkdir()
    program = folder / "pg_dump"
    program.write_text(f'#!/bin/sh\necho "pg_dump (PostgreSQL) {version} (Debian {version}-1)"\n')
    program.chmod(0o755)
    return str(program)


def test_of_several_the_nearest_that_is_not_older_than_the_server_is_taken(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_system = a_pg_dump(tmp_path / "system", "15.18")
    embedded = a_pg_dump(tmp_path / "embedded", "18.4")
    monkeypatch.setenv("PATH", f"{tmp_path / 'system'}:{os.environ['PATH']}")
    monkeypatch.setattr(backup, "_embedded", lambda environment, name: embedded)

    taken = [backup._program(environment, "pg_dump", server) for server in (14, 15, 16, 18)]
    assert taken == [of_the_system, of_the_system, embedded, embedded]
    # It says itself that it is too old.
    assert backup._program(environment, "pg_dump", 99) == embedded
