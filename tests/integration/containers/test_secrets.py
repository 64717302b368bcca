"""The secrets of an installation in containers: made once, kept, and told to those alone that need them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from backend.config.environment import load_environment
from backend.containers.secrets import main


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    owner, data = tmp_path / "owner", tmp_path / "data"
    owner.mkdir()
    data.mkdir()
    return owner, data


def contents(*folders: Path) -> dict[str, str]:
    return {path.name: path.read_text() for folder in folders for path in sorted(folder.iterdir())}


def test_two_roles_with_a_password_each_and_a_key_are_made_once(folders: tuple[Path, Path]) -> None:
    owner, data = folders
    assert main([str(owner), str(data)]) == 0
    made = contents(*folders)
    as_owner, as_runtime = conninfo_to_dict(made["owner_url"]), conninfo_to_dict(made["database_url"])
    assert (as_owner["user"], as_owner["password"]) == ("verbatim_owner", made["owner_password"])
    assert (as_runtime["user"], as_runtime["password"]) == ("verbatim", made["runtime_password"])
    assert made["owner_password"] != made["runtime_password"]
    assert as_owner["host"] == as_runtime["host"] == "postgres"
    environment = load_environment(
        {
            "HOST": "0.0.0.0",
            "ALLOWED_HOSTS": "chat.example.org",
            "SECRET_KEY_FILE": str(data / "secret_key"),
            "DATABASE_URL_FILE": str(data / "database_url"),
            "DATABASE_OWNER_URL_FILE": str(owner / "owner_url"),
        },
        None,
    )
    assert environment.database.runtime_role == "verbatim"

    assert main([str(owner), str(data)]) == 0
    assert contents(*folders) == made


def test_what_serves_people_is_not_told_the_owner_s_password(folders: tuple[Path, Path]) -> None:
    owner, data = folders
    assert main([str(owner), str(data)]) == 0
    assert (owner / "owner_password").read_text() not in "".join(contents(data).values())
    assert {stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()} == {0o400}


def test_a_start_that_was_broken_off_is_made_whole(folders: tuple[Path, Path]) -> None:
    owner, data = folders
    assert main([str(owner), str(data)]) == 0
    made = contents(*folders)
    (data / "database_url").unlink()
    (data / ".database_url.12345678").write_text("postgresql://half")
    assert main([str(owner), str(data)]) == 0
    (data / ".database_url.12345678").unlink()
    assert contents(*folders) == made


def test_a_folder_that_is_not_there_is_named(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    owner, data = folders
    data.rmdir()
    assert main([str(owner), str(data)]) == 1
    assert "cannot be kept in" in capsys.readouterr().err
    assert main([]) == 2
