"""The real built-in runner as a process of its own, asked as any client would ask it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.model_runner.builtin.files import demonstration_file
from tests.integration.embedded.support import REPOSITORY, descendants, free_port

COMMAND = [sys.executable, "-m", "backend.model_runner.builtin"]
DEMONSTRATION = "smollm2-135m-instruct"


def weights() -> Path:
    path = demonstration_file()
    assert path is not None
    return path


class Runner:
    """The real runner as a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [*COMMAND, "--port", str(self.port), *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_until_ready(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    @property
    def engine(self) -> int:
        """The process id of the only engine."""
        [pid] = descendants(self.process.pid)
        return pid

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def request(self, **fields: object) -> urllib.request.Request:
        body = {
            "model": DEMONSTRATION,
            "messages": [{"role": "user", "content": "Tell me a very long story."}],
            "temperature": 0,
            **fields,
        }
        return urllib.request.Request(
            f"{self.url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    def ask(self, model: str, **fields: object) -> tuple[int, Any]:
        """One short request: its status, and its answer."""
        try:
            with urllib.request.urlopen(
                self.request(model=model, max_tokens=4, **fields), timeout=60
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())["error"]

    def ask_until_loaded(self, model: str, seconds: float = 60) -> tuple[int, Any]:
        """As a client that comes again while the model loads."""
        deadline = time.monotonic() + seconds
        while True:
            status, answer = self.ask(model)
            if status != 503:
                return status, answer
            assert answer == {"code": 503, "type": "unavailable_error", "message": "Loading model"}
            assert time.monotonic() < deadline, f"{model} was not loaded within {seconds} s"
            time.sleep(0.1)

    def loaded(self) -> list[str]:
        return [model["id"] for model in self.get("/v1/models")["data"] if model["loaded"]]


@contextmanager
def running(*arguments: str) -> Iterator[Runner]:
    runner = Runner(*arguments)
    try:
        assert runner.wait_until_ready(), "the runner ended before it was ready"
        yield runner
    finally:
        runner.process.kill()
        runner.process.communicate()
