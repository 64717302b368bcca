"""The embedded PostgreSQL: first start, second start, sudden ends, awkward places."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from backend.config.environment import Environment, load_environment
from backend.embedded.postgres import EmbeddedPostgres, attach_or_start, embedded_postgres, stop
from backend.embedded.postgres_account import EmbeddedPostgresError
from tests.integration.embedded.support import (
    REPOSITORY,
    database_state,
    folder_for_data,
    is_running,
    wait_until,
)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with folder_for_data() as folder:
        yield folder


def environment_of(data_dir: Path) -> Environment:
    return load_environment({"DATA_DIR": str(data_dir), "SECRET_KEY": "k" * 50}, None)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0])


def one(url: str, query: LiteralString) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_a_first_start_makes_a_durable_utf8_database_that_a_second_start_finds_again(data_dir: Path) -> None:
    with attach_or_start(environment_of(data_dir)) as url:
        assert one(url, "SELECT current_database() || ' ' || current_user") == "verbatim verbatim"
        assert one(url, "SHOW server_encoding") == "UTF8"
        assert one(url, "SHOW fsync") == one(url, "SHOW synchronous_commit") == "on"
        assert one(url, "SHOW listen_addresses") == ""
        assert int(str(one(url, "SHOW max_connections"))) >= 200
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('stays')")
    assert database_state(data_dir) == "shut down"
    with attach_or_start(environment_of(data_dir)) as url:
        assert one(url, "SELECT word FROM kept") == "stays"
    assert database_state(data_dir) == "shut down"


def test_data_and_socket_are_closed_to_others_and_do_not_belong_to_root(data_dir: Path) -> None:
    with attach_or_start(environment_of(data_dir)):
        for name in ("postgres", "postgres-socket"):
            status = (data_dir / name).stat()
            assert stat.S_IMODE(status.st_mode) == 0o700
            assert status.st_uid != 0


def test_a_second_command_attaches_and_the_first_waits_for_it(data_dir: Path) -> None:
    environment = environment_of(data_dir)
    leave_second, second_attached = threading.Event(), threading.Event()
    answers: list[object] = []

    def second() -> None:
        with attach_or_start(environment) as url:
            answers.append(postmaster(data_dir))
            second_attached.set()
            assert leave_second.wait(30)
            answers.append(one(url, "SELECT 1"))

    with attach_or_start(environment):
        first_pid = postmaster(data_dir)
        thread = threading.Thread(target=second)
        thread.start()
        assert second_attached.wait(30)
        threading.Timer(0.5, leave_second.set).start()
    thread.join(30)
    assert answers == [first_pid, 1]
    assert database_state(data_dir) == "shut down"


def start(data_dir: Path) -> tuple[EmbeddedPostgres, subprocess.Popen[bytes]]:
    data_dir.mkdir(exist_ok=True)
    server = embedded_postgres(data_dir)
    server.prepare()
    return server, server.start()


def test_after_a_kill_9_the_next_start_recovers_what_was_committed(data_dir: Path) -> None:
    server, process = start(data_dir)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    process.kill()
    process.wait(10)
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    server, process = start(data_dir)
    assert one(server.url(), "SELECT count(*) FROM kept") == 1000
    stop(process)
    assert process.returncode == 0
    assert database_state(data_dir) == "shut down"


def test_a_note_about_a_process_of_somebody_else_is_removed_and_that_process_left_alone(
    data_dir: Path,
) -> None:
    server, process = start(data_dir)
    process.kill()
    process.wait(10)
    note = data_dir / "postgres" / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        lines = note.read_text().split("\n")
        note.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        server, process = start(data_dir)
        assert one(server.url(), "SELECT 1") == 1
        stop(process)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(10)


def test_a_server_that_an_earlier_start_left_running_is_stopped_first(data_dir: Path) -> None:
    _, first = start(data_dir)
    threading.Thread(target=first.wait, daemon=True).start()  # collects it, as its own parent would
    server, second = start(data_dir)
    assert not is_running(first.pid)
    assert one(server.url(), "SELECT 1") == 1
    stop(second)


def test_a_killed_command_takes_the_server_with_it_and_leaves_it_clean(data_dir: Path) -> None:
    code = (
        "import sys, threading; from pathlib import Path\n"
        "from backend.config.environment import load_environment\n"
        "from backend.embedded.postgres import attach_or_start\n"
        f"with attach_or_start(load_environment({{'DATA_DIR': {str(data_dir)!r}, 'SECRET_KEY': 'k' * 50}}, None)):\n"
        "    print('up', flush=True); threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        server = postmaster(data_dir)
        command.kill()
    wait_until(lambda: not is_running(server), 10, "the server has ended")
    assert database_state(data_dir) == "shut down"


def test_a_path_that_is_no_good_for_a_socket_gets_one_under_the_temp_folder() -> None:
    with folder_for_data() as folder:
        data_dir = folder.parent / ("with space, comma and many letters " + "x" * 80)
        with attach_or_start(environment_of(data_dir)) as url:
            assert one(url, "SELECT 1") == 1
            socket_folder = Path(url.partition("?host=")[2])
            assert socket_folder.parent != data_dir
            assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        socket_folder.rmdir()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_somebody_elses_thing_in_the_temp_folder_is_not_used_as_the_sockets_folder(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder_for_data() as folder:
        temp = folder.parent / "tmp"
        temp.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(temp))
        data_dir = folder.parent / ("x" * 120)
        data_dir.mkdir()
        place = embedded_postgres(data_dir).socket_folder
        assert place.parent == temp
        if kind == "file":
            place.write_text("x")
        else:
            (folder.parent / "elsewhere").mkdir()
            place.symlink_to(folder.parent / "elsewhere")
        with (
            pytest.raises(EmbeddedPostgresError, match="belongs to somebody else or is not a folder"),
            attach_or_start(environment_of(data_dir)),
        ):
            pytest.fail("it started")


def test_a_folder_with_other_things_in_it_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(EmbeddedPostgresError, match="is not empty, but is not the data folder"),
        attach_or_start(environment_of(data_dir)),
    ):
        pytest.fail("it started")
    assert (data_dir / "postgres" / "thesis.txt").read_text() == "years of work"


def test_data_of_another_version_is_refused(data_dir: Path) -> None:
    with attach_or_start(environment_of(data_dir)):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(EmbeddedPostgresError, match="was made by PostgreSQL 12, but this installation brings"),
        attach_or_start(environment_of(data_dir)),
    ):
        pytest.fail("it started")


def test_below_a_folder_closed_to_all_but_root_it_runs_all_the_same() -> None:
    with folder_for_data() as folder:
        folder.parent.chmod(0o700)
        with attach_or_start(environment_of(folder)) as url:
            assert one(url, "SELECT 1") == 1
        folder.parent.chmod(0o755)
        with attach_or_start(environment_of(folder)) as url:
            assert one(url, "SELECT 1") == 1
            assert (folder / "postgres").stat().st_uid != 0


def test_without_the_wheel_one_line_says_what_to_set(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        pytest.raises(
            EmbeddedPostgresError, match=r"is not installed .* Set DATABASE_URL to a PostgreSQL server"
        ),
        attach_or_start(environment_of(data_dir)),
    ):
        pytest.fail("it started")


def test_stop_ends_open_sessions_too(data_dir: Path) -> None:
    server, process = start(data_dir)
    with psycopg.connect(server.url()) as connection:
        connection.execute("SELECT 1")
        stop(process)
        assert process.returncode == 0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert database_state(data_dir) == "shut down"
    assert process.returncode != -signal.SIGKILL
