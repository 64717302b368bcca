"""Models of one's own in the built-in runner: chosen from the list, loaded when asked for, explained when broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.model_runner.builtin.files import demonstration_file
from tests.support.api_client import ApiClient
from tests.support.stack import REPOSITORY, free_port, running_stack

SHORT = {"max_tokens": 12, "temperature": 0}


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    weights = demonstration_file()
    assert weights is not None
    (tmp_path / "My-Model.gguf").symlink_to(weights)
    (tmp_path / "page.gguf").write_bytes(b"<html>")
    return tmp_path


@pytest.mark.real_model
def test_a_file_in_the_models_folder_is_chosen_from_the_list_and_loaded_when_it_is_asked_for(
    models_dir: Path,
) -> None:
    with (
        running_stack(MODELS_DIR=str(models_dir), MODEL_CONTEXT="1024") as stack,
        ApiClient(stack.url) as person,
    ):
        person.sign_up()
        listed = {model["id"]: model for model in person.get("/api/models/")["results"]}
        other = person.start_conversation(model="my-model", params=SHORT)
        reply = person.say(other["id"], "Say hello.", timeout_s=120)
        call = person.get(f"/api/model-calls/{reply['call_id']}/")
        again = person.start_conversation(model="smollm2-135m-instruct", params=SHORT)
        second = person.say(again["id"], "Say hello.", timeout_s=120)
        broken = person.start_conversation(model="page", params=SHORT)
        third = person.say(broken["id"], "Say hello.", timeout_s=120)

    assert list(listed)[:2] == ["smollm2-135m-instruct", "my-model"]
    assert {model["context_tokens"] for model in listed.values()} == {1024}
    assert reply["outcome"] in ("complete", "truncated")
    assert call["response_model"] == "my-model"
    assert len(call["attempts"]) >= 2, "the first found it not loaded yet, and nothing was lost by that"
    assert second["outcome"] in ("complete", "truncated")
    assert third["outcome"] == "failed"
    assert "page.gguf cannot be loaded: it is not a GGUF file" in third["error"]["message"]


@pytest.mark.real_model
def test_one_file_takes_the_demonstration_models_place(models_dir: Path) -> None:
    path = models_dir / "My-Model.gguf"
    with running_stack(MODEL_PATH=str(path)) as stack, ApiClient(stack.url) as person:
        person.sign_up()
        [model] = person.get("/api/models/")["results"]
        conversation = person.start_conversation(params=SHORT)
        reply = person.say(conversation["id"], "Say hello.", timeout_s=120)

    assert (model["id"], model["demonstration"]) == ("my-model", False)
    assert (reply["model"], reply["outcome"] in ("complete", "truncated")) == ("my-model", True)


def test_a_model_path_that_names_nothing_ends_the_start_with_one_line(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    missing = tmp_path / "missing.gguf"
    settings = {"DATA_DIR": str(data_dir), "PORT": str(free_port()), "MODEL_PATH": str(missing)}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-m", "backend.embedded.run"],
        cwd=REPOSITORY,
        env={**kept, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode != 0
    last = (result.stdout + result.stderr).strip().splitlines()[-1]
    assert f"The model file {missing} does not exist. Set MODEL_PATH to a GGUF file." in last
    assert "Traceback" not in result.stdout + result.stderr
    assert "postgres" not in result.stdout + result.stderr, "nothing was started"
