"""One running project for all tests; each leaves it running, with all its parts."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.containers.compose import Compose
from tests.support.api_client import ApiClient, Json, LiveStream

# As many words as a stand-in for a runner says back, and something that a small model goes on about at length.
LONG = (
    "Write a very long fairy tale, with all its details. " + "There is a forest and a river and a hill. " * 60
)
PIECES = 3


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    assert shutil.which("docker"), "These tests need Docker with Compose. Install it, and run this again."
    project = Compose(f"verbatim-test-{secrets.token_hex(4)}")
    project.build()
    try:
        project.up()
        yield project
    finally:
        if os.environ.get("KEEP_CONTAINERS") != "1":
            project.run("down", "--volumes", "--remove-orphans", "--timeout", "10", check=False)


@pytest.fixture
def person(compose: Compose) -> Iterator[ApiClient]:
    """Somebody who has just signed up."""
    with ApiClient(compose.url) as client:
        client.sign_up()
        yield client


@dataclass(frozen=True)
class Writing:
    """A reply that is being written, with its first words shown."""

    conversation_id: str
    sent: Json
    stream: LiveStream

    @property
    def call_id(self) -> str:
        return str(self.sent["call_id"])

    @property
    def shown(self) -> str:
        return self.stream.text_of(self.call_id)


@contextmanager
def long_reply(person: ApiClient) -> Iterator[Writing]:
    """In the middle of a reply. A model may be short for once: then it is asked again."""
    for _ in range(12):
        conversation_id = person.start_conversation(params={"max_tokens": 1000})["id"]
        sent = person.send(conversation_id, LONG)
        with person.live(cursor=sent["position"], conversation_id=conversation_id) as stream:
            writing = Writing(conversation_id, sent, stream)
            while not stream.closed.is_set() and "finished" not in stream.states_of(writing.call_id):
                if len(stream.chunks_of(writing.call_id)) >= PIECES:
                    yield writing
                    return
                time.sleep(0.02)
    raise AssertionError("the model's replies are too short for this test")
