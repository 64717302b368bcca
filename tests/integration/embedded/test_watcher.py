"""The stand-in for Linux's parent-death signal, which macOS needs and which runs here just as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.support import REPOSITORY, is_running, wait_until

SLEEPER = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"


def watched(signal_name: str, code: str) -> list[str]:
    return ["-m", "backend.embedded.watcher", str(os.getpid()), signal_name, sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_it_ends_as_the_command_ends(code: str, expected: int) -> None:
    assert (
        subprocess.run([sys.executable, *watched("SIGKILL", code)], cwd=REPOSITORY, check=False).returncode
        == expected
    )


def test_it_passes_signals_on() -> None:
    with subprocess.Popen(
        [sys.executable, *watched("SIGKILL", SLEEPER)], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as watcher:
        assert watcher.stdout is not None
        command = int(watcher.stdout.readline())
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(10) == 128 + signal.SIGTERM
        assert not is_running(command)


def test_when_the_parent_is_killed_the_command_gets_its_signal(tmp_path: Path) -> None:
    note = tmp_path / "signal"
    code = (
        "import signal, sys, time\n"
        f"def told(number, frame): open({str(note)!r}, 'w').write(str(number)); sys.exit(0)\n"
        "signal.signal(signal.SIGINT, told)\n"
        "import os; print(os.getpid(), flush=True); time.sleep(60)\n"
    )
    parent_code = (
        "import os, subprocess, sys\n"
        f"arguments = {watched('SIGINT', code)!r}\n"
        "arguments[2] = str(os.getpid())\n"
        "subprocess.Popen([sys.executable, *arguments]).wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        command = int(parent.stdout.readline())
        parent.kill()
        wait_until(lambda: not is_running(command), 10, "the command has ended")
    assert note.read_text() == str(int(signal.SIGINT))
