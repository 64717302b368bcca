"""The commands of docs/operations.md: a backup of one project, brought back into another."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

import pytest

from backend.config.environment import REPOSITORY_ROOT
from tests.containers.compose import Compose
from tests.support.api_client import ApiClient

pytestmark = pytest.mark.timeout(900)
PAGE = REPOSITORY_ROOT / "docs" / "operations.md"


def commands(heading: str) -> list[str]:
    """The lines of the block about containers below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition("In containers")[2].split("```")[1].strip().splitlines()


def do(compose: Compose, command: str, folder: Path) -> None:
    # The page's files are named without a folder; Compose is told where the project is.
    environment = {**compose.environment, "COMPOSE_FILE": _absolute(compose.environment["COMPOSE_FILE"])}
    if command == "docker compose up":
        compose.up()
        return
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"


def _absolute(files: str) -> str:
    return os.pathsep.join(str(REPOSITORY_ROOT / name) for name in files.split(os.pathsep))


def test_a_project_s_backup_is_brought_back_into_another(
    compose: Compose, person: ApiClient, tmp_path: Path
) -> None:
    conversation_id = person.start_conversation(title="Kept")["id"]
    person.say(conversation_id, "Will you be there?", timeout_s=120)
    compose.manage("verify", "log")
    transcript = person.transcript(conversation_id)
    for command in commands("Backup"):
        do(compose, command, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"monday.dump", "secret_key", "audit_signing_key"}

    other = Compose(f"verbatim-test-{secrets.token_hex(4)}")
    try:
        for command in commands("Restore"):
            do(other, command, tmp_path)
        with ApiClient(other.url) as again:
            again.log_in(person.email)
            assert again.transcript(conversation_id) == transcript
            for what in (("prompts", "--all"), ("coverage",), ("log",)):
                other.manage("verify", *what)
            reply = again.say(conversation_id, "And you are!", timeout_s=120)
            assert reply["outcome"] in ("complete", "truncated")
            # Whoever was logged in still is: the key came along.
            again.http.cookies = person.http.cookies
            assert again.get("/api/me/")["email"] == person.email
    finally:
        other.run("down", "--volumes", "--remove-orphans", check=False)
