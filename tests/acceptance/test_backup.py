"""A backup of a real installation, brought back into another one: everything that was said until then is there and proven."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient, Json
from tests.support.databases import TestServer
from tests.support.roles import two_roles
from tests.support.stack import REPOSITORY, Stack, prepared_stack

KEYS = ("secret_key", "audit_signing_key")
Told = subprocess.CompletedProcess[str]


def backup(action: str, folder: Path, **settings: str) -> Told:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "backend.embedded.backup", action, str(folder)],
        cwd=REPOSITORY,
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def brought_back(folder: Path, **settings: str) -> Callable[[Path], None]:
    """What makes an empty data folder, and an empty database, what the backup says."""

    def bring_back(data_dir: Path) -> None:
        told = backup("restore", folder, DATA_DIR=str(data_dir), **settings)
        assert told.returncode == 0, told.stderr
        assert "events are back" in told.stdout
        for key in KEYS:
            assert (data_dir / key).read_bytes() == (folder / key).read_bytes()

    return bring_back


def assert_everything_is_proven(stack: Stack) -> None:
    for what in (("prompts", "--all"), ("coverage",), ("log",)):
        told = stack.manage("verify", *what)
        assert told.returncode == 0, told.stdout


@pytest.fixture
def saved(
    own_stack: Stack, tmp_path: Path
) -> Iterator[tuple[Path, str, str, list[Json], Callable[[], None]]]:
    """A backup that was made while people chatted: its folder, whose, which conversation, what it was then, and how to go on."""
    with ApiClient(own_stack.url) as ann:
        ann.sign_up()
        conversation_id = ann.start_conversation(title="Kept")["id"]
        for question in ("One?", "Two?"):
            ann.say(conversation_id, question)
        told = own_stack.manage("verify", "log")
        assert told.returncode == 0, told.stdout
        transcript = ann.transcript(conversation_id)
        folder = tmp_path / "backup"
        made = backup("make", folder, DATA_DIR=str(own_stack.data_dir))
        assert made.returncode == 0, made.stderr
        assert "It holds everything that was said" in made.stdout

        def go_on() -> None:
            ann.say(conversation_id, "Three?")

        yield folder, ann.email, conversation_id, transcript, go_on


def assert_is_back(stack: Stack, email: str, conversation_id: str, transcript: list[Json]) -> None:
    with ApiClient(stack.url) as ann:
        ann.log_in(email)
        assert ann.transcript(conversation_id) == transcript
        call_id = transcript[-1]["call_id"]
        assert ann.get(f"/api/model-calls/{call_id}/prompt/")["identical"] is True
        assert_everything_is_proven(stack)
        assert ann.say(conversation_id, "And on it goes?")["outcome"] == "complete"
        assert_everything_is_proven(stack)


def test_a_backup_is_brought_back_into_another_installation(
    own_runner: ScriptedRunner,
    saved: tuple[Path, str, str, list[Json], Callable[[], None]],
) -> None:
    folder, email, conversation_id, transcript, go_on = saved
    assert {path.name for path in folder.iterdir()} == {"database.dump", "secret_key", "audit_signing_key"}
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    go_on()  # what comes after a backup is not in it
    runner = {"MODEL_RUNNER_URL": own_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID}
    damaged = Path(shutil.copytree(folder, folder.with_name("damaged")))
    os.truncate(damaged / "database.dump", (damaged / "database.dump").stat().st_size * 9 // 10)

    def at_the_second_try(data_dir: Path) -> None:
        told = backup("restore", damaged, DATA_DIR=str(data_dir))
        assert (told.returncode, "pg_restore ended with 1" in told.stderr) == (2, True), told.stderr
        brought_back(folder)(data_dir)

    with prepared_stack(at_the_second_try, runner) as stack:
        assert_is_back(stack, email, conversation_id, transcript)
        again = backup("restore", folder, DATA_DIR=str(stack.data_dir))
        assert (again.returncode, "nothing is written over it" in again.stderr) == (2, True)


def test_an_embedded_installation_moves_to_a_server_with_two_roles(
    own_runner: ScriptedRunner,
    saved: tuple[Path, str, str, list[Json], Callable[[], None]],
    test_server: TestServer,
) -> None:
    folder, email, conversation_id, transcript, _ = saved
    with test_server.empty() as database, two_roles(database) as roles:
        where = {"DATABASE_URL": roles.runtime_url, "DATABASE_OWNER_URL": roles.owner_url}
        runner = {"MODEL_RUNNER_URL": own_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID}
        with prepared_stack(brought_back(folder, **where), {**runner, **where}) as stack:
            assert_is_back(stack, email, conversation_id, transcript)
            # And a server's is saved in the same way.
            told = backup("make", folder.with_name("again"), DATA_DIR=str(stack.data_dir), **where)
            assert told.returncode == 0, told.stderr


def test_a_log_that_was_put_back_behind_a_kept_checkpoint_is_found_out(
    own_stack: Stack,
    own_runner: ScriptedRunner,
    saved: tuple[Path, str, str, list[Json], Callable[[], None]],
    tmp_path: Path,
) -> None:
    folder, _, _, _, go_on = saved
    go_on()
    with ApiClient(own_stack.url) as ann:
        ann.log_in(saved[1])
        kept = tmp_path / "kept"
        kept.write_text(ann.http.get("/api/audit/checkpoint/").raise_for_status().text)
    runner = {"MODEL_RUNNER_URL": own_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID}
    with prepared_stack(brought_back(folder), runner) as stack:
        assert stack.manage("verify", "log").returncode == 0
        told = stack.manage("verify", "log", "--checkpoint", str(kept))
        assert told.returncode == 1, told.stdout


def test_what_cannot_work_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    told = backup("make", full, DATA_DIR=str(data_dir))
    assert (told.returncode, "is there already" in told.stderr) == (2, True)
    told = backup("restore", full, DATA_DIR=str(data_dir))
    assert (told.returncode, "holds no database.dump" in told.stderr) == (2, True)
    (full / "database.dump").touch()
    (full / "secret_key").write_text("theirs")
    (data_dir / "secret_key").write_text("mine")
    told = backup("restore", full, DATA_DIR=str(data_dir))
    assert (told.returncode, "is another key than the backup's" in told.stderr) == (2, True)
    assert (data_dir / "secret_key").read_text() == "mine"
    (data_dir / "secret_key").unlink()
    told = backup("restore", full, DATA_DIR=str(data_dir))
    assert (told.returncode, "pg_restore ended with 1" in told.stderr) == (2, True), told.stderr
    told = backup("make", tmp_path / "new", DATABASE_URL="postgresql://ann:secret@127.0.0.1:1/none")
    assert (told.returncode, "does not answer" in told.stderr, "secret" in told.stderr) == (
        2,
        True,
        False,
    )
