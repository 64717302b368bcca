"""The built-in runner with the real model: it answers, tells its progress, ends with its parent, and explains what it lacks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.model_runner.builtin.__main__ import main
from tests.integration.embedded.support import REPOSITORY, descendants, free_port, is_running, wait_until
from tests.integration.model_runner.real_runner import COMMAND, DEMONSTRATION, Runner, running, weights


@pytest.fixture(scope="module")
def shared() -> Iterator[Runner]:
    with running() as runner:
        yield runner


# ---- one model ----------------------------------------------------------------------------------


@pytest.mark.real_model
def test_it_answers_under_its_own_name_with_two_slots_of_8192_tokens(shared: Runner) -> None:
    assert shared.get("/health") == {"status": "ok"}
    [model] = shared.get("/v1/models")["data"]
    assert (model["id"], model["loaded"], model["demonstration"]) == (DEMONSTRATION, True, True)
    assert (model["meta"]["n_ctx"], model["size_bytes"]) == (8192, weights().stat().st_size)
    properties = shared.get("/props")
    assert properties["total_slots"] == 2
    assert properties["default_generation_settings"]["n_ctx"] == 8192
    status, answer = shared.ask(DEMONSTRATION)
    assert status == 200
    assert answer["model"] == DEMONSTRATION
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["choices"][0]["message"]["content"].strip()


@pytest.mark.real_model
def test_context_slots_and_threads_are_what_was_asked_for() -> None:
    with running("--context", "1024", "--slots", "3", "--threads", "1") as runner:
        properties = runner.get("/props")
        assert properties["total_slots"] == 3
        assert properties["default_generation_settings"]["n_ctx"] == 1024
        assert runner.get("/v1/models")["data"][0]["meta"]["n_ctx"] == 1024
        [engine] = descendants(runner.process.pid)
        assert "--threads 1 " in Path(f"/proc/{engine}/cmdline").read_text().replace("\0", " ")


@pytest.mark.real_model
def test_other_pages_in_the_browser_may_not_use_it_and_it_serves_no_page(shared: Runner) -> None:
    for path in ("/v1/models", "/props"):
        request = urllib.request.Request(
            f"{shared.url}{path}", headers={"Origin": "http://elsewhere.example"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] in (None, "")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{shared.url}/", timeout=30)
    assert caught.value.code == 404


@pytest.mark.real_model
def test_asked_for_it_it_tells_how_far_it_has_read_the_prompt(shared: Runner) -> None:
    asked = shared.request(
        stream=True,
        return_progress=True,
        max_tokens=2,
        messages=[{"role": "user", "content": " ".join(f"word{n}" for n in range(150))}],
    )
    with urllib.request.urlopen(asked, timeout=120) as stream:
        chunks = [
            json.loads(line[6:]) for line in stream if line.startswith(b"data: ") and b"[DONE]" not in line
        ]
    told = [chunk["prompt_progress"] for chunk in chunks if "prompt_progress" in chunk]
    total = told[0]["total"]
    assert total > 2 * 256
    # At once, then after each batch, and at the end.
    assert [progress["processed"] for progress in told] == [0, *range(256, total, 256), total]
    assert all(set(progress) == {"total", "cache", "processed", "time_ms"} for progress in told)
    assert all(chunk["choices"][0]["delta"] == {"role": "assistant", "content": None} for chunk in chunks[:2])
    first_text = next(
        place for place, chunk in enumerate(chunks) if chunk["choices"][0]["delta"].get("content")
    )
    assert "prompt_progress" in chunks[first_text - 2]
    assert all("prompt_progress" not in chunk for chunk in chunks[first_text:])


@pytest.mark.real_model
def test_two_replies_are_written_at_the_same_time(shared: Runner) -> None:
    ends: list[float] = []
    begins: list[float] = []

    def stream() -> None:
        with urllib.request.urlopen(shared.request(stream=True, max_tokens=60), timeout=60) as answer:
            assert answer.readline().startswith(b"data: ")
            begins.append(time.monotonic())
            answer.read()
            ends.append(time.monotonic())

    threads = [threading.Thread(target=stream) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(begins) < min(ends)


@pytest.mark.real_model
def test_clients_that_leave_free_their_slots_at_once_also_while_their_prompt_is_read(shared: Runner) -> None:
    long = " ".join(f"thing{n}" for n in range(600))
    for messages in ([{"role": "user", "content": "Tell a story."}], [{"role": "user", "content": long}]):
        streams = [
            urllib.request.urlopen(
                shared.request(stream=True, return_progress=True, max_tokens=4000, messages=messages),
                timeout=60,
            )
            for _ in range(2)  # as many as there are slots
        ]
        for stream in streams:
            assert stream.readline().startswith(b"data: ")
        time.sleep(0.3)
        for stream in streams:
            stream.close()
        began = time.monotonic()
        assert shared.ask(DEMONSTRATION, messages=[{"role": "user", "content": "Hi"}])[0] == 200
        # At most the batch that each was reading.
        assert time.monotonic() - began < 15


# ---- ends ---------------------------------------------------------------------------------------


@pytest.mark.real_model
def test_told_to_stop_it_does_not_wait_for_a_stream() -> None:
    with running() as runner:
        engine = runner.engine
        with urllib.request.urlopen(runner.request(stream=True, max_tokens=4000), timeout=60) as stream:
            assert stream.readline().startswith(b"data: ")
            runner.process.send_signal(signal.SIGTERM)
            assert runner.process.wait(10) == 0
        assert not is_running(engine)


@pytest.mark.real_model
def test_told_to_stop_while_it_loads_it_ends_too() -> None:
    runner = Runner()
    try:

        def is_loading() -> bool:
            return any(
                b"xllamacpp" in Path(f"/proc/{pid}/maps").read_bytes()
                for pid in descendants(runner.process.pid)
            )

        wait_until(is_loading, 20, "the library is loaded")
        engine = runner.engine
        runner.process.send_signal(signal.SIGTERM)
        assert runner.process.wait(5) == 0
        assert not is_running(engine)
    finally:
        runner.process.kill()
        runner.process.communicate()


@pytest.mark.real_model
def test_when_the_front_is_killed_its_engines_end_at_once() -> None:
    with running() as runner:
        engine = runner.engine
        runner.process.kill()
        runner.process.wait(5)
        wait_until(lambda: not is_running(engine), 2, "the engine has ended")


@pytest.mark.real_model
def test_an_engine_that_is_killed_is_back_with_the_next_requests() -> None:
    with running() as runner:
        engine = runner.engine
        with urllib.request.urlopen(runner.request(stream=True, max_tokens=4000), timeout=60) as stream:
            assert stream.readline().startswith(b"data: ")
            os.kill(engine, signal.SIGKILL)
            with pytest.raises(Exception, match="IncompleteRead"):
                stream.read()
        wait_until(lambda: runner.loaded() == [], 5, "its end is noticed")
        assert runner.ask(DEMONSTRATION)[0] == 503
        assert runner.ask_until_loaded(DEMONSTRATION)[0] == 200
        assert runner.engine != engine


@pytest.mark.real_model
def test_an_engine_ends_when_nobody_holds_its_input_any_more() -> None:
    arguments = ["--parent", str(os.getpid()), "--model", str(weights()), "--alias", "x"]
    sizes = ["--context", "512", "--slots", "1", "--threads", "1"]
    engine = subprocess.Popen(
        [sys.executable, "-m", "backend.model_runner.builtin.engine", *arguments, *sizes],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert engine.stdout is not None
    assert engine.stdin is not None
    assert engine.stdout.readline().startswith("ready ")
    engine.stdin.close()
    assert engine.wait(5) == 0
    engine.stdout.close()


# ---- what it lacks ------------------------------------------------------------------------------


def lines_of_failed_start(*arguments: str) -> list[str]:
    command = [*COMMAND, "--port", str(free_port()), *arguments]
    result = subprocess.run(
        command, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()


def test_without_the_library_one_line_says_how_to_use_another_runner(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["--port", "1"]) == 2
    assert capsys.readouterr().err.startswith("The built-in runner is not installed here (the package xllama")


def test_a_model_file_that_is_missing_a_folder_or_no_model_ends_it_with_one_line(tmp_path: Path) -> None:
    missing, text = tmp_path / "missing.gguf", tmp_path / "text.gguf"
    text.write_bytes(b"not a model")
    for arguments in ((), ("--check",)):
        assert lines_of_failed_start("--model", str(missing), *arguments) == [
            f"The model file {missing} does not exist. Set MODEL_PATH to a GGUF file."
        ]
    [line] = lines_of_failed_start("--model", str(tmp_path))
    assert line.startswith(
        f"The model file {tmp_path} cannot be loaded: it is a folder; expected a GGUF file."
    )
    [line] = lines_of_failed_start("--model", str(text))
    assert line.startswith(f"The model file {text} cannot be loaded: it is not a GGUF file: it begins with")


@pytest.mark.real_model
def test_a_truncated_model_file_ends_it_with_llama_cpps_reason_last(tmp_path: Path) -> None:
    path = tmp_path / "truncated.gguf"
    with weights().open("rb") as file:
        path.write_bytes(file.read(30_000_000))
    line = lines_of_failed_start("--model", str(path))[-1]
    assert line.startswith(f"The model file {path} cannot be loaded: tensor '")
    assert line.endswith("data is not within the file bounds, model is corrupted or incomplete.")


def test_a_first_model_that_is_not_there_ends_it_with_the_names_of_those_that_are() -> None:
    assert lines_of_failed_start("--first", "another") == [
        f"The built-in runner has no model 'another'. It has: {DEMONSTRATION}. Set MODEL_RUNNER_MODEL to one of them."
    ]


def test_a_port_that_somebody_else_has_ends_it_with_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        [line] = lines_of_failed_start("--port", str(taken.getsockname()[1]))
    assert line.startswith("The runner cannot serve at 127.0.0.1:")
    assert "in use" in line
