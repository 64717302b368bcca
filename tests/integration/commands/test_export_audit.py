"""`manage.py export_audit` on PostgreSQL: the file is whole or not there, and the offline verifier agrees with it."""

from __future__ import annotations

import json
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backend.bootstrap.transparency import log_keys, transparency_log
from tests.integration.commands.support import rewrite, store
from tests.integration.projections.talk import Talk
from tests.support import bundles


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    """Eight turns, and a fork with two more; the calls are in the call list."""
    told = Talk()
    for number in range(8):
        told.say(f"Question {number}")
        reply = told.reply(f"Answer {number}")
    fork = told.fork(reply)
    fork.say("And here?")
    fork.reply("Here too.")
    told.project()
    store(told, fresh_database)
    return told


def export(output: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("export_audit", "--output", str(output), *arguments, stdout=out)
    return out.getvalue()


def verified(path: Path, folder: Path, **kept: str) -> bundles.Verified:
    return bundles.verify(path.read_bytes(), folder, keys=[str(log_keys().signer.verifier)], kept=kept)


def test_a_bundle_of_everything_holds(talk: Talk, tmp_path: Path) -> None:
    told = export(tmp_path / "all.zip", "--format", "bundle")
    assert "events of" in told
    found = verified(tmp_path / "all.zip", tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert "The bundle holds the whole log: nothing was left out." in found.lines


@pytest.mark.usefixtures("talk")
def test_the_line_that_it_prints_checks_the_bundle(tmp_path: Path) -> None:
    told = export(tmp_path / "all of it.zip", "--format", "bundle")
    [line] = [line for line in told.splitlines() if line.startswith("Check it with: ")]
    checked = subprocess.run(
        line.removeprefix("Check it with: "),
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "Everything holds." in checked.stdout


def test_a_bundle_of_one_conversation_holds(talk: Talk, tmp_path: Path) -> None:
    fork_id = talk.story.conversations[-1][0]
    export(tmp_path / "one.zip", "--format", "bundle", "--conversation", str(fork_id))
    found = verified(tmp_path / "one.zip", tmp_path)
    assert (found.status, found.problems) == (0, [])
    assert "The bundle holds a part of the log. It says nothing about the rest." in found.lines


def test_a_change_in_the_database_is_found_outside(talk: Talk, fresh_database: str, tmp_path: Path) -> None:
    transparency_log().checkpoint()
    rewrite(fresh_database, talk.id, 4, "Question 0", "Question 9")
    export(tmp_path / "a.zip", "--format", "bundle")
    found = verified(tmp_path / "a.zip", tmp_path)
    assert found.status == 1
    assert any(
        f"stream {talk.id}, version 4 (UserMessageSent.v1): it is not what the log has there" in line
        for line in found.problems
    )


def test_a_kept_checkpoint_is_shown_to_be_the_past(talk: Talk, tmp_path: Path) -> None:
    signed = transparency_log().checkpoint()
    assert signed is not None
    (tmp_path / "kept.txt").write_text(signed.note, encoding="utf-8")
    export(tmp_path / "a.zip", "--format", "bundle", "--kept-checkpoint", str(tmp_path / "kept.txt"))
    found = verified(tmp_path / "a.zip", tmp_path, kept=signed.note)
    assert (found.status, found.problems) == (0, [])
    assert "kept checkpoints hold: 1" in found.lines


def test_lines_and_table(talk: Talk, tmp_path: Path) -> None:
    export(tmp_path / "a.jsonl", "--format", "jsonl", "--outcome", "complete")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["index"] for line in lines] == sorted(line["index"] for line in lines)
    told = export(tmp_path / "a.csv", "--format", "csv", "--created-after", "2020-01-01")
    calls = len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert calls >= 9
    assert f"{calls} calls." in told
    export(tmp_path / "b.csv", "--format", "csv", "--created-before", "2020-01-01T00:00:00Z")
    assert len((tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_a_file_that_is_there_stays_when_the_export_fails(fresh_database: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"from yesterday")
    with pytest.raises(CommandError, match="Nothing has been recorded yet"):
        export(tmp_path / "a.zip", "--format", "bundle")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.zip", b"from yesterday")]


def test_a_folder_that_is_not_there_is_named(talk: Talk, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere/a\.zip cannot be written: No such file or directory\."):
        export(tmp_path / "nowhere" / "a.zip", "--format", "bundle")


def test_a_kept_file_that_is_no_checkpoint_is_refused(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(CommandError, match="not a signed note"):
        export(tmp_path / "a.zip", "--format", "bundle", "--kept-checkpoint", str(tmp_path / "kept.txt"))
