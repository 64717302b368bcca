"""Secrets that are handed over in files, as containers do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.config.environment import ConfigurationError, load_environment
from backend.config.secret_files import LARGEST_SECRET_BYTES, SECRET_SETTING_NAMES

VALUES = {
    "SECRET_KEY": "s" * 50,
    "DATABASE_URL": "postgresql://verbatim:secret@db/verbatim",
    "DATABASE_OWNER_URL": "postgresql://owner:secret@db/verbatim",
    "MODEL_RUNNER_API_KEY": "key-of-the-runner",
    "EMAIL_URL": "smtp://verbatim%40example.org:secret@mail.example.org",
    "METRICS_TOKEN": "a-token-for-prometheus",
}


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name.lower()
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_each_secret_may_stand_in_a_file_with_or_without_a_newline(tmp_path: Path) -> None:
    environment = load_environment(
        {f"{name}_FILE": written(tmp_path, name, value + "\n") for name, value in VALUES.items()}, None
    )
    assert environment.secret_key == VALUES["SECRET_KEY"]
    assert environment.database.url == VALUES["DATABASE_URL"]
    assert environment.database.owner_url == VALUES["DATABASE_OWNER_URL"]
    assert environment.database.runtime_role == "verbatim"
    assert environment.model_runners[0].api_key == VALUES["MODEL_RUNNER_API_KEY"]
    assert environment.mail.url == VALUES["EMAIL_URL"]
    assert environment.traffic.metrics_token == VALUES["METRICS_TOKEN"]
    assert {*VALUES, "AUDIT_SIGNING_KEY", "OIDC_CLIENT_SECRET"} == {*SECRET_SETTING_NAMES}


def test_what_was_said_outright_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "key", "f" * 50)
    environment = load_environment({"SECRET_KEY": "s" * 50, "SECRET_KEY_FILE": file}, None)
    assert environment.secret_key == "s" * 50
    # A file that nobody needs is not even looked for.
    environment = load_environment({"SECRET_KEY": "s" * 50, "SECRET_KEY_FILE": "/nowhere"}, None)
    assert environment.secret_key == "s" * 50


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it holds nothing"),
        (b" \n ", "it holds nothing"),
        (b"one\ntwo", "it holds more than one line"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"x" * (LARGEST_SECRET_BYTES + 1), f"it has more than {LARGEST_SECRET_BYTES} bytes"),
    ],
)
def test_a_file_that_cannot_be_a_secret_is_named_without_its_text(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_environment({"SECRET_KEY_FILE": str(path), "EMAIL_URL_FILE": str(tmp_path)}, None)
    assert caught.value.message == "\n".join(
        [
            f"SECRET_KEY_FILE is {str(path)!r}, which cannot be used: {why}. Expected a text file that holds SECRET_KEY and "
            "that this process may read.",
            f"EMAIL_URL_FILE is {str(tmp_path)!r}, which cannot be used: Is a directory. Expected a text file that holds "
            "EMAIL_URL and that this process may read.",
        ]
    )


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"SECRET_KEY_FILE is '/nowhere', .*: No such file or directory\."
    ):
        load_environment({"SECRET_KEY_FILE": "/nowhere"}, None)
