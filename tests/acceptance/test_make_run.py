"""The promise of the README: clone, `make run`, register, chat; Ctrl+C; and the second start is quick and forgets nothing.

Everything is real here: the clone, the installation, the database, the model.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.config.environment import SETTING_NAMES
from tests.integration.embedded.support import (
    REPOSITORY,
    database_state,
    descendants,
    free_port,
    is_running,
    wait_until,
)
from tests.support.api_client import ApiClient

FIRST_START_SECONDS = 900
SECOND_START_SECONDS = 60
# What an outer `make` or virtual environment would tell the one under test; a fresh machine has none of it.
NOT_PASSED_ON = {
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    *SETTING_NAMES,
}


class MakeRun:
    """`make run` in a clone, in a session of its own, so that a signal can be sent as a terminal sends it."""

    def __init__(self, clone: Path, port: int) -> None:
        self._log = clone.parent / "make-run.log"
        with self._log.open("ab") as log:
            log.truncate(0)
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=clone,
                env={
                    **{name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON},
                    "PORT": str(port),
                    "DATA_DIR": str(clone / "var"),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.began = time.monotonic()

    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for_address(self, seconds: float) -> str:
        """The address that the last line shows."""

        def has_ended_or_is_ready() -> bool:
            return self.process.poll() is not None or "Verbatim is ready: " in self.output()

        wait_until(has_ended_or_is_ready, seconds, "the address is shown")
        last = [line for line in self.output().splitlines() if line][-1]
        match = re.fullmatch(r"Verbatim is ready: (http://127\.0\.0\.1:\d+/)", last)
        assert match is not None, self.output()
        return match[1]

    def press_ctrl_c(self) -> None:
        """Ctrl+C reaches make and the supervisor, as from a terminal; then nothing may be left."""
        family = descendants(self.process.pid)
        assert len(family) > 5
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(40)
        wait_until(lambda: not any(is_running(pid) for pid in family), 5, "every process has ended")
        assert "Stopped." in self.output()
        assert "Traceback" not in self.output()


@contextmanager
def make_run(clone: Path, port: int) -> Iterator[MakeRun]:
    run = MakeRun(clone, port)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)  # make passes it on and waits
            run.process.wait(60)


@pytest.fixture
def clone() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="verbatim-clone-") as name:
        os.chmod(name, 0o755)  # the database's account must be able to enter
        folder = Path(name) / "verbatim"
        command = ["git", "-c", "safe.directory=*", "clone", "--quiet", str(REPOSITORY), str(folder)]
        subprocess.run(command, check=True, timeout=120)
        yield folder


@pytest.mark.real_model
@pytest.mark.timeout(FIRST_START_SECONDS + 300)
def test_a_fresh_clone_runs_chats_stops_and_starts_again_with_everything_it_had(clone: Path) -> None:
    port = free_port()
    with make_run(clone, port) as run:
        url = run.wait_for_address(FIRST_START_SECONDS)
        assert url == f"http://127.0.0.1:{port}/"
        first_seconds = time.monotonic() - run.began
        with ApiClient(url.rstrip("/")) as person:
            page = person.http.get("/", headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert "<script" in page.text
            me = person.sign_up()
            assert me["is_staff"] is True
            email = person.email
            conversation = person.start_conversation(title="Kept")["id"]
            reply = person.say(conversation, "What is the capital of France?", timeout_s=120)
            assert reply["outcome"] in ("complete", "truncated")
            assert reply["content"].strip()
        run.press_ctrl_c()
    assert database_state(clone / "var") == "shut down"
    with make_run(clone, port) as run:
        url = run.wait_for_address(SECOND_START_SECONDS)
        second_seconds = time.monotonic() - run.began
        assert "Installing" not in run.output()
        with ApiClient(url.rstrip("/")) as person:
            person.log_in(email)
            rows = person.transcript(conversation)
            assert [row["role"] for row in rows] == ["user", "assistant"]
            assert rows[1]["content"] == reply["content"]
        run.press_ctrl_c()
    assert database_state(clone / "var") == "shut down"
    print(f"\nmake run: first {first_seconds:.1f} s, second {second_seconds:.1f} s")
