"""Programs in front of the running product: the official client with an API token, and what they leave behind."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from tests.support.api_client import ApiClient, Json
from tests.support.stack import Stack, wait_until


def token_for(person: ApiClient, name: str = "a program") -> str:
    """A new API token of this person."""
    token: str = person.command("POST", "/api/tokens/", {"name": name}, status=201)["token"]
    return token


def client_of(stack: Stack, token: str, **settings: Any) -> OpenAI:
    """The official client, which does not ask again by itself: a test sees each call once."""
    return OpenAI(
        base_url=f"{stack.url}/v1", api_key=token, **{"max_retries": 0, "timeout": 30.0, **settings}
    )


def next_text(stream: Stream[ChatCompletionChunk]) -> str:
    """The next words of a stream; pieces without any are passed by."""
    while True:
        chunk = next(stream)
        if chunk.choices and chunk.choices[0].delta.content:
            return chunk.choices[0].delta.content


def call_of(person: ApiClient, call_id: str, *, timeout_s: float = 20.0) -> Json:
    """The record of a call, once it has ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        response = person.http.get(f"/api/model-calls/{call_id}/")
        if response.status_code == 200 and response.json()["outcome"] != "pending":
            found: Json = response.json()
            return found
        assert time.monotonic() < deadline, f"call {call_id} has not ended: {response.text}"
        time.sleep(0.05)


def latest_call(person: ApiClient) -> Json:
    """The newest call of this person, once it has ended."""
    found: list[Json] = []

    def has_come() -> bool:
        found[:] = person.get("/api/model-calls/")["results"]
        return bool(found)

    wait_until(has_come, "a call in the ledger")
    return call_of(person, found[0]["id"])


def curl(*arguments: str, body: Path | None = None) -> tuple[int, str]:
    """Status and body of an answer to curl. body: a file to send as it is."""
    sending = ["--data-binary", f"@{body}"] if body is not None else []
    done = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--write-out",
            "\n%{http_code}",
            *sending,
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), answer
