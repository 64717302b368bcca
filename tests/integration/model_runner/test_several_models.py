"""Several real models in the built-in runner: exchanged for one another, side by side, and one that is truncated."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest

from tests.integration.embedded.support import is_running
from tests.integration.model_runner.real_runner import DEMONSTRATION, Runner, running, weights


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with a second good model and one that is truncated."""
    (tmp_path / "Second.gguf").symlink_to(weights())
    with weights().open("rb") as file:
        (tmp_path / "truncated.gguf").write_bytes(file.read(30_000_000))
    return tmp_path


@pytest.mark.real_model
def test_another_model_is_loaded_in_the_place_of_the_one_before(models_dir: Path) -> None:
    with running("--models-dir", str(models_dir)) as runner:
        assert [model["id"] for model in runner.get("/v1/models")["data"]] == [
            DEMONSTRATION,
            "second",
            "truncated",
        ]
        first_engine = runner.engine
        status, answer = runner.ask_until_loaded("second")
        assert (status, answer["model"]) == (200, "second")
        assert runner.loaded() == ["second"]
        assert not is_running(first_engine), "two would take twice the memory"
        status, answer = runner.ask_until_loaded(DEMONSTRATION)
        assert (status, answer["model"]) == (200, DEMONSTRATION)


@pytest.mark.real_model
def test_a_reply_being_written_ends_before_its_model_makes_way(models_dir: Path) -> None:
    with running("--models-dir", str(models_dir)) as runner:
        time.sleep(5)  # the first model may leave from now on
        with urllib.request.urlopen(runner.request(stream=True, max_tokens=80), timeout=60) as stream:
            assert stream.readline().startswith(b"data: ")
            assert runner.ask("second")[0] == 503
            assert runner.ask(DEMONSTRATION)[0] in (200, 503), "a new reply may have to wait for its turn"
            assert b"[DONE]" in stream.read()
        assert runner.ask_until_loaded("second")[0] == 200


@pytest.mark.real_model
def test_with_room_for_two_both_stay(models_dir: Path) -> None:
    with running("--models-dir", str(models_dir), "--loaded", "2", "--context", "512") as runner:
        assert runner.ask_until_loaded("second")[0] == 200
        assert runner.loaded() == [DEMONSTRATION, "second"]
        assert runner.ask(DEMONSTRATION)[0] == 200


@pytest.mark.real_model
def test_the_first_model_can_be_chosen(models_dir: Path) -> None:
    runner = Runner("--models-dir", str(models_dir), "--first", "second")
    try:
        assert runner.wait_until_ready() == f"The runner serves second at {runner.url}/v1\n"
        assert runner.loaded() == ["second"]
    finally:
        runner.process.kill()
        runner.process.communicate()


@pytest.mark.real_model
def test_a_truncated_file_is_refused_in_llama_cpps_words_and_the_model_before_it_comes_back(
    models_dir: Path,
) -> None:
    with running("--models-dir", str(models_dir)) as runner:
        status, error = runner.ask_until_loaded("truncated")
        assert status == 500
        assert error["message"].startswith("The model file truncated.gguf cannot be loaded: tensor '")
        assert error["message"].endswith("model is corrupted or incomplete.")
        assert str(models_dir) not in error["message"]
        listed = {model["id"]: model for model in runner.get("/v1/models")["data"]}
        assert listed["truncated"]["error"] == error["message"]
        assert runner.ask_until_loaded(DEMONSTRATION)[0] == 200
        # Once it is whole, it is loaded without waiting for anything.
        (models_dir / "truncated.gguf").write_bytes(weights().read_bytes())
        assert "error" not in runner.get("/v1/models")["data"][2]
        assert runner.ask_until_loaded("truncated")[0] == 200
