"""The scripted runner itself: controlled over HTTP, as a program, and from a thread."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.model_runner.script import BadScript, Script, default_script, script_of_json
from backend.model_runner.scripted import ScriptedRunner, main

REPOSITORY = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "backend.model_runner.scripted", "--port", "0", "--delay-ms", "0"]


def call(url: str, body: Any = None) -> tuple[int, bytes]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture
def root() -> Iterator[str]:
    with ScriptedRunner(delay_ms=0).in_thread() as runner:
        yield runner.url.removesuffix("/v1")


def deltas(stream: bytes) -> str:
    chunks = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: {")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def test_without_a_script_it_quotes_the_last_user_message_and_says_the_same_again(root: str) -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "one"}, {"role": "user", "content": "two words"}],
    }
    status, stream = call(f"{root}/v1/chat/completions", body)
    assert status == 200
    assert deltas(stream).startswith("You wrote: **two words**\n\n")
    assert stream.endswith(b"data: [DONE]\n\n")
    assert call(f"{root}/v1/chat/completions", body)[1] == stream


def test_a_script_made_over_http_is_played_once_and_a_standing_one_always(root: str) -> None:
    once = Script().text("once").complete().steps
    always = Script().text("always").complete().steps
    status, answer = call(f"{root}/__script__", {"scripts": [{"steps": once}], "always": {"steps": always}})
    assert (status, json.loads(answer)) == (200, {"waiting": 1})
    said = [deltas(call(f"{root}/v1/chat/completions", {})[1]) for _ in range(3)]
    assert said == ["once", "always", "always"]
    call(f"{root}/__script__", {"always": None})
    assert deltas(call(f"{root}/v1/chat/completions", {})[1]).startswith("You wrote")


def test_what_was_received_is_told_byte_for_byte_without_the_controls(root: str) -> None:
    odd = b'{"a": "\xff"}'
    call(f"{root}/__release__", {})
    assert call(f"{root}/v1/chat/completions", odd)[0] == 400, "no JSON, and nothing else was scripted"
    call(f"{root}/v1/models")
    first, second = json.loads(call(f"{root}/__requests__")[1])["requests"]
    assert (first["method"], first["path"]) == ("POST", "/v1/chat/completions")
    assert base64.b64decode(first["body_base64"]) == odd
    assert first["headers"]["content-length"] == str(len(odd))
    assert not first["closed_early"]
    assert (second["method"], second["path"]) == ("GET", "/v1/models")


def test_a_held_stream_goes_on_when_released(root: str) -> None:
    call(f"{root}/__script__", {"scripts": [{"steps": Script().text("a").hold().text("b").complete().steps}]})
    request = urllib.request.Request(f"{root}/v1/chat/completions", b"{}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        began = b""
        while b'"a"' not in began:
            began += answer.readline()
        assert call(f"{root}/__release__", {})[0] == 200
        assert deltas(began + answer.read()) == "ab"


@pytest.mark.parametrize(
    "body", [b"{", b"5", {"scripts": 5}, {"scripts": [{"steps": [{"do": "dance"}]}]}, {"always": 5}]
)
def test_a_script_over_http_that_cannot_be_played_is_refused(root: str, body: Any) -> None:
    status, answer = call(f"{root}/__script__", body)
    assert status == 400
    assert json.loads(answer)["error"]


def test_bytes_that_are_none_do_not_end_the_stream(root: str) -> None:
    script = Script().text("a").raw(b"").text("b").complete()
    call(f"{root}/__script__", {"scripts": [{"steps": script.steps}]})
    assert deltas(call(f"{root}/v1/chat/completions", {})[1]) == "ab"


def test_it_refuses_connections_for_as_long_as_it_is_told_and_serves_again(root: str) -> None:
    assert call(f"{root}/__refuse__", {"seconds": 0.5})[0] == 200
    began = time.monotonic()
    with pytest.raises(urllib.error.URLError, match="refused"):
        call(f"{root}/v1/models")
    while time.monotonic() - began < 10:
        with contextlib.suppress(urllib.error.URLError):
            assert call(f"{root}/v1/models")[0] == 200
            break
        time.sleep(0.02)
    assert 0.3 < time.monotonic() - began < 10
    assert len(json.loads(call(f"{root}/__requests__")[1])["requests"]) == 1


@pytest.mark.parametrize("body", [b"{", {}, [], {"seconds": "2"}, {"seconds": -1}])
def test_a_refusal_for_no_number_of_seconds_is_refused(root: str, body: Any) -> None:
    status, answer = call(f"{root}/__refuse__", body)
    assert (status, json.loads(answer)["error"]) == (400, 'Expected {"seconds": 2}, a number from 0 to 3600.')


def test_bytes_on_the_socket_stand_there_as_they_are(root: str) -> None:
    script = Script().socket(b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nhi")
    call(f"{root}/__script__", {"scripts": [{"steps": script.steps}]})
    assert call(f"{root}/v1/chat/completions", {}) == (418, b"hi")


def test_other_paths_are_not_there(root: str) -> None:
    assert call(f"{root}/props")[0] == 404
    assert call(f"{root}/__nothing__")[0] == 404


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({}, "steps"),
        ({"steps": 5}, "steps"),
        ({"steps": [{"do": "dance"}]}, "Step 0"),
        ({"steps": ["text"]}, "Step 0"),
        ({"steps": [{"do": "done"}, {"do": "text"}]}, r"Step 1 \(text\) needs `text`"),
        ({"steps": [{"do": "sleep", "ms": "long"}]}, "needs `ms`"),
        ({"steps": [{"do": "raw", "base64": "?"}]}, "base64"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(script: object, words: str) -> None:
    with pytest.raises(BadScript, match=words):
        script_of_json(script)


def test_every_step_the_builder_makes_survives_json() -> None:
    script = (
        Script().headers().role().words("two words", delay_ms=1).reasoning("r").tool_call(0, name="f").finish()
        .usage(1, 2).done().error(message="x").data([1]).raw(b"\xff").socket(b"\xff").ping().sleep(1).hold().cut().hang_up().end().never()
        .respond(200, b"\xff").respond(200, {"a": 1}, location="x")
    )  # fmt: skip
    assert script_of_json(json.loads(json.dumps({"steps": script.steps}))) == script


def test_the_default_reply_takes_any_body() -> None:
    for body in ({}, {"messages": 5}, {"messages": [5, {"role": "user", "content": None}]}):
        assert default_script(body, delay_ms=0).steps[-1] == {"do": "done"}


def test_a_busy_port_is_told_where_the_runner_was_asked_for(root: str) -> None:
    port = int(root.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"), ScriptedRunner(port=port).in_thread():
        pass


def test_a_runner_ends_though_somebody_is_still_waiting() -> None:
    runner = ScriptedRunner()
    with runner.in_thread():
        runner.play(Script().text("a").hold())
        answer = urllib.request.urlopen(
            urllib.request.Request(f"{runner.url}/chat/completions", b"{}"), timeout=10
        )
        assert answer.readline()
    with answer:
        assert b"[DONE]" not in answer.fp.read(), "cut, not finished"


def test_as_a_program_it_prints_its_address_and_plays_a_file(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text(json.dumps({"scripts": [{"steps": Script().text("from a file").complete().steps}]}))
    process = subprocess.Popen(
        [*COMMAND, "--script", str(file)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert deltas(call(f"{url}/chat/completions", {})[1]) == "from a file"
        [model] = json.loads(call(f"{url}/models")[1])["data"]
        assert model["id"] == "scripted-model"
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize("content", [None, "{", '{"scripts": [{"steps": [{"do": "dance"}]}]}'])
def test_as_a_program_it_names_a_file_that_it_cannot_use(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "script.json"
    if content is not None:
        file.write_text(content)
    assert main(["--script", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
