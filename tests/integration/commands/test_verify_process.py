"""`manage.py verify prompts` as people start it: its exit status, and progress only where somebody watches."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from backend.domain import events as e
from tests.integration.commands.support import rewrite, store
from tests.integration.projections.talk import Talk

REPOSITORY = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "backend/manage.py", "verify", "prompts"]


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    told = Talk()
    for number in range(3):
        told.say(f"Question {number}")
        told.reply(f"Answer {number}")
    store(told, fresh_database)
    return told


def on_a_terminal(*arguments: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """How it ended, and what the terminal behind its standard error got."""
    watched, given = pty.openpty()
    try:
        ended = subprocess.run(
            [*COMMAND, *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=given,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(given)
    shown = b""
    try:
        while piece := os.read(watched, 65536):
            shown += piece
    except OSError:
        pass  # how Linux tells that the other end of a terminal is closed
    finally:
        os.close(watched)
    return ended, shown.decode("utf-8")


def test_on_a_terminal_a_bar_shows_how_far_it_is(talk: Talk) -> None:
    ended, shown = on_a_terminal("--all")
    assert ended.returncode == 0
    assert ended.stdout.startswith("3 prompts: 3 identical. ")
    assert shown.startswith("\rprompts  █")
    assert "100%  3 calls" in shown
    assert shown.endswith("\r\n")


def test_without_a_terminal_nothing_but_the_result_is_written(talk: Talk) -> None:
    ended = subprocess.run(
        [*COMMAND, "--all"], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("3 prompts: 3 identical. ")
    assert ended.stdout.count("\n") == 1


def test_a_difference_ends_it_with_status_1_and_its_line_stands_apart_from_the_bar(
    talk: Talk, fresh_database: str
) -> None:
    sent = [x for x in talk.store.read_history(talk.id)[-1].events if isinstance(x, e.UserMessageSent)]
    rewrite(fresh_database, talk.id, sent[-1].originator_version, "Question 2", "Question _")
    call_id, _ = talk.story.calls[-1]
    ended, shown = on_a_terminal("--all")
    assert ended.returncode == 1
    first, summary = ended.stdout.splitlines()
    assert first.startswith(f"mismatch: call {call_id}. recorded ")
    assert summary.startswith("3 prompts: 2 identical, 1 different. ")
    assert "\r\x1b[K" in shown


def test_one_call_needs_no_bar(talk: Talk) -> None:
    call_id, _ = talk.story.calls[0]
    ended, shown = on_a_terminal("--call", str(call_id))
    assert (ended.returncode, shown) == (0, "")
    assert ended.stdout.startswith("1 prompts: 1 identical. ")


def test_a_call_that_is_not_there_is_one_line_and_status_1(talk: Talk) -> None:
    ended, shown = on_a_terminal("--call", "00000000-0000-0000-0000-000000000007")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "00000000-0000-0000-0000-000000000007" in shown
    assert "Traceback" not in shown
    assert shown.count("\n") == 1
