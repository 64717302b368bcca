"""All parts together, as `make run` runs them, with stand-ins for those that need Django or a model."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.embedded.support import (
    database_state,
    descendants,
    folder_for_data,
    is_running,
    small_stack,
    start_and_fail,
    wait_until,
)


@pytest.fixture(scope="module")
def one_data_dir() -> Iterator[Path]:
    """One folder for all tests of this file: each start after the first finds its database made."""
    with folder_for_data() as folder:
        yield folder


@pytest.fixture
def data_dir(one_data_dir: Path) -> Path:
    shutil.rmtree(one_data_dir / "logs", ignore_errors=True)
    return one_data_dir


def get(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        return bytes(answer.read()).decode().split("\n")


def test_once_ready_the_last_line_is_the_address_and_the_parts_know_each_other(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        assert stack.lines()[-1] == f"Verbatim is ready: http://127.0.0.1:{stack.port}/"
        settings = dict(line.split("=", 1) for line in get(stack.port)[1:])
        with psycopg.connect(settings["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("verbatim",)
        assert settings["MODEL_RUNNER_MODEL"] == "smollm2-135m-instruct"
        with urllib.request.urlopen(f"{settings['BUILT_IN_RUNNER_URL']}/models", timeout=10) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_every_process_and_leaves_the_database_clean(data_dir: Path, number: int) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        family = descendants(stack.process.pid)
        assert len(family) > 5
        began = time.monotonic()
        stack.process.send_signal(number)
        assert stack.process.wait(20) == 0
        assert time.monotonic() - began < 5
        assert [pid for pid in family if is_running(pid)] == []
        assert stack.lines()[-1] == "Stopped."
        assert "Traceback" not in stack.output()
    assert database_state(data_dir) == "shut down"


def test_ctrl_c_in_the_middle_of_the_start_is_clean_too(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        wait_until(lambda: "Starting PostgreSQL" in stack.output(), 30, "PostgreSQL is being started")
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(20) == 0
        assert "Traceback" not in stack.output()
    assert database_state(data_dir) == "shut down"


def test_a_second_ctrl_c_does_not_wait_for_a_part_that_does_not_listen(data_dir: Path) -> None:
    with small_stack(data_dir, STAND_IN_PROJECTIONS="deaf") as stack:
        stack.wait_until_ready()
        deaf = stack.process_of("projections")
        began = time.monotonic()
        stack.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert is_running(deaf)
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(20) == 0
        assert time.monotonic() - began < 5
        assert not is_running(deaf)
    assert database_state(data_dir) == "shut down"


def test_a_kill_9_of_the_supervisor_leaves_nothing_running(data_dir: Path) -> None:
    with small_stack(data_dir, STAND_IN_PROJECTIONS="deaf") as stack:
        stack.wait_until_ready()
        family = descendants(stack.process.pid)
        assert len(family) > 5
        stack.process.kill()
        wait_until(lambda: not any(is_running(pid) for pid in family), 10, "everything has ended")
        assert database_state(data_dir) == "shut down"
    with small_stack(data_dir) as again:
        again.wait_until_ready()


@pytest.mark.parametrize("part", ["web", "runner", "projections", "model-calls"])
def test_a_part_that_dies_is_started_again(data_dir: Path, part: str) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        first = stack.process_of(part)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: stack.process_of(part) != first, 10, f"{part} has been started again")
        assert f"{part} was ended by SIGKILL; it is started again in 0.2 s" in stack.output()
        assert get(stack.port)


def test_a_killed_database_comes_back_at_the_same_address(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        url = dict(line.split("=", 1) for line in get(stack.port)[1:])["DATABASE_URL"]
        note = data_dir / "postgres" / "postmaster.pid"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        first = int(note.read_text().split("\n")[0])
        os.kill(first, signal.SIGKILL)

        def answers() -> bool:
            try:
                with psycopg.connect(url) as connection:
                    return connection.execute("SELECT n FROM kept").fetchone() == (1,)
            except psycopg.OperationalError:
                return False

        wait_until(lambda: not is_running(first) and answers(), 10, "PostgreSQL answers again")
        assert "postgres was ended by SIGKILL" in stack.output()


def test_a_web_process_that_dies_loses_no_waiting_request(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        os.kill(stack.process_of("web"), signal.SIGKILL)
        # Nobody accepts at this moment, but the supervisor keeps the socket open.
        assert get(stack.port)


def test_several_workers_share_the_port_and_have_a_log_each(data_dir: Path) -> None:
    with small_stack(data_dir, WEB_WORKERS="2", PROJECTION_WORKERS="2", MODEL_CALL_WORKERS="2") as stack:
        stack.wait_until_ready()
        names = {path.name for path in (data_dir / "logs").iterdir()}
        for kind in ("web", "projections", "model-calls"):
            assert {f"{kind}-1.log", f"{kind}-2.log"} <= names


def test_a_part_that_never_starts_is_named_with_its_log_and_everything_stops(data_dir: Path) -> None:
    code, lines = start_and_fail(data_dir, STAND_IN_RUNNER="fail")
    assert code == 1
    assert lines[-1] == (
        f"runner ended with code 3, 5 times in a row. Read {data_dir / 'logs' / 'runner.log'};"
        " its last line: runner fails on purpose"
    )
    assert database_state(data_dir) == "shut down"


def test_failing_migrations_stop_the_start_and_name_their_log(data_dir: Path) -> None:
    code, lines = start_and_fail(data_dir, STAND_IN_SETUP="fail")
    assert code == 1
    assert lines[-1].endswith(
        f"ended with code 3. Read {data_dir / 'logs' / 'setup.log'}; its last line: setup fails on purpose"
    )
    assert database_state(data_dir) == "shut down"


def test_a_second_supervisor_on_the_same_data_is_one_line(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        code, lines = start_and_fail(data_dir)
        assert (code, len(lines)) == (2, 1)
        assert lines[0].startswith(f"Verbatim already runs with DATA_DIR {data_dir}.")
        assert get(stack.port)


def test_where_others_reach_it_the_code_for_the_first_account_is_shown(data_dir: Path) -> None:
    with small_stack(data_dir, HOST="0.0.0.0", SECRET_KEY="k" * 50, ALLOWED_HOSTS="localhost") as stack:
        stack.wait_until_ready()
        shown = [line for line in stack.lines() if "01234567" in line]
        assert shown == ["The first account becomes the administrator. It needs this setup code: 01234567"]
        assert stack.lines()[-1] == f"Verbatim is ready: http://127.0.0.1:{stack.port}/"
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        assert "01234567" not in stack.output()


def test_a_large_log_is_put_aside_at_the_next_start(data_dir: Path) -> None:
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    (data_dir / "logs" / "web.log").write_bytes(b"x" * 10_000_001)
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        assert (data_dir / "logs" / "web.log.1").stat().st_size == 10_000_001
        assert len(stack.log("web")) < 1000


def test_the_last_address_stays_the_last_line_while_parts_write_their_logs(data_dir: Path) -> None:
    with small_stack(data_dir) as stack:
        stack.wait_until_ready()
        threading.Event().wait(1.0)
        assert stack.lines()[-1].startswith("Verbatim is ready: ")
